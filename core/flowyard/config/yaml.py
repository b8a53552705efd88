"""Reads YAML documents with every scalar as it is written, the way Dapr sees metadata values."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from flowyard.errors import ConfigurationError

# YAML messages quote what they stumble over, which may be part of a password. Names of tokens
# ('<scalar>') and single characters may stay.
_QUOTED = re.compile(r"""(['"])(?P<token><[^'"]*>|.)\1|(['"]).*\3""", re.DOTALL)


# Aliases and merge keys let a few lines stand for more than any machine holds.
_MOST_NODES = 100_000
_VARIABLE = re.compile(rb"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_PLAIN = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """Strings only: `0123`, `yes` and `2024-01-01` are not numbers, truths and dates here."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own class attribute
        first: [
            resolver
            for resolver in resolvers
            if resolver[0].rpartition(":")[2] in {"null", "merge"}
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    # A tag that is written out (`!!timestamp`) makes no other values either.
    yaml_constructors = {  # noqa: RUF012
        tag: constructor
        for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.removeprefix(_PLAIN) in {"null", "str", "seq", "map"}
    }

    def construct_document(self, node: yaml.Node) -> Any:
        """Refuse a document that is more than it looks before anything is made of it."""
        self._size(node, {})
        return super().construct_document(node)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """Refuse characters that no path, address or terminal takes."""
        text = super().construct_scalar(node)
        if not _is_text(text):
            raise yaml.constructor.ConstructorError(
                None, None, "a value has a character that text cannot have", node.start_mark
            )
        return text

    def _size(self, node: yaml.Node, known: dict[int, int | None]) -> int:
        """Return how many nodes there are if each alias is written out."""
        if id(node) in known:
            size = known[id(node)]
            if size is None:
                raise yaml.constructor.ConstructorError(
                    None, None, "an alias refers to a value that contains it", node.start_mark
                )
            return size
        known[id(node)] = None
        size = 1
        for child in _children(node):
            size += self._size(child, known)
            if size > _MOST_NODES:
                raise yaml.constructor.ConstructorError(
                    None, None, "its aliases expand to too much text", node.start_mark
                )
        known[id(node)] = size
        return size

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a key that stands twice; PyYAML would silently take the last."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, "a key is given twice in one mapping", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else "")
        return super().construct_mapping(node, deep)


def _is_text(value: str) -> bool:
    """Whether it can be written: no NUL, and no half of a surrogate pair."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _unless_token(quoted: re.Match[str]) -> str:
    return quoted[0] if quoted["token"] else "…"


def read_documents(path: Path, *, expand_environment: bool = False) -> list[object]:
    """Return the documents of a file, None for an empty one; raise `ConfigurationError`.

    `expand_environment` puts the values of variables in the place of `${NAME}` and `$NAME`, nothing
    for one that is not set.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{path}: there is no such file or folder. Create it, or give another path."
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read: {error.strerror}. Check the path and its permissions."
        ) from error
    if expand_environment:
        text = _VARIABLE.sub(lambda found: os.environb.get(found[1] or found[2], b""), text)
    try:
        return list(yaml.load_all(text, _Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        problem = _QUOTED.sub(_unless_token, error.problem or error.context or "syntax error")
    except yaml.reader.ReaderError as error:
        place, problem = f" at position {error.position}", error.reason
    except RecursionError:
        place, problem = "", "it is nested too deeply"
    # Outside of the handlers, so that no chained message shows a line of the file.
    raise ConfigurationError(
        f"{path}: not YAML{place}: {problem}. Correct it; put a value with special characters "
        "in quotes."
    )

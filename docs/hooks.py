"""Adds to the site what is not in docs/ (hooks of mkdocs): the README, and the public API."""

from __future__ import annotations

import ast
import logging
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# What is logged as a warning fails the build.
logger = logging.getLogger("mkdocs.hooks")

ROOT = Path(__file__).parent.parent
_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "SECURITY.md": "SECURITY.md",
}
_API = ("flowyard", "flowyard.backend", "flowyard.config", "flowyard.server", "flowyard.testing")
_CODE = re.compile(r"(^ *```.*?^ *```$|`[^`\n]*`)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
_HIDDEN = "\0"
# What a browser loads without being told to by its user.
_LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^\"' >]+"
    r"|<link\b[^>]*\brel=[\"']?(?:stylesheet|icon|preconnect|preload)[^>]*"
    r"\bhref=[\"']?(?:https?:)?//[^\"' >]+"
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root, and one for each package of the public API."""
    for source, page in _PAGES.items():
        text = (ROOT / source).read_text()
        files.append(File.generated(config, page, content=text))
    for package in _API:
        text = f"# `{package}`\n\n::: {package}\n"
        files.append(File.generated(config, f"reference/{package}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Have links lead to pages of the site; of what it does not hold, only the name is left."""
    path = page.file.src_uri
    if path.startswith("reference/"):
        return markdown
    source = next((name for name, one in _PAGES.items() if one == path), f"docs/{path}")
    parts = _CODE.split(markdown)
    # Code stands at the odd places. It may be part of a link's text, and is put back at the end.
    code = iter(parts[1::2])
    text = _HIDDEN.join(parts[::2])
    text = _LINK.sub(lambda link: _link(link, source, files), text)
    return re.sub(_HIDDEN, lambda _: next(code), text)


def _link(link: re.Match[str], source: str, files: Files) -> str:
    name, target, heading = link[1], link[2], link[3] or ""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    if not (ROOT / path).exists():
        logger.warning("'%s' links to '%s', which does not exist", source, target)
    page = _PAGES.get(path, path.removeprefix("docs/"))
    # Pages of the site are all in one folder.
    return f"[{name}]({page}{heading})" if files.get_file_from_path(page) else name


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Warn of what is missing from the public API, and of what a page loads from elsewhere."""
    for loaded in _LOADED.findall(output):
        logger.warning("'%s' loads something from elsewhere: %s", page.file.src_uri, loaded)
    folder, _, package = page.file.src_uri.removesuffix(".md").rpartition("/")
    if folder == "reference":
        for name in _exported(package):
            if f'id="{package}.{name}"' not in output:
                logger.warning("'%s.%s' is public and has no docstring", package, name)
    return output


def _exported(package: str) -> list[str]:
    """Return what a package's `__all__` names."""
    file = ROOT.joinpath("core", *package.split("."), "__init__.py")
    for statement in ast.parse(file.read_text()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            names: Any = ast.literal_eval(statement.value)
            return list(names)
    logger.warning("'%s' has no __all__", package)
    return []

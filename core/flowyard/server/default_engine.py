"""The workflow component of a configuration that names none: the engine on ./flowyard.db."""

from __future__ import annotations

from pathlib import Path

from flowyard.config import ComponentSpec
from flowyard.errors import ConfigurationError

_FILE = "flowyard.db"
_OWNER = Path(f"{_FILE}.app-id")

DEFAULT_ENGINE = ComponentSpec("engine", "workflow.engine")
"""Its file is the default of the type."""

NO_WORKFLOW_COMPONENT = (
    f"no workflow component is configured, so workflows run on the built-in engine, in ./{_FILE}."
)


def claim_default_file(app_id: str) -> None:
    """Note whose the file is; raise `ConfigurationError` if it is another application's.

    Two applications of one folder would otherwise take each other's work without a word.
    """
    try:
        with _OWNER.open("x", encoding="utf-8") as file:
            file.write(f"{app_id}\n")
    except FileExistsError:
        owner = _OWNER.read_text(encoding="utf-8").strip()
        if owner and owner != app_id:
            raise ConfigurationError(
                f"./{_FILE} belongs to application '{owner}' (./{_OWNER} says so), and this is "
                f"'{app_id}'. Configure a component of type workflow.engine with a "
                "connectionString of its own and this application in its scopes, or start in "
                f"another folder. If '{owner}' is no longer used, remove ./{_OWNER}."
            ) from None
    except OSError as error:
        raise ConfigurationError(
            f"./{_OWNER} cannot be written: {error.strerror}. Start in a folder that can be "
            "written, or configure a workflow component."
        ) from error

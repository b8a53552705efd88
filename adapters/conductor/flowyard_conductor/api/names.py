"""What our definitions and tasks are called on the server."""

from __future__ import annotations

import hashlib
import re

_PLAIN = re.compile(rb"[A-Za-z0-9_\-]")
_ESCAPED = re.compile(r"(?:[A-Za-z0-9_\-]|~[0-9a-f]{2})+")


def _escaped(name: str) -> str:
    """Return a name that a definition may have: everything else is `~` and two hex digits.

    A dot too, or `a.b.c` could be of task queue `a` and of task queue `a.b`.
    """
    return "".join(
        chr(byte) if _PLAIN.match(bytes([byte])) else f"~{byte:02x}" for byte in name.encode()
    )


def _unescaped(text: str) -> str:
    return re.sub(
        rb"~([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode()
    ).decode("utf-8", "replace")


class Names:
    """Names that begin with the task queue. Definitions: `.` and a workflow of the app, or `~`."""

    def __init__(self, task_queue: str) -> None:
        self._prefix = f"{task_queue}."
        self._own = f"{task_queue}~"
        self.step = f"{task_queue}.turn"
        """The type of a step that is not known to be an activity."""
        self.activity = f"{task_queue}.activity"
        self.wait = f"{task_queue}.wait"
        """Nobody polls for it: it is completed by whoever has news for the instance."""
        self.watchdog = f"{task_queue}.watchdog"
        self.message = f"{task_queue}~message"
        self.side_workflow = f"{task_queue}~sideWorkflow"
        self.workers = f"{task_queue}~workers"

    def definition(self, workflow: str) -> str:
        """Return the name of the definition that hosts a workflow."""
        return self._prefix + _escaped(workflow)

    def registration(self, workflow: str) -> str:
        """Return the name of the task definition that says that an app has a workflow."""
        return f"{self._own}workflow~{_escaped(workflow)}"

    def workflow(self, definition: str) -> str | None:
        """Return the workflow that a definition hosts; None if it is somebody else's."""
        name = definition.removeprefix(self._prefix)
        if name == definition or _ESCAPED.fullmatch(name) is None:
            return None
        return _unescaped(name)

    def is_own(self, definition: str) -> bool:
        """Whether a definition is part of how we work, and no workflow."""
        return definition.startswith(self._own)

    def id_lock(self, instance_id: str) -> str:
        """Return the name of the definition whose existence locks an instance ID."""
        digest = hashlib.sha256(instance_id.encode()).hexdigest()
        return f"{self._own}idLock~{digest[:32]}"

"""What has happened in a simulation, to be printed where it found something."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from chaos.kills.ledger import root_of
from simulation.world import BEGIN, World

_SHOWN = 100
_ID = re.compile(r"[\w-]+")
_FOUND = "VIOLATION"


class Trace:
    """Remembers all events of one seed, and what tells whether another run was the same."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lines: list[tuple[int, str, str, str]] = []
        self._digest = hashlib.sha256()

    def note(self, process: str, text: str, instance_id: str = "") -> None:
        """Note what has happened, to which process or instance."""
        line = (self._world.now - BEGIN, process, instance_id, text)
        self._lines.append(line)
        self._digest.update(repr(line).encode())

    def report(self, process: str, line: list[Any]) -> None:
        """Note what a process has told."""
        verb, *arguments = line
        if verb == "violation":
            self.violation(process, *arguments)
            return
        instance_id = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        self.note(process, f"{verb} {arguments[1:]}", instance_id)

    def violation(self, process: str, kind: str, text: str) -> None:
        """Note when something was found, and about which family."""
        self.note(process, f"{_FOUND} [{kind}]", self.family_of(text))

    @property
    def digest(self) -> str:
        """The same for two runs that were the same."""
        return self._digest.hexdigest()[:16]

    def family_of(self, text: str) -> str:
        """Return the first family of which a violation speaks; empty if it speaks of none."""
        families = {root_of(about) for _, _, about, _ in self._lines}
        return next((word for word in _ID.findall(text) if word in families), "")

    def shown(self, violation: str) -> str:
        """Return the last lines before a violation that are about its family or the processes.

        Where the violation speaks of no family, those about all of them.
        """
        family = self.family_of(violation)
        lines: list[str] = []
        for at, process, about, text in self._lines:
            if about and family and root_of(about) != family:
                continue
            lines.append(f"{at / 1e6:10.6f} {process:>4} {about:<24} {text}")
            if text.startswith(_FOUND):
                break
        return "\n".join(lines[-_SHOWN:])

    def of_instance(self, instance_id: str) -> list[tuple[float, str]]:
        """Return what has happened to one instance and to the processes, at which second."""
        return [
            (at / 1e6, f"{process} {about} {text}".replace("  ", " "))
            for at, process, about, text in self._lines
            if process and about in {"", instance_id}
        ]

"""What has happened in a simulation, to be printed where it found something."""

from __future__ import annotations

import hashlib
from typing import Any

from chaos.kills.ledger import root_of
from simulation.world import BEGIN, World

_SHOWN = 60


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
        instance_id = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        self.note(process, f"{verb} {arguments[1:]}", instance_id)

    @property
    def digest(self) -> str:
        """The same for two runs that were the same."""
        return self._digest.hexdigest()[:16]

    def shown(self, instance_id: str) -> str:
        """Return the last lines that are about a family, or about the processes."""
        root = root_of(instance_id)
        lines = [
            f"{at / 1e6:10.6f} {process:>4} {about:<24} {text}"
            for at, process, about, text in self._lines
            if not about or root_of(about) == root
        ]
        return "\n".join(lines[-_SHOWN:])

"""Runs a program and kills it when its own input ends or it is told to end.

It is called as `kill_on_exit.py COMMAND…`. The input ends with the process that holds the other
end, however that came to its end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from threading import Thread


def main(command: list[str]) -> int:
    """Return how the program ended."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as program:

        def kill(*_: object) -> None:
            program.kill()

        def hold() -> None:
            # Not sys.stdin: it would be locked when the program ends first.
            os.read(0, 1)
            kill()

        signal.signal(signal.SIGTERM, kill)
        Thread(target=hold, daemon=True).start()
        return program.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Makes the servers that live tests need, and says where they are."""

from __future__ import annotations

import sys
from pathlib import Path

from servers.builds import conductor_server, temporal_server
from servers.cache import Unavailable


def main() -> int:
    """Return how many could not be made."""
    missing = 0
    for name, make in (("Temporal", temporal_server), ("Conductor", conductor_server)):
        try:
            made = make(print)
        except Unavailable as reason:
            missing += 1
            print(f"{name}: {reason}", file=sys.stderr)
        else:
            print(f"{name}: {made if isinstance(made, Path) else made[-1]}")
    return missing


if __name__ == "__main__":
    sys.exit(main())

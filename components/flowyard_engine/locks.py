"""Which process holds SQLite's write lock, for a message that helps."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_LOCKS = Path("/proc/locks")
# Where in the -shm file SQLite has the lock of the one that writes (its file format, section 4.3).
_WRITE_LOCK = 120
_STOPPED = {"T": "which is stopped: continue it or end it", "t": "which a debugger has stopped"}


def describe_writer(path: Path) -> str:
    """Return a phrase that names the process that writes to a database, as far as can be told."""
    try:
        pid = _find_writer(Path(f"{path}-shm").stat().st_ino)
    except (OSError, ValueError):
        pid = None
    if pid is None:
        return f"it hangs, or is stopped. Find it with: lsof {path}"
    name = state = ""
    with suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text()
        name, state = stat[stat.index("(") : stat.rindex(")") + 1], stat[stat.rindex(")") + 2]
    return f"process {pid} {name}, {_STOPPED.get(state, 'which hangs or works on the file')}"


def _find_writer(inode: int) -> int | None:
    """Find the holder in Linux's table of locks; elsewhere there is none."""
    # To ask the file itself, it would have to be opened, and closing it again would end the locks
    # that SQLite holds on it for this process.
    for line in _LOCKS.read_text().splitlines():
        # 1: POSIX  ADVISORY  WRITE 4711 fd:01:1234 120 120
        fields = line.split()
        if "->" in fields or len(fields) != 8 or fields[3] != "WRITE":
            continue
        pid, file, first, last = fields[4:]
        is_ours = int(file.rpartition(":")[2]) == inode and int(first) <= _WRITE_LOCK
        if is_ours and int(pid) > 0 and (last == "EOF" or int(last) >= _WRITE_LOCK):
            return int(pid)
    return None

"""Holds the write lock of a file until it is ended. Argument: the file."""

from __future__ import annotations

import sqlite3
import sys

if __name__ == "__main__":
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    print("holds", flush=True)  # noqa: T201 - that is how the test knows
    sys.stdin.readline()

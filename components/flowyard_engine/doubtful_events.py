"""Events of a file of version 1 that may have been delivered already.

That version kept the message of an event that a slow worker had taken up. Nothing tells such a
message from an equal event that came later, so it is delivered, and said.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator

from flowyard.backend import EventRaised, decode_events
from flowyard_engine.queries import QUERIES as Q

logger = logging.getLogger(__name__)


def warn_of_doubtful_events(connection: sqlite3.Connection) -> None:
    """Name each instance whose history has an event that waits for it as well."""
    for instance_id, name in _doubtful(connection):
        logger.warning(
            "instance '%s' is given event '%s' although its history has an equal one: an older "
            "version "
            "of flowyard may have delivered it already",
            instance_id,
            name,
        )


def _doubtful(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for instance_id, run, message in connection.execute(Q["waiting_events"]).fetchall():
        (event,) = decode_events(message)
        batches = connection.execute(Q["history"], (run,)).fetchall()
        if isinstance(event, EventRaised) and any(event in decode_events(*row) for row in batches):
            yield instance_id, event.name

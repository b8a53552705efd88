"""Identifiers that nobody has chosen: random ones, and those of children."""

from __future__ import annotations

import uuid
from hashlib import blake2s

from flowyard.machine import SYSTEM

_LONGEST = 255

CHILD_IDS = "flowyard.child-ids"
"""The patch since which the IDs of children carry the execution of their parent."""


def new_uuid() -> uuid.UUID:
    """Return a random UUID (version 4)."""
    return SYSTEM.new_uuid()


def child_instance_id(parent_id: str, execution_id: str, action_id: int) -> str:
    """Return the ID of a child to which nobody has given one.

    It carries the execution: a child of an earlier one may still run under its own ID.

    Args:
        parent_id: The instance that calls the child.
        execution_id: The execution of it that does.
        action_id: The number of the call in that execution, from 1.

    Returns:
        The same ID for the same call, of 255 characters at most.
    """
    execution = blake2s(execution_id.encode(), digest_size=4).hexdigest()
    child_id = f"{parent_id}:{execution}:{action_id:04x}"
    if len(child_id) <= _LONGEST:
        return child_id
    # Each generation adds to the ID of the one before.
    parent = blake2s(parent_id.encode(), digest_size=16).hexdigest()
    return f"{parent}:{execution}:{action_id:04x}"

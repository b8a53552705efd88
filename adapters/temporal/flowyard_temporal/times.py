"""Temporal's times as ours."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp


def time_of(stamp: Timestamp) -> datetime:
    """Return the aware UTC time."""
    return stamp.ToDatetime(tzinfo=UTC)

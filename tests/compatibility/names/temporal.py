"""Names on Temporal's server."""

from __future__ import annotations

from typing import get_args, get_type_hints

import msgspec

from flowyard.backend.history import TimerCreated
from flowyard_temporal.hosted import hosted_input
from flowyard_temporal.hosted.decisions import RecordedTurn
from flowyard_temporal.hosted.detached import START
from flowyard_temporal.hosted.hosted_input import Beginning, Call
from flowyard_temporal.hosted.summaries import summary_of
from flowyard_temporal.hosted.worker_context import RECORD, TURN, UNSERVED, WAKE
from flowyard_temporal.hosted.workflow import IDS_IN_ORDER, PAUSE, RESUME, SENDS_IN_ORDER
from flowyard_temporal.native.failures import HostedFailure
from flowyard_temporal.native.states import CREATED_AT, CUSTOM_STATUS, HOSTED, PAUSED, STALLED
from flowyard_temporal.operations.starting import SPREAD_INPUT, TASK_QUEUE
from flowyard_temporal.payloads import payload_of
from flowyard_temporal.settings import TemporalSettings


def names() -> dict[str, object]:
    """Return them. The workflows themselves and their activities go by the app's names."""
    origins = get_args(get_type_hints(TimerCreated)["origin"])
    return {
        "format": hosted_input._FORMAT,
        "memo": {
            "hosted": HOSTED,
            "custom status": CUSTOM_STATUS,
            "created at": CREATED_AT,
            "stalled": STALLED,
            "paused": PAUSED,
        },
        "updates": [PAUSE, RESUME],
        "signals": [WAKE],
        "local activities": [TURN, RECORD, START],
        "patches": [IDS_IN_ORDER, SENDS_IN_ORDER],
        "second argument of a workflow": _keys(Beginning),
        "second argument of an activity": _keys(Call),
        "result of a turn": _keys(RecordedTurn),
        "type of a failure without a worker": UNSERVED,
        "details of a failure": _keys(HostedFailure),
        "metadata of an empty payload": sorted(payload_of("").metadata),
        "summaries of timers": {
            origin: summary_of(TimerCreated(3, 0, origin, "name", 2)) for origin in origins
        },
        "options of a start": [TASK_QUEUE, SPREAD_INPUT],
        "default task queue": TemporalSettings().task_queue,
    }


def _keys(struct: type[msgspec.Struct]) -> list[str]:
    return list(struct.__struct_encode_fields__)

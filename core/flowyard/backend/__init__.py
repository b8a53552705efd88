"""All that a component plugin imports."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from flowyard.backend.background_tasks import BackgroundTasks
from flowyard.backend.backlog import BacklogEvent, Received, Unsent, decode_backlog, encode_backlog
from flowyard.backend.backoff import Backoff
from flowyard.backend.component import (
    Capability,
    Component,
    ComponentContext,
    ComponentType,
    WorkflowComponent,
)
from flowyard.backend.executor import (
    AcknowledgingExecutor,
    ActivityResult,
    ActivityTask,
    ChangingExecutor,
    Executor,
    LocalCode,
    QueuedTurn,
    RegisteredExecutor,
    Turn,
    TurnResult,
    awaited,
    closed,
    obstacle,
    perform,
    recorded,
    run_scheduled,
    watch,
)
from flowyard.backend.history import (
    Action,
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ContinuedAsNew,
    EventRaised,
    EventSent,
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    Parent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
    TurnStarted,
    decode_events,
    encode_events,
)
from flowyard.backend.host import Host, InstanceStore
from flowyard.backend.host_instance import HostedInstance
from flowyard.backend.journal import Journal, suspended_after
from flowyard.backend.lineage import child_started, propagated, result_for_parent
from flowyard.backend.timestamps import NEVER, to_datetime, to_microseconds
from flowyard.clock import Alarm, Clock
from flowyard.errors import (
    BackendUnavailable,
    BindingFailed,
    ConfigurationError,
    EtagMismatch,
    EventNotFound,
    FlowyardError,
    InstanceAlreadyExists,
    InstanceNotClosed,
    InstanceNotFound,
    InvalidEtag,
    InvalidRequest,
    SecretNotFound,
    UnsupportedOperation,
    WorkflowNotRegistered,
)
from flowyard.failure import FailureDetails
from flowyard.identifier import CHILD_IDS, child_instance_id, new_uuid
from flowyard.machine import SYSTEM, Machine
from flowyard.models import (
    InstancePage,
    InstanceQuery,
    RerunRequest,
    ReusePolicy,
    StartRequest,
    WorkflowState,
    WorkflowStatus,
)

if TYPE_CHECKING:
    from flowyard.backend.binding import (
        Binding,
        BindingCapability,
        BindingEvent,
        BindingRequest,
        BindingResponse,
    )
    from flowyard.backend.certificates import client_context
    from flowyard.backend.durations import parse_duration
    from flowyard.backend.hookspecs import hookimpl
    from flowyard.backend.pubsub import (
        Delivery,
        Handler,
        Message,
        PubSub,
        PubSubCapability,
        most_at_once,
        redelivery_pause,
    )
    from flowyard.backend.secret_store import SecretCapability, SecretStore
    from flowyard.backend.state_store import (
        Concurrency,
        Consistency,
        DeleteState,
        SetState,
        StateCapability,
        StateOptions,
        StateStore,
        StateValue,
        ttl_seconds,
    )

__all__ = [
    "CHILD_IDS",
    "NEVER",
    "SYSTEM",
    "AcknowledgingExecutor",
    "Action",
    "ActivityResult",
    "ActivityTask",
    "Alarm",
    "BackendUnavailable",
    "BackgroundTasks",
    "BacklogEvent",
    "Backoff",
    "Binding",
    "BindingCapability",
    "BindingEvent",
    "BindingFailed",
    "BindingRequest",
    "BindingResponse",
    "Capability",
    "ChangingExecutor",
    "ChildCompleted",
    "ChildCreated",
    "ChildFailed",
    "Clock",
    "Component",
    "ComponentContext",
    "ComponentType",
    "Concurrency",
    "ConfigurationError",
    "Consistency",
    "ContinuedAsNew",
    "DeleteState",
    "Delivery",
    "EtagMismatch",
    "EventNotFound",
    "EventRaised",
    "EventSent",
    "ExecutionCompleted",
    "ExecutionResumed",
    "ExecutionStarted",
    "ExecutionSuspended",
    "ExecutionTerminated",
    "Executor",
    "FailureDetails",
    "FlowyardError",
    "Handler",
    "HistoryEvent",
    "Host",
    "HostedInstance",
    "InstanceAlreadyExists",
    "InstanceNotClosed",
    "InstanceNotFound",
    "InstancePage",
    "InstanceQuery",
    "InstanceStore",
    "InvalidEtag",
    "InvalidRequest",
    "Journal",
    "LocalCode",
    "Machine",
    "Message",
    "Parent",
    "PubSub",
    "PubSubCapability",
    "QueuedTurn",
    "Received",
    "RegisteredExecutor",
    "RerunRequest",
    "ReusePolicy",
    "SecretCapability",
    "SecretNotFound",
    "SecretStore",
    "SetState",
    "StartRequest",
    "StateCapability",
    "StateOptions",
    "StateStore",
    "StateValue",
    "TaskCompleted",
    "TaskFailed",
    "TaskScheduled",
    "TimerCreated",
    "TimerFired",
    "Turn",
    "TurnResult",
    "TurnStarted",
    "Unsent",
    "UnsupportedOperation",
    "WorkflowComponent",
    "WorkflowNotRegistered",
    "WorkflowState",
    "WorkflowStatus",
    "awaited",
    "child_instance_id",
    "child_started",
    "client_context",
    "closed",
    "decode_backlog",
    "decode_events",
    "encode_backlog",
    "encode_events",
    "hookimpl",
    "most_at_once",
    "new_uuid",
    "obstacle",
    "parse_duration",
    "perform",
    "propagated",
    "recorded",
    "redelivery_pause",
    "result_for_parent",
    "run_scheduled",
    "suspended_after",
    "to_datetime",
    "to_microseconds",
    "ttl_seconds",
    "watch",
]

# Lazy: only plugins need pluggy, and most programs have no component of another building block.
_LAZY = {
    "binding": (
        "Binding",
        "BindingCapability",
        "BindingEvent",
        "BindingRequest",
        "BindingResponse",
    ),
    "certificates": ("client_context",),
    "durations": ("parse_duration",),
    "pubsub": (
        "Delivery",
        "Handler",
        "Message",
        "PubSub",
        "PubSubCapability",
        "most_at_once",
        "redelivery_pause",
    ),
    "secret_store": (
        "SecretCapability",
        "SecretStore",
    ),
    "state_store": (
        "Concurrency",
        "Consistency",
        "DeleteState",
        "SetState",
        "StateCapability",
        "StateOptions",
        "StateStore",
        "StateValue",
        "ttl_seconds",
    ),
    "hookspecs": ("hookimpl",),
}

if not TYPE_CHECKING:  # a type checker would believe in any name

    def __getattr__(name: str) -> object:
        for module, names in _LAZY.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

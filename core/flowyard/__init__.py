"""One workflow API over any workflow engine."""

from importlib import import_module
from typing import TYPE_CHECKING

from flowyard.client import Client
from flowyard.errors import (
    AccessDenied,
    ActivityNotRegistered,
    BackendUnavailable,
    BindingFailed,
    ComponentNotFound,
    ComponentTypeNotInstalled,
    ConfigurationError,
    EtagMismatch,
    EventNotFound,
    FlowyardError,
    InstanceAlreadyExists,
    InstanceNotClosed,
    InstanceNotFound,
    InvalidEtag,
    InvalidInstanceId,
    InvalidRequest,
    InvocationFailed,
    NonDeterminismError,
    NonRetryableError,
    PayloadError,
    RegistrationError,
    SecretNotFound,
    TaskFailedError,
    UnsupportedOperation,
    WorkflowCodeError,
    WorkflowNotRegistered,
)
from flowyard.failure import FailureDetails
from flowyard.models import (
    InstancePage,
    InstanceQuery,
    RerunRequest,
    ReusePolicy,
    StartRequest,
    WorkflowFailed,
    WorkflowState,
    WorkflowStatus,
)
from flowyard.runtime import Runtime
from flowyard.sync import SyncClient, SyncRuntime
from flowyard.workflow.activity_context import ActivityContext
from flowyard.workflow.app import App
from flowyard.workflow.context import WorkflowContext
from flowyard.workflow.retry import RetryPolicy
from flowyard.workflow.task import Task, when_all, when_any

if TYPE_CHECKING:
    from flowyard.backend.binding import BindingResponse
    from flowyard.backend.state_store import Concurrency, Consistency, StateOptions
    from flowyard.calls.items import (
        StateItem,
        StateResponse,
        TransactionalStateOperation,
        TransactionOperationType,
    )
    from flowyard.calls.responses import InvokeMethodResponse

__all__ = [
    "AccessDenied",
    "ActivityContext",
    "ActivityNotRegistered",
    "App",
    "BackendUnavailable",
    "BindingFailed",
    "BindingResponse",
    "Client",
    "ComponentNotFound",
    "ComponentTypeNotInstalled",
    "Concurrency",
    "ConfigurationError",
    "Consistency",
    "EtagMismatch",
    "EventNotFound",
    "FailureDetails",
    "FlowyardError",
    "InstanceAlreadyExists",
    "InstanceNotClosed",
    "InstanceNotFound",
    "InstancePage",
    "InstanceQuery",
    "InvalidEtag",
    "InvalidInstanceId",
    "InvalidRequest",
    "InvocationFailed",
    "InvokeMethodResponse",
    "NonDeterminismError",
    "NonRetryableError",
    "PayloadError",
    "RegistrationError",
    "RerunRequest",
    "RetryPolicy",
    "ReusePolicy",
    "Runtime",
    "SecretNotFound",
    "StartRequest",
    "StateItem",
    "StateOptions",
    "StateResponse",
    "SyncClient",
    "SyncRuntime",
    "Task",
    "TaskFailedError",
    "TransactionOperationType",
    "TransactionalStateOperation",
    "UnsupportedOperation",
    "WorkflowCodeError",
    "WorkflowContext",
    "WorkflowFailed",
    "WorkflowNotRegistered",
    "WorkflowState",
    "WorkflowStatus",
    "when_all",
    "when_any",
]

# Lazy: most programs have no component of another building block.
_LAZY = {
    "backend.binding": ("BindingResponse",),
    "backend.state_store": ("Concurrency", "Consistency", "StateOptions"),
    "calls.items": (
        "StateItem",
        "StateResponse",
        "TransactionOperationType",
        "TransactionalStateOperation",
    ),
    "calls.responses": ("InvokeMethodResponse",),
}

if not TYPE_CHECKING:  # a type checker would believe in any name

    def __getattr__(name: str) -> object:
        for module, names in _LAZY.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

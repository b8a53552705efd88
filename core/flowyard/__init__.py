"""One workflow API over any workflow engine."""

from flowyard.app import App
from flowyard.context import ActivityContext, WorkflowContext
from flowyard.errors import (
    ActivityNotRegistered,
    BackendUnavailable,
    ComponentNotFound,
    ConfigurationError,
    FlowyardError,
    InstanceAlreadyExists,
    InstanceNotClosed,
    InstanceNotFound,
    InvalidRequest,
    NonDeterminismError,
    NonRetryableError,
    PayloadError,
    RegistrationError,
    TaskFailedError,
    UnsupportedOperation,
    WorkflowCodeError,
    WorkflowFailed,
    WorkflowNotRegistered,
)
from flowyard.models import (
    FailureDetails,
    InstancePage,
    InstanceQuery,
    ReusePolicy,
    StartRequest,
    WorkflowState,
    WorkflowStatus,
)
from flowyard.retry import RetryPolicy
from flowyard.runtime import Runtime
from flowyard.sync import SyncRuntime
from flowyard.task import Task, when_all, when_any

__all__ = [
    "ActivityContext",
    "ActivityNotRegistered",
    "App",
    "BackendUnavailable",
    "ComponentNotFound",
    "ConfigurationError",
    "FailureDetails",
    "FlowyardError",
    "InstanceAlreadyExists",
    "InstanceNotClosed",
    "InstanceNotFound",
    "InstancePage",
    "InstanceQuery",
    "InvalidRequest",
    "NonDeterminismError",
    "NonRetryableError",
    "PayloadError",
    "RegistrationError",
    "RetryPolicy",
    "ReusePolicy",
    "Runtime",
    "StartRequest",
    "SyncRuntime",
    "Task",
    "TaskFailedError",
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

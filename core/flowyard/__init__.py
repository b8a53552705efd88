"""One workflow API over any workflow engine."""

from flowyard.app import App
from flowyard.client import Client
from flowyard.context import ActivityContext, WorkflowContext
from flowyard.errors import (
    AccessDenied,
    ActivityNotRegistered,
    BackendUnavailable,
    ComponentNotFound,
    ConfigurationError,
    FlowyardError,
    InstanceAlreadyExists,
    InstanceNotClosed,
    InstanceNotFound,
    InvalidInstanceId,
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
from flowyard.sync import SyncClient, SyncRuntime
from flowyard.task import Task, when_all, when_any

__all__ = [
    "AccessDenied",
    "ActivityContext",
    "ActivityNotRegistered",
    "App",
    "BackendUnavailable",
    "Client",
    "ComponentNotFound",
    "ConfigurationError",
    "FailureDetails",
    "FlowyardError",
    "InstanceAlreadyExists",
    "InstanceNotClosed",
    "InstanceNotFound",
    "InstancePage",
    "InstanceQuery",
    "InvalidInstanceId",
    "InvalidRequest",
    "NonDeterminismError",
    "NonRetryableError",
    "PayloadError",
    "RegistrationError",
    "RetryPolicy",
    "ReusePolicy",
    "Runtime",
    "StartRequest",
    "SyncClient",
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

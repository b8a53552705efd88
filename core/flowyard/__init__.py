"""One workflow API over any workflow engine."""

from flowyard.client import Client
from flowyard.errors import (
    AccessDenied,
    ActivityNotRegistered,
    BackendUnavailable,
    ComponentNotFound,
    ConfigurationError,
    EventNotFound,
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

__all__ = [
    "AccessDenied",
    "ActivityContext",
    "ActivityNotRegistered",
    "App",
    "BackendUnavailable",
    "Client",
    "ComponentNotFound",
    "ConfigurationError",
    "EventNotFound",
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
    "RerunRequest",
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

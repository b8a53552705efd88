import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import wrappers_pb2 as _wrappers_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Nothing(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WorkflowInstance(_message.Message):
    __slots__ = ("instance_id", "execution_id")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    execution_id: _wrappers_pb2.StringValue
    def __init__(self, instance_id: _Optional[str] = ..., execution_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class WorkflowVersion(_message.Message):
    __slots__ = ("patches", "name")
    PATCHES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    patches: _containers.RepeatedScalarFieldContainer[str]
    name: str
    def __init__(self, patches: _Optional[_Iterable[str]] = ..., name: _Optional[str] = ...) -> None: ...

class TaskFailureDetails(_message.Message):
    __slots__ = ("error_type", "error_message", "stack_trace", "inner_failure", "is_non_retriable")
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STACK_TRACE_FIELD_NUMBER: _ClassVar[int]
    INNER_FAILURE_FIELD_NUMBER: _ClassVar[int]
    IS_NON_RETRIABLE_FIELD_NUMBER: _ClassVar[int]
    error_type: str
    error_message: str
    stack_trace: _wrappers_pb2.StringValue
    inner_failure: TaskFailureDetails
    is_non_retriable: bool
    def __init__(self, error_type: _Optional[str] = ..., error_message: _Optional[str] = ..., stack_trace: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., inner_failure: _Optional[_Union[TaskFailureDetails, _Mapping]] = ..., is_non_retriable: bool = ...) -> None: ...

class ParentInstanceInfo(_message.Message):
    __slots__ = ("task_scheduled_id", "name", "workflow_instance")
    TASK_SCHEDULED_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_INSTANCE_FIELD_NUMBER: _ClassVar[int]
    task_scheduled_id: int
    name: _wrappers_pb2.StringValue
    workflow_instance: WorkflowInstance
    def __init__(self, task_scheduled_id: _Optional[int] = ..., name: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., workflow_instance: _Optional[_Union[WorkflowInstance, _Mapping]] = ...) -> None: ...

class TaskRouter(_message.Message):
    __slots__ = ("source_app_id", "target_app_id")
    SOURCE_APP_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_APP_ID_FIELD_NUMBER: _ClassVar[int]
    source_app_id: str
    target_app_id: str
    def __init__(self, source_app_id: _Optional[str] = ..., target_app_id: _Optional[str] = ...) -> None: ...

class PropagatedHistoryChunk(_message.Message):
    __slots__ = ("raw_events", "app_id", "instance_id", "workflow_name")
    RAW_EVENTS_FIELD_NUMBER: _ClassVar[int]
    APP_ID_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_NAME_FIELD_NUMBER: _ClassVar[int]
    raw_events: _containers.RepeatedScalarFieldContainer[bytes]
    app_id: str
    instance_id: str
    workflow_name: str
    def __init__(self, raw_events: _Optional[_Iterable[bytes]] = ..., app_id: _Optional[str] = ..., instance_id: _Optional[str] = ..., workflow_name: _Optional[str] = ...) -> None: ...

class PropagatedHistory(_message.Message):
    __slots__ = ("scope", "chunks")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    scope: int
    chunks: _containers.RepeatedCompositeFieldContainer[PropagatedHistoryChunk]
    def __init__(self, scope: _Optional[int] = ..., chunks: _Optional[_Iterable[_Union[PropagatedHistoryChunk, _Mapping]]] = ...) -> None: ...

class TimerOriginExternalEvent(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class TimerOriginActivityRetry(_message.Message):
    __slots__ = ("task_execution_id",)
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    def __init__(self, task_execution_id: _Optional[str] = ...) -> None: ...

class TimerOriginChildWorkflowRetry(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    def __init__(self, instance_id: _Optional[str] = ...) -> None: ...

class ExecutionStarted(_message.Message):
    __slots__ = ("name", "version", "input", "workflow_instance", "parent_instance", "scheduled_start_timestamp")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_INSTANCE_FIELD_NUMBER: _ClassVar[int]
    PARENT_INSTANCE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_START_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    workflow_instance: WorkflowInstance
    parent_instance: ParentInstanceInfo
    scheduled_start_timestamp: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., workflow_instance: _Optional[_Union[WorkflowInstance, _Mapping]] = ..., parent_instance: _Optional[_Union[ParentInstanceInfo, _Mapping]] = ..., scheduled_start_timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ExecutionCompleted(_message.Message):
    __slots__ = ("workflow_status", "result", "failure_details")
    WORKFLOW_STATUS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DETAILS_FIELD_NUMBER: _ClassVar[int]
    workflow_status: int
    result: _wrappers_pb2.StringValue
    failure_details: TaskFailureDetails
    def __init__(self, workflow_status: _Optional[int] = ..., result: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., failure_details: _Optional[_Union[TaskFailureDetails, _Mapping]] = ...) -> None: ...

class ExecutionTerminated(_message.Message):
    __slots__ = ("input", "recurse")
    INPUT_FIELD_NUMBER: _ClassVar[int]
    RECURSE_FIELD_NUMBER: _ClassVar[int]
    input: _wrappers_pb2.StringValue
    recurse: bool
    def __init__(self, input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., recurse: bool = ...) -> None: ...

class ExecutionSuspended(_message.Message):
    __slots__ = ("input",)
    INPUT_FIELD_NUMBER: _ClassVar[int]
    input: _wrappers_pb2.StringValue
    def __init__(self, input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class ExecutionResumed(_message.Message):
    __slots__ = ("input",)
    INPUT_FIELD_NUMBER: _ClassVar[int]
    input: _wrappers_pb2.StringValue
    def __init__(self, input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class ContinueAsNew(_message.Message):
    __slots__ = ("input",)
    INPUT_FIELD_NUMBER: _ClassVar[int]
    input: _wrappers_pb2.StringValue
    def __init__(self, input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class WorkflowStarted(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: WorkflowVersion
    def __init__(self, version: _Optional[_Union[WorkflowVersion, _Mapping]] = ...) -> None: ...

class TaskScheduled(_message.Message):
    __slots__ = ("name", "version", "input", "task_execution_id", "history_propagation_scope")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_PROPAGATION_SCOPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    task_execution_id: str
    history_propagation_scope: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., task_execution_id: _Optional[str] = ..., history_propagation_scope: _Optional[int] = ...) -> None: ...

class TaskCompleted(_message.Message):
    __slots__ = ("task_scheduled_id", "result", "task_execution_id")
    TASK_SCHEDULED_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    task_scheduled_id: int
    result: _wrappers_pb2.StringValue
    task_execution_id: str
    def __init__(self, task_scheduled_id: _Optional[int] = ..., result: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., task_execution_id: _Optional[str] = ...) -> None: ...

class TaskFailed(_message.Message):
    __slots__ = ("task_scheduled_id", "failure_details", "task_execution_id")
    TASK_SCHEDULED_ID_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DETAILS_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    task_scheduled_id: int
    failure_details: TaskFailureDetails
    task_execution_id: str
    def __init__(self, task_scheduled_id: _Optional[int] = ..., failure_details: _Optional[_Union[TaskFailureDetails, _Mapping]] = ..., task_execution_id: _Optional[str] = ...) -> None: ...

class ChildWorkflowInstanceCreated(_message.Message):
    __slots__ = ("instance_id", "name", "version", "input", "history_propagation_scope")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    HISTORY_PROPAGATION_SCOPE_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    history_propagation_scope: int
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., history_propagation_scope: _Optional[int] = ...) -> None: ...

class DetachedWorkflowInstanceCreated(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    def __init__(self, instance_id: _Optional[str] = ...) -> None: ...

class ChildWorkflowInstanceCompleted(_message.Message):
    __slots__ = ("task_scheduled_id", "result")
    TASK_SCHEDULED_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    task_scheduled_id: int
    result: _wrappers_pb2.StringValue
    def __init__(self, task_scheduled_id: _Optional[int] = ..., result: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class ChildWorkflowInstanceFailed(_message.Message):
    __slots__ = ("task_scheduled_id", "failure_details")
    TASK_SCHEDULED_ID_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DETAILS_FIELD_NUMBER: _ClassVar[int]
    task_scheduled_id: int
    failure_details: TaskFailureDetails
    def __init__(self, task_scheduled_id: _Optional[int] = ..., failure_details: _Optional[_Union[TaskFailureDetails, _Mapping]] = ...) -> None: ...

class TimerCreated(_message.Message):
    __slots__ = ("fire_at", "name", "create_timer", "external_event", "activity_retry", "child_workflow_retry")
    FIRE_AT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIMER_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_EVENT_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_RETRY_FIELD_NUMBER: _ClassVar[int]
    CHILD_WORKFLOW_RETRY_FIELD_NUMBER: _ClassVar[int]
    fire_at: _timestamp_pb2.Timestamp
    name: str
    create_timer: Nothing
    external_event: TimerOriginExternalEvent
    activity_retry: TimerOriginActivityRetry
    child_workflow_retry: TimerOriginChildWorkflowRetry
    def __init__(self, fire_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., name: _Optional[str] = ..., create_timer: _Optional[_Union[Nothing, _Mapping]] = ..., external_event: _Optional[_Union[TimerOriginExternalEvent, _Mapping]] = ..., activity_retry: _Optional[_Union[TimerOriginActivityRetry, _Mapping]] = ..., child_workflow_retry: _Optional[_Union[TimerOriginChildWorkflowRetry, _Mapping]] = ...) -> None: ...

class TimerFired(_message.Message):
    __slots__ = ("fire_at", "timer_id")
    FIRE_AT_FIELD_NUMBER: _ClassVar[int]
    TIMER_ID_FIELD_NUMBER: _ClassVar[int]
    fire_at: _timestamp_pb2.Timestamp
    timer_id: int
    def __init__(self, fire_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., timer_id: _Optional[int] = ...) -> None: ...

class EventSent(_message.Message):
    __slots__ = ("instance_id", "name", "input")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    input: _wrappers_pb2.StringValue
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class EventRaised(_message.Message):
    __slots__ = ("name", "input")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    name: str
    input: _wrappers_pb2.StringValue
    def __init__(self, name: _Optional[str] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class HistoryEvent(_message.Message):
    __slots__ = ("event_id", "timestamp", "execution_started", "execution_completed", "execution_terminated", "task_scheduled", "task_completed", "task_failed", "child_workflow_instance_created", "child_workflow_instance_completed", "child_workflow_instance_failed", "timer_created", "timer_fired", "workflow_started", "event_sent", "event_raised", "continue_as_new", "execution_suspended", "execution_resumed", "detached_workflow_instance_created", "router")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_STARTED_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_TERMINATED_FIELD_NUMBER: _ClassVar[int]
    TASK_SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    TASK_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    TASK_FAILED_FIELD_NUMBER: _ClassVar[int]
    CHILD_WORKFLOW_INSTANCE_CREATED_FIELD_NUMBER: _ClassVar[int]
    CHILD_WORKFLOW_INSTANCE_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    CHILD_WORKFLOW_INSTANCE_FAILED_FIELD_NUMBER: _ClassVar[int]
    TIMER_CREATED_FIELD_NUMBER: _ClassVar[int]
    TIMER_FIRED_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_STARTED_FIELD_NUMBER: _ClassVar[int]
    EVENT_SENT_FIELD_NUMBER: _ClassVar[int]
    EVENT_RAISED_FIELD_NUMBER: _ClassVar[int]
    CONTINUE_AS_NEW_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_RESUMED_FIELD_NUMBER: _ClassVar[int]
    DETACHED_WORKFLOW_INSTANCE_CREATED_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    event_id: int
    timestamp: _timestamp_pb2.Timestamp
    execution_started: ExecutionStarted
    execution_completed: ExecutionCompleted
    execution_terminated: ExecutionTerminated
    task_scheduled: TaskScheduled
    task_completed: TaskCompleted
    task_failed: TaskFailed
    child_workflow_instance_created: ChildWorkflowInstanceCreated
    child_workflow_instance_completed: ChildWorkflowInstanceCompleted
    child_workflow_instance_failed: ChildWorkflowInstanceFailed
    timer_created: TimerCreated
    timer_fired: TimerFired
    workflow_started: WorkflowStarted
    event_sent: EventSent
    event_raised: EventRaised
    continue_as_new: ContinueAsNew
    execution_suspended: ExecutionSuspended
    execution_resumed: ExecutionResumed
    detached_workflow_instance_created: DetachedWorkflowInstanceCreated
    router: TaskRouter
    def __init__(self, event_id: _Optional[int] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., execution_started: _Optional[_Union[ExecutionStarted, _Mapping]] = ..., execution_completed: _Optional[_Union[ExecutionCompleted, _Mapping]] = ..., execution_terminated: _Optional[_Union[ExecutionTerminated, _Mapping]] = ..., task_scheduled: _Optional[_Union[TaskScheduled, _Mapping]] = ..., task_completed: _Optional[_Union[TaskCompleted, _Mapping]] = ..., task_failed: _Optional[_Union[TaskFailed, _Mapping]] = ..., child_workflow_instance_created: _Optional[_Union[ChildWorkflowInstanceCreated, _Mapping]] = ..., child_workflow_instance_completed: _Optional[_Union[ChildWorkflowInstanceCompleted, _Mapping]] = ..., child_workflow_instance_failed: _Optional[_Union[ChildWorkflowInstanceFailed, _Mapping]] = ..., timer_created: _Optional[_Union[TimerCreated, _Mapping]] = ..., timer_fired: _Optional[_Union[TimerFired, _Mapping]] = ..., workflow_started: _Optional[_Union[WorkflowStarted, _Mapping]] = ..., event_sent: _Optional[_Union[EventSent, _Mapping]] = ..., event_raised: _Optional[_Union[EventRaised, _Mapping]] = ..., continue_as_new: _Optional[_Union[ContinueAsNew, _Mapping]] = ..., execution_suspended: _Optional[_Union[ExecutionSuspended, _Mapping]] = ..., execution_resumed: _Optional[_Union[ExecutionResumed, _Mapping]] = ..., detached_workflow_instance_created: _Optional[_Union[DetachedWorkflowInstanceCreated, _Mapping]] = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class ScheduleTaskAction(_message.Message):
    __slots__ = ("name", "version", "input", "task_execution_id", "history_propagation_scope")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_PROPAGATION_SCOPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    task_execution_id: str
    history_propagation_scope: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., task_execution_id: _Optional[str] = ..., history_propagation_scope: _Optional[int] = ...) -> None: ...

class CreateChildWorkflowAction(_message.Message):
    __slots__ = ("instance_id", "name", "version", "input", "history_propagation_scope")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    HISTORY_PROPAGATION_SCOPE_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    history_propagation_scope: int
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., history_propagation_scope: _Optional[int] = ...) -> None: ...

class CreateDetachedWorkflowAction(_message.Message):
    __slots__ = ("instance_id", "name", "version", "input", "scheduled_start_timestamp", "execution_id")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_START_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    scheduled_start_timestamp: _timestamp_pb2.Timestamp
    execution_id: _wrappers_pb2.StringValue
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., scheduled_start_timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., execution_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class CreateTimerAction(_message.Message):
    __slots__ = ("fire_at", "name", "create_timer", "external_event", "activity_retry", "child_workflow_retry")
    FIRE_AT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIMER_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_EVENT_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_RETRY_FIELD_NUMBER: _ClassVar[int]
    CHILD_WORKFLOW_RETRY_FIELD_NUMBER: _ClassVar[int]
    fire_at: _timestamp_pb2.Timestamp
    name: str
    create_timer: Nothing
    external_event: TimerOriginExternalEvent
    activity_retry: TimerOriginActivityRetry
    child_workflow_retry: TimerOriginChildWorkflowRetry
    def __init__(self, fire_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., name: _Optional[str] = ..., create_timer: _Optional[_Union[Nothing, _Mapping]] = ..., external_event: _Optional[_Union[TimerOriginExternalEvent, _Mapping]] = ..., activity_retry: _Optional[_Union[TimerOriginActivityRetry, _Mapping]] = ..., child_workflow_retry: _Optional[_Union[TimerOriginChildWorkflowRetry, _Mapping]] = ...) -> None: ...

class SendEventAction(_message.Message):
    __slots__ = ("instance", "name", "data")
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    instance: WorkflowInstance
    name: str
    data: _wrappers_pb2.StringValue
    def __init__(self, instance: _Optional[_Union[WorkflowInstance, _Mapping]] = ..., name: _Optional[str] = ..., data: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class CompleteWorkflowAction(_message.Message):
    __slots__ = ("workflow_status", "result", "details", "new_version", "carryover_events", "failure_details")
    WORKFLOW_STATUS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    NEW_VERSION_FIELD_NUMBER: _ClassVar[int]
    CARRYOVER_EVENTS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DETAILS_FIELD_NUMBER: _ClassVar[int]
    workflow_status: int
    result: _wrappers_pb2.StringValue
    details: _wrappers_pb2.StringValue
    new_version: _wrappers_pb2.StringValue
    carryover_events: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    failure_details: TaskFailureDetails
    def __init__(self, workflow_status: _Optional[int] = ..., result: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., details: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., new_version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., carryover_events: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ..., failure_details: _Optional[_Union[TaskFailureDetails, _Mapping]] = ...) -> None: ...

class TerminateWorkflowAction(_message.Message):
    __slots__ = ("instance_id", "reason", "recurse")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RECURSE_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    reason: _wrappers_pb2.StringValue
    recurse: bool
    def __init__(self, instance_id: _Optional[str] = ..., reason: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., recurse: bool = ...) -> None: ...

class WorkflowAction(_message.Message):
    __slots__ = ("id", "schedule_task", "create_child_workflow", "create_timer", "send_event", "complete_workflow", "terminate_workflow", "workflow_version_not_available", "create_detached_workflow", "router")
    ID_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TASK_FIELD_NUMBER: _ClassVar[int]
    CREATE_CHILD_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIMER_FIELD_NUMBER: _ClassVar[int]
    SEND_EVENT_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    TERMINATE_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_VERSION_NOT_AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    CREATE_DETACHED_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    id: int
    schedule_task: ScheduleTaskAction
    create_child_workflow: CreateChildWorkflowAction
    create_timer: CreateTimerAction
    send_event: SendEventAction
    complete_workflow: CompleteWorkflowAction
    terminate_workflow: TerminateWorkflowAction
    workflow_version_not_available: Nothing
    create_detached_workflow: CreateDetachedWorkflowAction
    router: TaskRouter
    def __init__(self, id: _Optional[int] = ..., schedule_task: _Optional[_Union[ScheduleTaskAction, _Mapping]] = ..., create_child_workflow: _Optional[_Union[CreateChildWorkflowAction, _Mapping]] = ..., create_timer: _Optional[_Union[CreateTimerAction, _Mapping]] = ..., send_event: _Optional[_Union[SendEventAction, _Mapping]] = ..., complete_workflow: _Optional[_Union[CompleteWorkflowAction, _Mapping]] = ..., terminate_workflow: _Optional[_Union[TerminateWorkflowAction, _Mapping]] = ..., workflow_version_not_available: _Optional[_Union[Nothing, _Mapping]] = ..., create_detached_workflow: _Optional[_Union[CreateDetachedWorkflowAction, _Mapping]] = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class GetWorkItemsRequest(_message.Message):
    __slots__ = ("max_concurrent_workflow_work_items", "max_concurrent_activity_work_items", "capabilities")
    MAX_CONCURRENT_WORKFLOW_WORK_ITEMS_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_ACTIVITY_WORK_ITEMS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    max_concurrent_workflow_work_items: int
    max_concurrent_activity_work_items: int
    capabilities: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, max_concurrent_workflow_work_items: _Optional[int] = ..., max_concurrent_activity_work_items: _Optional[int] = ..., capabilities: _Optional[_Iterable[int]] = ...) -> None: ...

class CachedHistory(_message.Message):
    __slots__ = ("event_count",)
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    event_count: int
    def __init__(self, event_count: _Optional[int] = ...) -> None: ...

class WorkflowRequest(_message.Message):
    __slots__ = ("instance_id", "execution_id", "past_events", "new_events", "propagated_history", "cached_history")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    PAST_EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEW_EVENTS_FIELD_NUMBER: _ClassVar[int]
    PROPAGATED_HISTORY_FIELD_NUMBER: _ClassVar[int]
    CACHED_HISTORY_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    execution_id: _wrappers_pb2.StringValue
    past_events: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    new_events: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    propagated_history: PropagatedHistory
    cached_history: CachedHistory
    def __init__(self, instance_id: _Optional[str] = ..., execution_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., past_events: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ..., new_events: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ..., propagated_history: _Optional[_Union[PropagatedHistory, _Mapping]] = ..., cached_history: _Optional[_Union[CachedHistory, _Mapping]] = ...) -> None: ...

class ActivityRequest(_message.Message):
    __slots__ = ("name", "version", "input", "workflow_instance", "task_id", "task_execution_id", "propagated_history")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_INSTANCE_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    PROPAGATED_HISTORY_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    workflow_instance: WorkflowInstance
    task_id: int
    task_execution_id: str
    propagated_history: PropagatedHistory
    def __init__(self, name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., workflow_instance: _Optional[_Union[WorkflowInstance, _Mapping]] = ..., task_id: _Optional[int] = ..., task_execution_id: _Optional[str] = ..., propagated_history: _Optional[_Union[PropagatedHistory, _Mapping]] = ...) -> None: ...

class WorkItem(_message.Message):
    __slots__ = ("workflow_request", "activity_request", "health_ping", "completion_token")
    WORKFLOW_REQUEST_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_REQUEST_FIELD_NUMBER: _ClassVar[int]
    HEALTH_PING_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    workflow_request: WorkflowRequest
    activity_request: ActivityRequest
    health_ping: Nothing
    completion_token: str
    def __init__(self, workflow_request: _Optional[_Union[WorkflowRequest, _Mapping]] = ..., activity_request: _Optional[_Union[ActivityRequest, _Mapping]] = ..., health_ping: _Optional[_Union[Nothing, _Mapping]] = ..., completion_token: _Optional[str] = ...) -> None: ...

class WorkflowResponse(_message.Message):
    __slots__ = ("instance_id", "actions", "custom_status", "completion_token", "num_events_processed", "version")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_STATUS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NUM_EVENTS_PROCESSED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    actions: _containers.RepeatedCompositeFieldContainer[WorkflowAction]
    custom_status: _wrappers_pb2.StringValue
    completion_token: str
    num_events_processed: _wrappers_pb2.Int32Value
    version: WorkflowVersion
    def __init__(self, instance_id: _Optional[str] = ..., actions: _Optional[_Iterable[_Union[WorkflowAction, _Mapping]]] = ..., custom_status: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., completion_token: _Optional[str] = ..., num_events_processed: _Optional[_Union[_wrappers_pb2.Int32Value, _Mapping]] = ..., version: _Optional[_Union[WorkflowVersion, _Mapping]] = ...) -> None: ...

class WorkflowResponseAddress(_message.Message):
    __slots__ = ("instance_id", "completion_token")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    completion_token: str
    def __init__(self, instance_id: _Optional[str] = ..., completion_token: _Optional[str] = ...) -> None: ...

class ActivityResponseAddress(_message.Message):
    __slots__ = ("instance_id", "task_id", "completion_token")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    task_id: int
    completion_token: str
    def __init__(self, instance_id: _Optional[str] = ..., task_id: _Optional[int] = ..., completion_token: _Optional[str] = ...) -> None: ...

class ActivityResponse(_message.Message):
    __slots__ = ("instance_id", "task_id", "result", "failure_details", "completion_token")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DETAILS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    task_id: int
    result: _wrappers_pb2.StringValue
    failure_details: TaskFailureDetails
    completion_token: str
    def __init__(self, instance_id: _Optional[str] = ..., task_id: _Optional[int] = ..., result: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., failure_details: _Optional[_Union[TaskFailureDetails, _Mapping]] = ..., completion_token: _Optional[str] = ...) -> None: ...

class CreateInstanceRequest(_message.Message):
    __slots__ = ("instance_id", "name", "version", "input", "scheduled_start_timestamp", "enforce_unique_instance_id", "router")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_START_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    ENFORCE_UNIQUE_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    scheduled_start_timestamp: _timestamp_pb2.Timestamp
    enforce_unique_instance_id: bool
    router: TaskRouter
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., scheduled_start_timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., enforce_unique_instance_id: bool = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class CreateInstanceResponse(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    def __init__(self, instance_id: _Optional[str] = ...) -> None: ...

class GetInstanceRequest(_message.Message):
    __slots__ = ("instance_id", "get_inputs_and_outputs", "router")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    GET_INPUTS_AND_OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    get_inputs_and_outputs: bool
    router: TaskRouter
    def __init__(self, instance_id: _Optional[str] = ..., get_inputs_and_outputs: bool = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class WorkflowState(_message.Message):
    __slots__ = ("instance_id", "name", "version", "workflow_status", "scheduled_start_timestamp", "created_timestamp", "last_updated_timestamp", "input", "output", "custom_status", "failure_details", "execution_id", "completed_timestamp", "parent_instance_id")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_STATUS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_START_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    CREATED_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    LAST_UPDATED_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_STATUS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DETAILS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    PARENT_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    workflow_status: int
    scheduled_start_timestamp: _timestamp_pb2.Timestamp
    created_timestamp: _timestamp_pb2.Timestamp
    last_updated_timestamp: _timestamp_pb2.Timestamp
    input: _wrappers_pb2.StringValue
    output: _wrappers_pb2.StringValue
    custom_status: _wrappers_pb2.StringValue
    failure_details: TaskFailureDetails
    execution_id: _wrappers_pb2.StringValue
    completed_timestamp: _timestamp_pb2.Timestamp
    parent_instance_id: _wrappers_pb2.StringValue
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., workflow_status: _Optional[int] = ..., scheduled_start_timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_updated_timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., output: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., custom_status: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., failure_details: _Optional[_Union[TaskFailureDetails, _Mapping]] = ..., execution_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., completed_timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., parent_instance_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class GetInstanceResponse(_message.Message):
    __slots__ = ("exists", "workflow_state")
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_STATE_FIELD_NUMBER: _ClassVar[int]
    exists: bool
    workflow_state: WorkflowState
    def __init__(self, exists: bool = ..., workflow_state: _Optional[_Union[WorkflowState, _Mapping]] = ...) -> None: ...

class RaiseEventRequest(_message.Message):
    __slots__ = ("instance_id", "name", "input", "router")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    input: _wrappers_pb2.StringValue
    router: TaskRouter
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class TerminateRequest(_message.Message):
    __slots__ = ("instance_id", "output", "recursive", "router")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    RECURSIVE_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    output: _wrappers_pb2.StringValue
    recursive: bool
    router: TaskRouter
    def __init__(self, instance_id: _Optional[str] = ..., output: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., recursive: bool = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class SuspendRequest(_message.Message):
    __slots__ = ("instance_id", "reason", "router")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    reason: _wrappers_pb2.StringValue
    router: TaskRouter
    def __init__(self, instance_id: _Optional[str] = ..., reason: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ("instance_id", "reason", "router")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    reason: _wrappers_pb2.StringValue
    router: TaskRouter
    def __init__(self, instance_id: _Optional[str] = ..., reason: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class PurgeInstanceFilter(_message.Message):
    __slots__ = ("created_time_from", "created_time_to", "runtime_status")
    CREATED_TIME_FROM_FIELD_NUMBER: _ClassVar[int]
    CREATED_TIME_TO_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_STATUS_FIELD_NUMBER: _ClassVar[int]
    created_time_from: _timestamp_pb2.Timestamp
    created_time_to: _timestamp_pb2.Timestamp
    runtime_status: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, created_time_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_time_to: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., runtime_status: _Optional[_Iterable[int]] = ...) -> None: ...

class PurgeInstancesRequest(_message.Message):
    __slots__ = ("instance_id", "purge_instance_filter", "recursive", "force", "router")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    PURGE_INSTANCE_FILTER_FIELD_NUMBER: _ClassVar[int]
    RECURSIVE_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    purge_instance_filter: PurgeInstanceFilter
    recursive: bool
    force: bool
    router: TaskRouter
    def __init__(self, instance_id: _Optional[str] = ..., purge_instance_filter: _Optional[_Union[PurgeInstanceFilter, _Mapping]] = ..., recursive: bool = ..., force: bool = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class PurgeInstancesResponse(_message.Message):
    __slots__ = ("deleted_instance_count", "is_complete")
    DELETED_INSTANCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    IS_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    deleted_instance_count: int
    is_complete: _wrappers_pb2.BoolValue
    def __init__(self, deleted_instance_count: _Optional[int] = ..., is_complete: _Optional[_Union[_wrappers_pb2.BoolValue, _Mapping]] = ...) -> None: ...

class ListInstanceIDsRequest(_message.Message):
    __slots__ = ("continuation_token", "page_size")
    CONTINUATION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    continuation_token: str
    page_size: int
    def __init__(self, continuation_token: _Optional[str] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListInstanceIDsResponse(_message.Message):
    __slots__ = ("instance_ids", "continuation_token")
    INSTANCE_IDS_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    instance_ids: _containers.RepeatedScalarFieldContainer[str]
    continuation_token: str
    def __init__(self, instance_ids: _Optional[_Iterable[str]] = ..., continuation_token: _Optional[str] = ...) -> None: ...

class GetInstanceHistoryRequest(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    def __init__(self, instance_id: _Optional[str] = ...) -> None: ...

class GetInstanceHistoryResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ...) -> None: ...

class RerunWorkflowFromEventRequest(_message.Message):
    __slots__ = ("source_instance_id", "event_id", "new_instance_id", "input", "overwrite_input", "new_child_workflow_instance_id", "router")
    SOURCE_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    NEW_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OVERWRITE_INPUT_FIELD_NUMBER: _ClassVar[int]
    NEW_CHILD_WORKFLOW_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    source_instance_id: str
    event_id: int
    new_instance_id: str
    input: _wrappers_pb2.StringValue
    overwrite_input: bool
    new_child_workflow_instance_id: str
    router: TaskRouter
    def __init__(self, source_instance_id: _Optional[str] = ..., event_id: _Optional[int] = ..., new_instance_id: _Optional[str] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., overwrite_input: bool = ..., new_child_workflow_instance_id: _Optional[str] = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class RerunWorkflowFromEventResponse(_message.Message):
    __slots__ = ("new_instance_id",)
    NEW_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    new_instance_id: str
    def __init__(self, new_instance_id: _Optional[str] = ...) -> None: ...

from google.protobuf import any_pb2 as _any_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HttpVerb(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NONE: _ClassVar[HttpVerb]
    GET: _ClassVar[HttpVerb]
    HEAD: _ClassVar[HttpVerb]
    POST: _ClassVar[HttpVerb]
    PUT: _ClassVar[HttpVerb]
    DELETE: _ClassVar[HttpVerb]
    CONNECT: _ClassVar[HttpVerb]
    OPTIONS: _ClassVar[HttpVerb]
    TRACE: _ClassVar[HttpVerb]
    PATCH: _ClassVar[HttpVerb]
NONE: HttpVerb
GET: HttpVerb
HEAD: HttpVerb
POST: HttpVerb
PUT: HttpVerb
DELETE: HttpVerb
CONNECT: HttpVerb
OPTIONS: HttpVerb
TRACE: HttpVerb
PATCH: HttpVerb

class HttpExtension(_message.Message):
    __slots__ = ("verb", "querystring")
    VERB_FIELD_NUMBER: _ClassVar[int]
    QUERYSTRING_FIELD_NUMBER: _ClassVar[int]
    verb: HttpVerb
    querystring: str
    def __init__(self, verb: _Optional[_Union[HttpVerb, str]] = ..., querystring: _Optional[str] = ...) -> None: ...

class InvokeRequest(_message.Message):
    __slots__ = ("method", "data", "content_type", "http_extension")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    HTTP_EXTENSION_FIELD_NUMBER: _ClassVar[int]
    method: str
    data: _any_pb2.Any
    content_type: str
    http_extension: HttpExtension
    def __init__(self, method: _Optional[str] = ..., data: _Optional[_Union[_any_pb2.Any, _Mapping]] = ..., content_type: _Optional[str] = ..., http_extension: _Optional[_Union[HttpExtension, _Mapping]] = ...) -> None: ...

class InvokeResponse(_message.Message):
    __slots__ = ("data", "content_type")
    DATA_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    data: _any_pb2.Any
    content_type: str
    def __init__(self, data: _Optional[_Union[_any_pb2.Any, _Mapping]] = ..., content_type: _Optional[str] = ...) -> None: ...

class InvokeServiceRequest(_message.Message):
    __slots__ = ("id", "message")
    ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    id: str
    message: InvokeRequest
    def __init__(self, id: _Optional[str] = ..., message: _Optional[_Union[InvokeRequest, _Mapping]] = ...) -> None: ...

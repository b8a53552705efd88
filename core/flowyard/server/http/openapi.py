"""The OpenAPI document, made of the endpoints that are served."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from flowyard.models import WorkflowStatus
from flowyard.server.http.endpoints import Endpoint

_STRING = {"type": "string"}
_TEXT = {"type": ["string", "null"]}
_TIME = {"type": "string", "format": "date-time"}
_STATUS = {"enum": [str(status) for status in WorkflowStatus]}


def _object(required: Mapping[str, Any], **optional: Any) -> dict[str, Any]:
    properties = {**required, **optional}
    return {"type": "object", "properties": properties, "required": list(required)}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_SCHEMAS: Mapping[str, Any] = {
    "Error": _object(
        {"errorCode": _STRING, "message": _STRING}, details={"type": ["object", "array"]}
    ),
    "Empty": {"type": "object", "maxProperties": 0},
    "Started": _object({"instanceID": _STRING}),
    "Changed": _object({"changed": {"type": "boolean"}}),
    "Purged": _object({"purged": {"type": "integer"}}),
    "DaprState": _object(
        {
            "instanceID": _STRING,
            "workflowName": _STRING,
            "createdAt": _TIME,
            "lastUpdatedAt": _TIME,
            "runtimeStatus": _STATUS,
            "properties": {"type": "object", "additionalProperties": _STRING},
        }
    ),
    "Failure": _object(
        {"errorType": _STRING, "message": _STRING},
        stackTrace=_TEXT,
        cause={"anyOf": [_reference("Failure"), {"type": "null"}]},
        nonRetryable={"type": "boolean"},
        baseTypes={"type": "array", "items": {"type": "string"}},
    ),
    "State": _object(
        {
            "instanceID": _STRING,
            "workflow": _STRING,
            "status": _STATUS,
            "createdAt": _TIME,
            "lastUpdatedAt": _TIME,
            "input": _TEXT,
            "output": _TEXT,
            "customStatus": _TEXT,
            "failure": {"anyOf": [_reference("Failure"), {"type": "null"}]},
            "parentInstanceID": _TEXT,
            "detail": _TEXT,
        }
    ),
    "Page": _object(
        {
            "instances": {"type": "array", "items": _reference("State")},
            "continuationToken": _TEXT,
        }
    ),
    "History": _object({"events": {"type": "array", "items": _object({"type": _STRING})}}),
    "Value": {},
    "Values": {"type": "array", "items": _object({"key": _STRING})},
    "Secret": {"type": "object", "additionalProperties": _STRING},
    "Secrets": {"type": "object", "additionalProperties": _reference("Secret")},
    "Metadata": {"type": "object"},
    "Document": {"type": "object"},
}


def openapi(
    endpoints: Iterable[Endpoint], bodies: Mapping[str, type[BaseModel]], version: str
) -> dict[str, Any]:
    """Return the document."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path.replace("...}", "}"), {})[endpoint.method.lower()] = (
            _operation(endpoint)
        )
    given = {
        name: model.model_json_schema(ref_template="#/components/schemas/{model}")
        for name, model in bodies.items()
    }
    parts = {
        name: value for schema in given.values() for name, value in schema.pop("$defs", {}).items()
    }
    token = {"type": "apiKey", "in": "header", "name": "dapr-api-token"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Flowyard", "version": version},
        "paths": paths,
        "components": {
            "schemas": {**_SCHEMAS, **given, **parts},
            "securitySchemes": {"token": token},
        },
        # It is wanted only where the server was given one.
        "security": [{"token": []}, {}],
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    inside = re.findall(r"\{(\w+)", endpoint.path)
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": f"{endpoint.method.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', endpoint.path)}",
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": _STRING} for name in inside),
            *(
                {
                    "name": name,
                    "in": "query",
                    "description": value.description,
                    "schema": value.schema,
                }
                for name, value in endpoint.query.items()
            ),
        ],
        "responses": {
            str(status): _answer(status, schema)
            for status, schema in sorted({401: "text", **endpoint.answers}.items())
        },
    }
    if endpoint.body:
        operation["requestBody"] = {"content": _content(endpoint.body)}
    return operation


def _answer(status: int, schema: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if schema == "text":
        answer["content"] = {"text/plain": {"schema": _STRING}}
    elif schema:
        answer["content"] = {"application/json": {"schema": _reference(schema)}}
    if status == 401 and schema != "text":
        # Of the token it is the text, whatever the endpoint itself says with this status.
        answer["content"]["text/plain"] = {"schema": _STRING}
    return answer


def _content(body: str) -> dict[str, Any]:
    if body == "Payload":  # text of any kind, passed on as it is
        return {"*/*": {"schema": {}}}
    if body == "Anything":  # JSON that nobody reads
        return {"application/json": {"schema": {}}}
    return {"application/json": {"schema": _reference(body)}}

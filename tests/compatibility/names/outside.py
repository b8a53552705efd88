"""Names that people and programs outside give: over HTTP, and in components.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from flowyard import Runtime
from flowyard.config import ComponentSpec
from flowyard.config.block_settings import BLOCK_SETTINGS
from flowyard.config.plugins import installed_types
from flowyard.config.schema import components_schema
from flowyard.config.secret_stores import SETTINGS
from flowyard.config.settings import keys_of
from flowyard.server.http.application import HttpOptions, http_endpoints
from flowyard.server.http.instances import BODIES
from flowyard.server.http.openapi import openapi


async def http(folder: Path) -> dict[str, object]:
    """Return the paths with their parameters, and the keys of the JSON that comes and goes."""
    metadata = {"connectionString": f"sqlite:///{folder}/flowyard.db"}
    async with Runtime.open([ComponentSpec("orders", "workflow.engine", metadata=metadata)]) as one:
        document = openapi(http_endpoints(one, HttpOptions()), BODIES, "")
    schemas = document["components"]["schemas"]
    return {
        "endpoints": {
            f"{method.upper()} {path}": [
                one["name"] for one in operation["parameters"] if one["in"] == "query"
            ]
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        },
        "keys": {
            name: list(schema["properties"])
            for name, schema in schemas.items()
            if "properties" in schema
        },
    }


def yaml() -> dict[str, object]:
    """Return the keys of a component, and of the settings of each type."""
    types = [kind.type for kind in installed_types() if kind.type is not None]
    models = {kind.name: kind.settings for kind in types} | dict(SETTINGS)
    parts = components_schema(types)["$defs"]
    return {
        "keys": sorted({key for part in parts.values() for key in _keys(part)}),
        "settings": {
            name: [
                key for field, value in model.model_fields.items() for key in keys_of(field, value)
            ]
            for name, model in models.items()
        },
        "blocks": {
            block: [
                key for field, value in model.model_fields.items() for key in keys_of(field, value)
            ]
            for block, model in BLOCK_SETTINGS.items()
        },
    }


def _keys(schema: object) -> Iterator[str]:
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        if isinstance(properties, Mapping):
            yield from properties
        for part in schema.values():
            yield from _keys(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _keys(part)

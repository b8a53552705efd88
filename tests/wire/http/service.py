"""What the tests of the HTTP API talk to: an app, and a server of it in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel

from flowyard import ActivityContext, App, Runtime, WorkflowContext
from flowyard.backend import ComponentType
from flowyard.config import ComponentSpec
from flowyard.server.http.application import HttpOptions
from flowyard.server.http.server import Address, serve_http


class Order(BaseModel):
    """What the documentation orders."""

    Name: str
    Quantity: int
    TotalCost: float


def shop() -> App:
    """An app of a few workflows."""
    app = App()

    @app.activity
    async def refuse(ctx: ActivityContext, reason: str) -> None:
        raise ValueError(reason)

    @app.workflow(name="OrderProcessingWorkflow")
    async def process_typed_order(ctx: WorkflowContext, order: Order) -> dict[str, bool]:
        return {"Processed": bool(await ctx.wait_for_external_event("Approval"))}

    @app.workflow
    async def process_order(ctx: WorkflowContext, order: dict[str, str]) -> None:
        pass

    @app.workflow
    async def echo(ctx: WorkflowContext, value: Any = "nothing") -> Any:
        return value

    @app.workflow
    async def gate(ctx: WorkflowContext) -> Any:
        ctx.set_custom_status("at the gate")
        return await ctx.wait_for_external_event("go")

    @app.workflow
    async def parent(ctx: WorkflowContext) -> Any:
        return await ctx.call_child_workflow(gate, instance_id=f"{ctx.instance_id}:child")

    @app.workflow
    async def fail(ctx: WorkflowContext, reason: str) -> None:
        await ctx.call_activity(refuse, input=reason)

    return app


@dataclass(frozen=True, slots=True)
class Served:
    """A server in this process."""

    url: str
    runtime: Runtime
    stopping: asyncio.Event
    http: httpx.AsyncClient


def engine(name: str, folder: Path) -> ComponentSpec:
    """The built-in engine on a file of its own."""
    metadata = {"connectionString": f"sqlite:///{folder / name}.db"}
    return ComponentSpec(name=name, type="workflow.engine", metadata=metadata)


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    blocks: Sequence[ComponentSpec] = (),
    component_types: Sequence[ComponentType[Any, Any]] = (),
    **options: Any,
) -> AsyncIterator[Served]:
    """Serve two components, `orders` (the default) and `menus`, and blocks, on a free port."""
    chosen = HttpOptions(**options)
    specs = [engine("orders", folder), engine("menus", folder), *blocks]
    async with (
        Runtime.open(specs, shop(), component_types=component_types) as runtime,
        serve_http(runtime, Address(port=0), chosen) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        yield Served(url, runtime, chosen.stopping, http)

"""A front before the real server: with TLS, with tokens as Orkes has them, failing, or late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from servers.process import free_port
from temporal.certificates import Certificate

KEY, SECRET = "application", "open-sesame"


class Keeper(Protocol):
    """Somebody who looks at what comes and goes, and may keep it back."""

    async def admit(self, request: Request) -> None:
        """Return when the request may go to the server."""

    async def keep(self, request: Request, answer: httpx.Response) -> None:
        """Return when the answer may go out."""


class Unconfirmed:
    """The end of a task that has put this text out: the answer is kept back until let go."""

    def __init__(self, text: str) -> None:
        self.is_there = asyncio.Event()
        self.let_go = asyncio.Event()
        self._text = text

    async def admit(self, request: Request) -> None:
        """Let every request through."""

    async def keep(self, request: Request, answer: httpx.Response) -> None:
        """Keep the answer back if it is to the end of the task."""
        if request.url.path in ("/api/tasks", "/api/tasks/update-v2"):
            update = await request.json()
            if update["status"] == "COMPLETED" and self._text in str(update["outputData"]):
                self.is_there.set()
                await self.let_go.wait()


class Withheld:
    """The first task of a workflow that a poll brings: the answer is kept back until let go."""

    def __init__(self, workflow: str) -> None:
        self.workflow = workflow
        self.is_there = asyncio.Event()
        self.let_go = asyncio.Event()
        self.was_ended = asyncio.Event()
        """Set when the server has answered to who had polled it, and has ended it."""
        self._task_id: str | None = None

    async def admit(self, request: Request) -> None:
        """Keep polls back as long as the answer is: who waits for it shall get nothing else."""
        if "/tasks/poll/batch/" in request.url.path and self.is_there.is_set():
            await self.let_go.wait()

    async def keep(self, request: Request, answer: httpx.Response) -> None:
        """Keep the answer back if it brings the task; note if it is to the end of the task."""
        if "/tasks/poll/batch/" in request.url.path and self._task_id is None:
            brought = [task for task in answer.json() if task["workflowType"] == self.workflow]
            if brought:
                self._task_id = brought[0]["taskId"]
                self.is_there.set()
                await self.let_go.wait()
        elif request.url.path in ("/api/tasks", "/api/tasks/update-v2"):
            update = await request.json()
            if update.get("taskId") == self._task_id and update["status"] == "COMPLETED":
                self.was_ended.set()


@asynccontextmanager
async def proxied(
    server: str,
    *,
    port: int | None = None,
    certificate: Certificate | None = None,
    wants_token: bool = False,
    failing: list[str] | None = None,
    withheld: Keeper | None = None,
) -> AsyncIterator[str]:
    """Put a front before a server; lends the URL of its API.

    Of the methods in `failing`, one is struck off with each call that fails.
    """
    tokens: list[str] = []

    async def token(request: Request) -> Response:
        if await request.json() != {"keyId": KEY, "keySecret": SECRET}:
            return JSONResponse({"message": "no such key", "error": "INVALID_TOKEN"}, 401)
        tokens.append(f"token-{len(tokens)}")
        return JSONResponse({"token": tokens[-1]})

    async def forward(request: Request) -> Response:
        if wants_token and request.headers.get("X-Authorization") not in tokens[-1:]:
            return JSONResponse({"message": "no token", "error": "INVALID_TOKEN"}, 401)
        if failing and request.method in failing:
            failing.remove(request.method)
            return JSONResponse({"message": "[SQLITE_BUSY] The database file is locked"}, 500)
        if withheld is not None:
            await withheld.admit(request)
        answer = await client.request(
            request.method,
            f"{request.url.path}?{request.url.query}",
            content=await request.body(),
            headers={"Content-Type": "application/json"},
        )
        if withheld is not None:
            await withheld.keep(request, answer)
        kind = answer.headers.get("Content-Type")
        return Response(answer.content, answer.status_code, media_type=kind)

    async def expire(_request: Request) -> Response:
        tokens.append("another")
        return Response()

    methods = ["GET", "POST", "PUT", "DELETE"]
    app = Starlette(
        routes=[
            Route("/api/token", token, methods=["POST"]),
            Route("/expire", expire, methods=["POST"]),
            Route("/{path:path}", forward, methods=methods),
        ]
    )
    port = port or free_port()
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_config=None,
        lifespan="off",
        ssl_certfile=certificate.file if certificate is not None else None,
        ssl_keyfile=certificate.key if certificate is not None else None,
    )
    front = uvicorn.Server(config)
    async with httpx.AsyncClient(base_url=server) as client:
        serving = asyncio.create_task(front.serve())
        while not front.started:  # noqa: ASYNC110 - it has no event for that
            await asyncio.sleep(0.01)
        try:
            yield f"{'https' if certificate is not None else 'http'}://localhost:{port}/api"
        finally:
            front.should_exit = True
            await serving

"""A raw worker in a process of its own: `python -m chaos.workers.program ADDRESS`.

It tells on its output what it was handed and what was acknowledged, with the time of the machine's
monotonic clock, which all processes share. At SIGTERM it leaves its stream, and finishes what it
has in hand.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
import time
import traceback
import uuid

import grpc.aio

from chaos import hub
from chaos.lines import Reporter, report, report_to
from chaos.workers.replay import decide
from flowyard.wire.v1 import taskhub_pb2 as wire

_TURN_SECONDS = 0.05
_LONGEST_ACTIVITY = 0.06


class RawWorker:
    """Runs what it is handed, several at a time."""

    def __init__(self, address: str) -> None:
        self._hub = hub.Hub(hub.channel_to(address))
        self._running: set[asyncio.Task[None]] = set()
        self._is_leaving = False
        self._streams = 0

    async def run(self) -> None:
        """Work until SIGTERM; where the server goes, wait for the next one."""
        leaving = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leaving.set)
        working = asyncio.create_task(self._work())
        waiting = asyncio.create_task(leaving.wait())
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        self._is_leaving = True
        working.cancel()
        waiting.cancel()
        await asyncio.gather(working, waiting, *self._running, return_exceptions=True)
        await self._hub.close()

    async def _work(self) -> None:
        while True:
            self._streams += 1
            stream = self._hub.items(hub.HEALTH_PING)
            try:
                async for item in stream:
                    task = asyncio.create_task(self._do(item))
                    self._running.add(task)
                    task.add_done_callback(self._ended)
            except grpc.aio.AioRpcError:
                report("lost", time.monotonic())
            finally:
                self._streams += 1
                stream.cancel()
            await asyncio.sleep(0.05)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            traceback.print_exception(error)  # the driver finds it in the log

    async def _do(self, item: wire.WorkItem) -> None:
        try:
            if item.HasField("workflow_request"):
                await self._turn(item)
            elif item.HasField("activity_request"):
                await self._activity(item)
        except grpc.aio.AioRpcError as error:
            report("unanswered", error.code().name)

    async def _turn(self, item: wire.WorkItem) -> None:
        request = item.workflow_request
        await asyncio.sleep(_TURN_SECONDS * 2 * random.random())  # noqa: S311 - not for secrets
        actions = decide(request.instance_id, [*request.past_events, *request.new_events])
        await self._hub.answer(request.instance_id, item.completion_token, actions)

    async def _activity(self, item: wire.WorkItem) -> None:
        request = item.activity_request
        instance_id = request.workflow_instance.instance_id
        key = f"{instance_id} {request.task_execution_id} {request.task_id}"
        stream = self._streams
        report("began", key, time.monotonic())
        await asyncio.sleep(_LONGEST_ACTIVITY * random.random())  # noqa: S311 - the same
        token = uuid.uuid4().hex[:16]
        report("ran", key, token)
        await self._hub.result(
            instance_id, request.task_id, item.completion_token, json.dumps(token)
        )
        # Who has left, or lost its stream, was taken for dead: the task may have gone to another,
        # or be unknown to a server that has begun since.
        if not self._is_leaving and stream == self._streams:
            report("told", key, token, time.monotonic())


async def main(address: str) -> None:
    """Work for the server at an address."""
    await RawWorker(address).run()


if __name__ == "__main__":
    report_to(Reporter(sys.stdout.fileno(), lambda _: None))
    asyncio.run(main(sys.argv[1]))

"""A worker that misbehaves as the seed has it, and one that behaves."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import grpc.aio

from chaos import hub
from chaos.adversary.answers import Answers, Turn
from chaos.adversary.model import ACTIVITIES, WORKFLOWS, Model, name_of, payloads_of, word_of
from chaos.adversary.records import Result
from chaos.adversary.server import Serving
from flowyard.wire.v1 import taskhub_pb2 as wire

_GARBAGE = b"\xff\xff\xff\xff not a message"
FINISH = "finish"
_SHARE_OF_LACKING = 0.25
_SCHEDULED = "task_scheduled"
Key = tuple[str, int | None]


@dataclass(eq=False, slots=True)
class Delivery:
    """An item as it was handed out, and whether an answer to it has been sent that counts."""

    item: wire.WorkItem
    epoch: int
    is_answered: bool = False
    answering: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def key(self) -> Key:
        """What answers without a token name."""
        if self.item.HasField("workflow_request"):
            return self.item.workflow_request.instance_id, None
        request = self.item.activity_request
        return request.workflow_instance.instance_id, request.task_id


@dataclass(eq=False)
class Connection:
    """One stream on a channel of its own; what it has not answered when it is left is late."""

    server: Serving
    model: Model
    answers: Answers
    choices: random.Random
    sends_tokens: bool
    is_good: bool = False
    held: list[Delivery] = field(default_factory=list)
    late: list[Delivery] = field(default_factory=list)
    """What earlier connections have left unanswered."""
    terminate: Callable[[str], Awaitable[None]] | None = None
    closed: set[str] = field(default_factory=set)
    """Births that had closed before it came: no activity of theirs may be handed out."""
    share_of_later_versions: float = 0.0
    _playing: dict[asyncio.Task[None], None] = field(default_factory=dict)
    _answering: dict[Key, asyncio.Lock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._epoch = self.server.epoch
        name = self.model.word("worker ")
        self._trace = self.model.tracer(name if self.sends_tokens else f"{name} (no tokens)")
        self._hub = hub.Hub(self.server.channel(), 10, self._trace)
        self._stranger = hub.Hub(self.server.channel(), 10, self._trace)
        """A connection that is handed nothing."""
        choices = self.choices
        self._activity_of_version = ACTIVITIES[choices.random() < self.share_of_later_versions]
        names = (*WORKFLOWS, *ACTIVITIES)
        self._lacks = choices.choice(names) if choices.random() < _SHARE_OF_LACKING else ""
        """A name that this worker's code does not have."""
        if self.is_good:
            self._lacks = ""
        self._reading = asyncio.create_task(self._read())

    async def leave(self) -> list[Delivery]:
        """End the stream, and return what is unanswered; answers under way are given up."""
        self._trace("leaves")
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        for task in self._playing:
            task.cancel()
        ended = await asyncio.gather(*self._playing, return_exceptions=True)
        await self._hub.close()
        await self._stranger.close()
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, grpc.aio.AioRpcError):
                raise error
        return [held for held in self.held if not held.is_answered]

    async def _read(self) -> None:
        stream = self._hub.items(hub.HEALTH_PING)
        try:
            async for item in stream:
                if not item.HasField("health_ping"):
                    self._take(item)
        except grpc.aio.AioRpcError:
            return  # the server has gone
        finally:
            stream.cancel()

    def _take(self, item: wire.WorkItem) -> None:
        self._trace("is handed", item)
        delivery = Delivery(item, self._epoch)
        self.held.append(delivery)
        play = self._turn if item.HasField("workflow_request") else self._activity
        task = asyncio.create_task(play(delivery))
        self._playing[task] = None

    # Turns.

    async def _turn(self, delivery: Delivery) -> None:
        request = delivery.item.workflow_request
        word = self.model.see_history(request.instance_id, request.past_events, request.new_events)
        turn = Turn(
            request.instance_id,
            word,
            list(request.past_events),
            list(request.new_events),
            payloads_of(request.new_events),
            self._activity_of_version,
            self.sends_tokens,
        )
        if self.is_good:
            await self._behave(delivery, turn)
            return
        await asyncio.sleep(self.choices.choice((0.0, 0.002, 0.01, 0.03, 0.08)))
        kind = self.choices.random()
        if self._lacks and self._lacks == name_of([*turn.past, *turn.new]):
            await self._send(delivery, [hub.lacks_workflow(turn.next_id)])
        elif kind < 0.08 or not self._fits(turn):
            await self._send(delivery, [hub.version_not_available()])
        elif kind < 0.12:
            await self._garble("CompleteOrchestratorTask")
            await self._answer(delivery, turn)
        elif kind < 0.15:
            return  # never, or late
        elif kind < 0.25:
            await self._lie(delivery, turn)
            await self._answer(delivery, turn)
        elif kind < 0.32:
            await self._answer(delivery, turn)
            await self._repeat(delivery, turn)
        elif kind < 0.38:
            await self._ask_for_other(delivery, turn)
        else:
            await self._answer(delivery, turn)

    def _fits(self, turn: Turn) -> bool:
        """Whether a history may come of this version of the code."""
        names = {event.task_scheduled.name for event in turn.past if event.HasField(_SCHEDULED)}
        return names <= {self._activity_of_version}

    async def _answer(self, delivery: Delivery, turn: Turn) -> None:
        actions = self.answers.draw(turn)
        await self._send(delivery, actions)

    async def _behave(self, delivery: Delivery, turn: Turn) -> None:
        """End what was told to, and let everything else wait."""
        is_told = any(
            event.event_raised.name == FINISH
            for event in (*turn.past, *turn.new)
            if event.HasField("event_raised")
        )
        actions = []
        if is_told:
            actions.append(self.answers.end(turn, turn.next_id))
        await self._send(delivery, actions)

    async def _send(self, delivery: Delivery, actions: list[wire.WorkflowAction]) -> None:
        """Answer a turn as this worker does it: with its token, or without."""
        instance_id, _ = delivery.key
        await self._once(delivery, lambda token: self._hub.answer(instance_id, token, actions))

    async def _once(self, delivery: Delivery, answer: Callable[[str], Awaitable[None]]) -> None:
        """Answer with this worker's token, or without, unless another hand has."""
        async with self._in_order(delivery):
            if not delivery.is_answered:
                await self._answer_older(delivery)
                delivery.is_answered = True
                await answer(delivery.item.completion_token if self.sends_tokens else "")

    def _in_order(self, delivery: Delivery) -> asyncio.Lock:
        """A second answer must not overtake the first; without tokens, nor that to a later turn."""
        if self.sends_tokens:
            return delivery.answering
        return self._answering.setdefault(delivery.key, asyncio.Lock())

    async def _answer_older(self, delivery: Delivery) -> None:
        """Without tokens an answer is for the oldest of its key: leave none of them behind."""
        if self.sends_tokens:
            return
        instance_id, task_id = delivery.key
        for older in list(self.held):
            if older is delivery:
                return
            if older.key == delivery.key and not older.is_answered:
                older.is_answered = True
                if task_id is None:
                    await self._hub.answer(instance_id, "", [])
                else:
                    await self._result(older, instance_id, task_id, "", "")

    async def _lie(self, delivery: Delivery, turn: Turn) -> None:
        """Answer with a token that is not this turn's: nothing may come of it."""
        own = delivery.item.completion_token
        foreign = [held.item.completion_token for held in self.held if held.key != delivery.key]
        tokens = [f"x{own}", "made up", *foreign[-2:]]
        stale = [late for late in self.late if late.epoch < self._epoch]
        tokens += [late.item.completion_token for late in stale[-2:]]
        token = self.choices.choice(tokens)
        actions = self.answers.draw(turn, why_not=f"its token was {token!r}")
        await self._hub.answer(turn.instance_id, token, actions)

    async def _repeat(self, delivery: Delivery, turn: Turn) -> None:
        """Answer once more, and otherwise; without a token from where nothing was handed to."""
        await asyncio.sleep(self.choices.choice((0.0, 0.02)))
        actions = self.answers.draw(turn, why_not="it was the second answer")
        token = delivery.item.completion_token if self.sends_tokens else ""
        await self._again.answer(turn.instance_id, token, actions)

    @property
    def _again(self) -> hub.Hub:
        return self._hub if self.sends_tokens else self._stranger

    async def _ask_for_other(self, delivery: Delivery, turn: Turn) -> None:
        """Ask for a child with another's ID while that one ends, or while this one does."""
        others = [held for held in self.held if held.key[1] is None and not held.is_answered]
        others = [other for other in others if other.key[0] in self.answers.targets]
        others = [other for other in others if other.key[0] != turn.instance_id]
        target = self.choices.choice(self.answers.targets)
        side: Awaitable[None] | None = None
        if others:
            other = self.choices.choice(others)
            request = other.item.workflow_request
            word = word_of([*request.past_events, *request.new_events])
            ending = Turn(
                request.instance_id, word, list(request.past_events), list(request.new_events), []
            )
            end = self.answers.end(ending, ending.next_id)
            target, side = other.key[0], self._send(other, [end])
        elif self.terminate is not None:
            side = self.terminate(turn.instance_id)
        number = turn.next_id
        actions = [self.answers.child(turn, number, target)]
        if self.choices.random() < 0.2:
            actions.append(self.answers.end(turn, number + 1))
        asking = self._send(delivery, actions)
        await asyncio.gather(*([asking, side] if side is not None else [asking]))

    # Activities.

    async def _activity(self, delivery: Delivery) -> None:
        request = delivery.item.activity_request
        task = self.model.see_activity(request, self._epoch)
        origin = ""
        if task is not None and not task.outlives:
            origin = self.model.origin_of(task.execution)
        is_copy = request.workflow_instance.instance_id in self.model.copies
        if origin in self.closed and not is_copy:
            text = f"an activity of {delivery.key[0]}: its birth {origin} had closed"
            self.model.tell("handed out after the end", text)
        if self.is_good:
            await self._tell(delivery)
            return
        await asyncio.sleep(self.choices.choice((0.0, 0.005, 0.03, 0.2)))
        kind = self.choices.random()
        if self._lacks and self._lacks == request.name:
            await self._lack(delivery)
            return
        if kind < 0.10:
            return  # never, or late
        if kind < 0.20:
            await self._lie_of_activity(delivery)
        elif kind < 0.23:
            await self._garble("CompleteActivityTask")
        await self._tell(delivery)
        if kind > 0.85:
            instance_id, task_id = delivery.key
            token = delivery.item.completion_token if self.sends_tokens else ""
            why_not = "it was the second result"
            await self._result(delivery, instance_id, task_id or 0, token, why_not, self._again)

    async def tell_late(self) -> None:
        """Answer what an earlier connection was handed; with its token the first result counts."""
        late = [late for late in self.late if late.key[1] is not None and not late.is_answered]
        if late and self.sends_tokens:
            delivery = self.choices.choice(late)
            is_stale = delivery.epoch < self._epoch
            await self._tell(delivery, why_not="its server had gone" if is_stale else "")

    async def _tell(self, delivery: Delivery, why_not: str = "") -> None:
        """Answer an activity; with a reason why not, nothing may come of it."""
        instance_id, task_id = delivery.key
        await self._once(
            delivery,
            lambda token: self._result(delivery, instance_id, task_id or 0, token, why_not),
        )

    async def _lack(self, delivery: Delivery) -> None:
        instance_id, task_id = delivery.key
        await self._once(
            delivery, lambda token: self._hub.lacks_activity(instance_id, task_id or 0, token)
        )

    async def _lie_of_activity(self, delivery: Delivery) -> None:
        instance_id, task_id = delivery.key
        own = delivery.item.completion_token
        foreign = [held.item.completion_token for held in self.held if held.key != delivery.key]
        token = self.choices.choice([f"x{own}", "made up", *foreign[-2:]])
        await self._result(delivery, instance_id, task_id or 0, token, f"its token was {token!r}")

    async def _result(
        self,
        delivery: Delivery,
        instance_id: str,
        task_id: int,
        token: str,
        why_not: str,
        connection: hub.Hub | None = None,
    ) -> None:
        """Send a result; with a reason why not, nothing may come of it."""
        asked_with = json.loads(delivery.item.activity_request.input.value)
        asked = self.model.tasks.get(asked_with)
        word = self.model.word("r")
        execution = asked.execution if asked is not None else ""
        self.model.results[word] = Result(instance_id, execution, task_id, why_not)
        await (connection or self._hub).result(instance_id, task_id, token, json.dumps(word))
        if token and not why_not:
            self.model.kept[instance_id, asked_with] = self._epoch

    async def _garble(self, method: str) -> None:
        """Send what no server can read."""
        try:
            await self._hub.ask(method, _GARBAGE, wire.Nothing)
        except grpc.aio.AioRpcError as error:
            if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
                raise

"""What follows from turns beyond their instance: what is sent, who is started and who is told.

It is stored with the instance until it is stored with the others: see `Unsent` and `Received`.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from flowyard.backend.background_tasks import BackgroundTasks
from flowyard.backend.backlog import Received, Unsent
from flowyard.backend.backoff import Backoff
from flowyard.backend.history import (
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ExecutionCompleted,
    ExecutionStarted,
    HistoryEvent,
)
from flowyard.backend.host_instance import HostedInstance
from flowyard.backend.lineage import result_for_parent
from flowyard.clock import Clock
from flowyard.errors import (
    BackendUnavailable,
    FlowyardError,
    InstanceAlreadyExists,
    InstanceNotFound,
)
from flowyard.failure import FailureDetails
from flowyard.models import ReusePolicy

logger = logging.getLogger(__name__)
T = TypeVar("T")

# How long to wait before what could not be stored is tried again, in seconds.
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 5.0


class InstanceStore(Protocol):
    """Where a component keeps its instances.

    What a call refuses has not been done. The host raises `BackendUnavailable` and other errors for
    its own callers, and tries again where nobody waits for an answer.
    """

    async def find(self, instance_id: str) -> HostedInstance:
        """Return an instance, always the same object.

        Args:
            instance_id: The ID of the instance.

        Raises:
            InstanceNotFound: If there is none with this ID.
        """
        ...

    async def add(self, instance: HostedInstance, reuse: ReusePolicy) -> None:
        """Make a new instance and its backlog durable.

        Args:
            instance: The instance, which nobody else has yet.
            reuse: Whether a closed instance with its ID is replaced.

        Raises:
            InstanceAlreadyExists: If there is one that may not be replaced; it is left alone.
        """
        ...

    async def save(self, instance: HostedInstance, events: Sequence[HistoryEvent]) -> None:
        """Make durable what a turn has added to the history, and the backlog as it is now.

        `instance.backlog` is all that is still to be done: what has come and waits for a turn, and
        what was sent and is not known to be stored elsewhere. It replaces what was stored of it
        before. There are no events where only the backlog has changed. Nothing follows from what is
        being saved, and nobody is answered, until this returns. Only then is the same instance
        saved again.

        Args:
            instance: The instance, with its backlog.
            events: What the turn has added to the history.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Stored:
    """Something that was sent and is stored with its receiver, or came to nothing."""

    unsent: Unsent
    receiver: HostedInstance | None
    failure: FailureDetails | None = None


class Following(ABC):
    """Sends, starts and tells, in the order of an instance's turns; no host of its own."""

    def __init__(self, store: InstanceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._background = BackgroundTasks()

    @abstractmethod
    async def _deliver(
        self, instance: HostedInstance, *events: HistoryEvent, execution_id: str | None = None
    ) -> bool:
        """Run the turns that events cause."""

    @abstractmethod
    async def recover(self, instance: HostedInstance) -> None:
        """Take up an instance of an earlier host where that one left it."""

    async def settle(self, instance: HostedInstance) -> None:
        """Return once nothing that follows from a closed instance is stored with it alone.

        A component calls this before it removes the instance: with it would go what it has sent,
        and its parent would never be told how it ended.

        Args:
            instance: The closed instance, also one of an earlier host.

        Raises:
            BackendUnavailable: If the host ends meanwhile.
        """
        await self.recover(instance)
        if instance.following is not None:
            await asyncio.wait([instance.following])
            if instance.following.cancelled():
                raise BackendUnavailable(
                    "the component was closed: open it again, and repeat the call"
                )
        for confirmed in list(instance.received.values()):
            await confirmed.wait()

    async def finish(self, work: Coroutine[object, object, T]) -> T:
        """Do something with the store to its end, though who has asked for it is cancelled.

        What was cut off could still be under way when the store is called again. It is cancelled
        with the host.

        Args:
            work: The work, such as a purge.

        Returns:
            What the work returns; what it raises is raised.

        Raises:
            BackendUnavailable: If the host ends meanwhile.
        """
        task = self._background.run(work)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            asking = asyncio.current_task()
            if task.cancelled() and asking is not None and not asking.cancelling():
                raise BackendUnavailable(
                    "the component was closed: open it again, and repeat the call"
                ) from None
            raise
        return task.result()

    def _follow(
        self,
        instance: HostedInstance,
        sent: Sequence[Unsent],
        completion: ExecutionCompleted | None,
    ) -> None:
        """Do what follows from a turn once what follows from those before is done."""
        if sent or completion is not None:
            work = self._send_all(instance, instance.following, list(sent), completion)
            instance.following = self._background.run(work)

    async def _send_all(
        self,
        instance: HostedInstance,
        before: asyncio.Task[None] | None,
        sent: Sequence[Unsent],
        completion: ExecutionCompleted | None,
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        batch: list[_Stored] = []
        for unsent in sent:
            await self._surely(partial(self._send, instance, unsent, batch))
        await self._confirm(instance, batch)
        if completion is not None:
            await self._surely(partial(self._close, instance, completion))

    async def _send(self, instance: HostedInstance, unsent: Unsent, batch: list[_Stored]) -> None:
        event, mark = unsent.event, instance.mark_of(unsent)
        receiver, failure = await self._find(unsent.instance_id), None
        if isinstance(event, ExecutionStarted):
            if receiver is None or mark not in receiver.received:
                # What is active now may have closed, but not be settled, when the store looks.
                reuse = ReusePolicy.REJECT
                try:
                    if receiver is not None and receiver.status.is_closed:
                        await self._make_room(instance, receiver, batch)
                        reuse = ReusePolicy.REPLACE_CLOSED
                    receiver = HostedInstance(unsent.instance_id, event, self._clock.now())
                    receiver.received[mark] = asyncio.Event()
                    receiver.is_taken_up = True
                    await self._store.add(receiver, reuse)
                except BackendUnavailable:
                    raise
                except FlowyardError as error:
                    receiver, failure = None, FailureDetails.of(error)
                    if unsent.is_detached:
                        message = "instance '%s': detached workflow '%s' was not started: %s"
                        logger.warning(message, instance.id, event.workflow, error)
                else:
                    self._tell(receiver)
        elif receiver is not None:
            await self._post(receiver, event, mark=mark)
        batch.append(_Stored(unsent, receiver, failure))

    async def _make_room(
        self, instance: HostedInstance, closed: HostedInstance, batch: list[_Stored]
    ) -> None:
        """Have nothing be lost with a closed instance that is to be replaced."""
        await self._confirm(instance, batch)
        other: HostedInstance | None = closed
        while other is not None:
            if other is instance:
                # Each is to replace the other before that has started its own.
                raise InstanceAlreadyExists(closed.id, closed.status)
            other = other.waits_for
        instance.waits_for = closed
        try:
            await self.settle(closed)
        finally:
            instance.waits_for = None

    async def _confirm(self, instance: HostedInstance, batch: list[_Stored]) -> None:
        """Store that all of these need not be sent again, and how children have failed."""
        if not batch:
            return
        done = {instance.mark_of(sending.unsent) for sending in batch}
        async with instance.saving:
            instance.unsent = [
                unsent for unsent in instance.unsent if instance.mark_of(unsent) not in done
            ]
            failed = [
                ChildFailed(sending.unsent.id, sending.failure)
                for sending in batch
                if sending.failure is not None and not sending.unsent.is_detached
                if sending.unsent.execution_id == instance.started.execution_id
            ]
            instance.waiting += failed
        await self._surely(partial(self._save, instance))
        for sending in batch:
            mark = instance.mark_of(sending.unsent)
            instance.unconfirmed.discard(mark)
            if sending.receiver is not None:
                sending.receiver.confirm(mark)
        batch.clear()
        if failed:
            self._tell(instance)

    async def _close(self, instance: HostedInstance, completion: ExecutionCompleted) -> None:
        """Tell those whom the end of an instance concerns."""
        ended = instance.journal.terminated
        if ended is not None and ended.recursive:
            for created in instance.journal.children.values():
                child = await self._find(created.instance_id)
                # Somebody else may have the ID, and the answer that says so be on its way.
                if child is not None and _is_child(child, instance, created):
                    await self._post(child, ended)
        link = instance.parent
        if link is not None and (parent := await self._find(link.instance_id)) is not None:
            result = result_for_parent(link, instance.id, completion)
            await self._post(parent, result, execution_id=link.execution_id)

    async def _post(
        self,
        receiver: HostedInstance,
        event: HistoryEvent,
        *,
        execution_id: str | None = None,
        mark: Received | None = None,
    ) -> None:
        """Store an event with its receiver, whose next turn takes it; return once it is stored."""
        async with receiver.saving:
            if receiver.journal.is_closed or mark in receiver.received:
                return
            if execution_id not in {None, receiver.started.execution_id}:
                return
            answered = event.task_id if isinstance(event, ChildCompleted | ChildFailed) else None
            # A closed instance tells its parent again whenever it is taken up.
            if answered is not None and answered not in receiver.journal.children:
                return
            receiver.waiting.append(event)
            if mark is not None:
                receiver.received[mark] = asyncio.Event()
        await self._surely(partial(self._save, receiver))
        self._tell(receiver)

    async def _save(self, instance: HostedInstance) -> None:
        """Store the backlog as it is."""
        async with instance.saving:
            # What has closed may have been removed, and must not come back by that.
            if instance.status.is_closed and await self._find(instance.id) is not instance:
                return
            await self._store.save(instance, ())

    async def _find(self, instance_id: str) -> HostedInstance | None:
        try:
            return await self._store.find(instance_id)
        except InstanceNotFound:
            return None

    def _tell(
        self,
        instance: HostedInstance,
        *events: HistoryEvent,
        execution_id: str | None = None,
    ) -> None:
        """Deliver events, or what waits, for nobody who could be told that it failed."""
        turn = partial(self._deliver, instance, *events, execution_id=execution_id)
        self._background.run(self._surely(turn))

    async def _surely(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it again and again until it does not fail."""
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, 2.0)
        while True:
            try:
                return await work()
            except Exception:
                text = "the state of an instance was not saved; trying again in %g s"
                logger.exception(text, backoff.seconds)
            await backoff.sleep()


def _is_child(child: HostedInstance, parent: HostedInstance, created: ChildCreated) -> bool:
    """Whether it was this action that has started the instance."""
    link = child.parent
    return link is not None and (link.instance_id, link.execution_id, link.task_id) == (
        parent.id,
        parent.started.execution_id,
        created.id,
    )

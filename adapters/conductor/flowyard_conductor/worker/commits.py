"""Commits: what a step puts out is told to the server, and then the rest follows."""

from __future__ import annotations

from collections.abc import Sequence, Set

from flowyard.backend import BackgroundTasks, Clock, Executor, WorkflowStatus, closed, recorded
from flowyard_conductor.api.connection import Json
from flowyard_conductor.api.names import Names
from flowyard_conductor.api.tasks import Hold, Tasks
from flowyard_conductor.hosted.cache import InstanceCache
from flowyard_conductor.hosted.inbox import Inbox
from flowyard_conductor.hosted.instance import HostedInstance
from flowyard_conductor.hosted.parents import Parents
from flowyard_conductor.hosted.records import Outcome, Record, too_large, too_many
from flowyard_conductor.hosted.side_workflows import SideWorkflows
from flowyard_conductor.hosted.wakeups import Wakeups


class Commits:
    """Ends the steps of this process, each with its record."""

    def __init__(
        self,
        names: Names,
        tasks: Tasks,
        cache: InstanceCache,
        inbox: Inbox,
        side_workflows: SideWorkflows,
        parents: Parents,
        wakeups: Wakeups,
        executor: Executor,
        clock: Clock,
        background: BackgroundTasks,
    ) -> None:
        self._names = names
        self._tasks = tasks
        self._cache = cache
        self._inbox = inbox
        self._side_workflows = side_workflows
        self._parents = parents
        self._wakeups = wakeups
        self._executor = executor
        self._clock = clock
        self._background = background

    async def commit(
        self,
        instance: HostedInstance,
        task: Json,
        record: Record,
        hold: Hold,
        answered: Sequence[tuple[str, int]],
        side_workflows: Set[str],
    ) -> Json | None:
        """Put a record out, do what follows, and return the next task that the server hands out.

        `answered` are the activities that the step has run, and `side_workflows` those that the
        instance had before it.
        """
        iteration = int(task["iteration"])
        output = record.to_output(iteration)
        failure = too_large(output)
        if failure is None and record.outcome is None:
            failure = too_many(iteration)
        if failure is not None:
            # The server would lose the record, and the step be done again and again.
            ended = Outcome(WorkflowStatus.FAILED, None, failure, None)
            record = Record(record_id=record.record_id, outcome=ended, messages=record.messages)
            output = record.to_output(iteration)
        came = {message.key: message for message in instance.seen_messages}
        execution_id = instance.execution_id
        follows = self._names.activity if record.next == "activity" else self._names.step
        is_over = record.outcome is not None or record.next == "wait"
        with instance.settling():
            following = await self._tasks.complete(
                task,
                output,
                takes_next=not is_over and follows == task["taskType"],
            )
            for ended_in, task_id in answered:
                # Also where the server has dropped it: it has given the activity to somebody else.
                recorded(self._executor, instance.instance_id, ended_in, task_id)
            if record.outcome is not None or record.backlog is not None:
                closed(self._executor, instance.instance_id, execution_id)
            if not hold.is_sure:
                # Too late, the server drops an update and says that all is well.
                self._cache.drop(instance)
                return following
            instance.commit(record, iteration)
        if not is_over and following is None:
            self._tasks.expect(follows)
        if record.messages:
            taken = [came[key] for key in record.messages if key in came]
            self._background.run(self._inbox.remove(taken))
        if record.outcome is not None:
            # Should this process die now, the watchdog of the parent finds out.
            self._background.run(self._parents.tell(instance, record.outcome))
            for side in instance.side_workflows:
                if record.outcome.status is WorkflowStatus.TERMINATED:
                    self._background.run(self._side_workflows.end(side))
                else:
                    self._background.run(self._side_workflows.end_watchdog(side))
        for side in side_workflows - instance.side_workflows.keys():
            self._background.run(self._side_workflows.end_watchdog(side))
        if record.outcome is not None or record.stalled is not None:
            self._cache.drop(instance)
        elif instance.is_parked:
            await self._settle(instance)
        return following

    async def _settle(self, instance: HostedInstance) -> None:
        """See to it that an instance that waits is woken in time."""
        if instance.has_arrival:
            await self._wakeups.end_wait(instance)
            return
        due = instance.next_due()
        iteration = instance.iteration

        def ring() -> None:
            if instance.is_parked and instance.iteration == iteration:
                self._background.run(self._wakeups.end_wait(instance))

        instance.set_alarm(self._clock.call_at(due, ring) if due is not None else None)

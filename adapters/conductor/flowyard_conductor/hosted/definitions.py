"""Conductor definitions of a hosted instance, of its side tasks and of its messages.

They go with each start, so nothing has to be registered and nothing can be out of date.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowyard_conductor.api.id_locks import OWNER
from flowyard_conductor.api.names import Names
from flowyard_conductor.hosted import loop_condition as rounds
from flowyard_conductor.instances import Json

KEPT_STEPS = 60
"""How many steps the server keeps of an instance; a commit before has to tell all that was."""
FIRST = "step1"
"""Where the input of an instance has what the turn that began it has decided for the first step."""
WATCH = "watch"
"""What the watch of a side workflow, and of a message, is called there."""
# What the first step is (`null` for any other), and then what the step before says of the next.
_NEXT = "${workflow.input.step${steps.output.iteration}.next}${step.output.next}"
# The server times a task out and hands it out again as often as that, before the workflow fails.
_ATTEMPTS = 10_000


class Definitions:
    """Makes definitions for one task queue."""

    def __init__(self, names: Names, lease_seconds: int) -> None:
        self._names = names
        self._lease_seconds = lease_seconds

    def instance(self, workflow: str) -> Json:
        """Return the definition of an instance: steps, one after the other, until one ends it.

        What a step puts out says what the next one is, and for the first one the input of the
        workflow does. A lost step puts out nothing; then the next is a turn, which finds out. It is
        not retried, for its inputs would be evaluated again, now against itself.
        """
        step = {
            "name": "step",
            "taskReferenceName": "step",
            "type": "DYNAMIC",
            "dynamicTaskNameParam": "task",
            "optional": True,
            "taskDefinition": self._task("step", attempts=0),
            "inputParameters": {
                "task": f"${{steps.input.kinds.{_NEXT}}}",
                "activity": f"${{${{steps.input.sources.{_NEXT}}}.activity}}",
                "input": f"${{${{steps.input.sources.{_NEXT}}}.input}}",
                "cid": "${step.output.cid}",
                "rounds": rounds.GIVEN,
            },
        }
        steps = {
            "name": "steps",
            "taskReferenceName": "steps",
            "type": "DO_WHILE",
            "items": rounds.ITEMS,
            # The server wants a condition, and takes none of blanks for one.
            "loopCondition": " ",
            "loopOver": [step],
            "inputParameters": {
                "keepLastN": KEPT_STEPS,
                "kinds": {
                    "nullnull": self._names.step,
                    "nullactivity": self._names.activity,
                    "nullgate": self._names.gate,
                    "activitynull": self._names.activity,
                },
                "sources": {
                    "activitynull": f"workflow.input.{FIRST}",
                    "nullactivity": "step.output",
                },
                **rounds.inputs(),
            },
        }
        end = {
            "name": "end",
            "taskReferenceName": "end",
            "type": "SWITCH",
            "evaluatorType": "value-param",
            "expression": "end",
            "inputParameters": {"end": "${step.output.end}"},
            "decisionCases": {one: [_terminate(one)] for one in ("FAILED", "TERMINATED")},
            "defaultCase": [],
        }
        return _definition(
            self._names.definition(workflow),
            [steps, end],
            {"outcome": "${step.output.outcome}"},
            "workflow",
        )

    def side(self, activities: Sequence[int], watch_delay: int) -> Json:
        """Return the definition of activities that run beside an instance, with their watch.

        When the last of several has ended, a watch is due at once.
        """
        calls = [
            self._simple(
                f"t{one}", self._names.activity, {"call": f"${{workflow.input.calls.t{one}}}"}
            )
            for one in activities
        ]
        watch = self._simple(WATCH, self._names.watch, _WATCH_INPUT)
        watch["startDelay"] = watch_delay
        tasks: list[Json] = [watch]
        if calls:
            fork = {
                "name": "fork",
                "taskReferenceName": "fork",
                "type": "FORK_JOIN",
                "forkTasks": [[one] for one in (*calls, watch)],
            }
            join = {
                "name": "join",
                "taskReferenceName": "join",
                "type": "JOIN",
                "joinOn": [one["taskReferenceName"] for one in calls],
                "joinMode": "SYNC",
            }
            tasks = [fork, join]
            if len(calls) > 1:
                tasks.append(self._simple("all", self._names.watch, _WATCH_INPUT))
        return _definition(self._names.side, tasks, {}, "flowyard")

    def messages(self, watch_delay: int) -> Json:
        """Return the definition of an event on its way, which a watch sees through."""
        watch = self._simple(WATCH, self._names.watch, _WATCH_INPUT)
        watch["startDelay"] = watch_delay
        return _definition(self._names.messages, [watch], {}, "flowyard")

    def _simple(self, reference: str, kind: str, inputs: Json) -> Json:
        return {
            "name": kind,
            "taskReferenceName": reference,
            "type": "SIMPLE",
            "optional": True,
            "taskDefinition": self._task(kind, attempts=_ATTEMPTS),
            "inputParameters": inputs,
        }

    def _task(self, name: str, *, attempts: int) -> Json:
        return {
            "name": name,
            "ownerEmail": OWNER,
            "timeoutSeconds": 0,
            "responseTimeoutSeconds": self._lease_seconds,
            "retryCount": attempts,
            "retryDelaySeconds": 0,
        }


_WATCH_INPUT = {"workflow": "${workflow.input.workflow}"}


def _terminate(status: str) -> Json:
    return {
        "name": status.lower(),
        "taskReferenceName": status.lower(),
        "type": "TERMINATE",
        "inputParameters": {
            "terminationStatus": status,
            "terminationReason": "${step.output.outcome.reason}",
            "workflowOutput": {"outcome": "${step.output.outcome}"},
        },
    }


def _definition(name: str, tasks: list[Json], outputs: Json, classifier: str) -> Json:
    return {
        "name": name,
        "version": 1,
        "schemaVersion": 2,
        "ownerEmail": OWNER,
        "timeoutSeconds": 0,
        "timeoutPolicy": "ALERT_ONLY",
        "restartable": False,
        "tasks": tasks,
        "outputParameters": outputs,
        "metadata": {"classifier": classifier},
    }

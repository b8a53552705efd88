"""Conductor definitions of a hosted instance, of its side tasks and of its messages.

They go with each start, so nothing has to be registered and nothing can be out of date.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowyard_conductor.api.connection import Json
from flowyard_conductor.api.id_locks import OWNER
from flowyard_conductor.api.names import Names
from flowyard_conductor.hosted import loop_condition

KEPT_STEPS = 60
"""How many steps the server keeps of an instance; a commit before has to tell all that was."""
FIRST = "step1"
"""Where the input of an instance has what the turn that began it has decided for the first step."""
ACTIVITY = "activity"
"""What the reference names of activities in a side workflow begin with; the ID follows."""
WATCHDOG = "watchdog"
"""The reference name of the watchdog of a side workflow, and of a message."""
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
                "task": f"${{steps.input.taskTypes.{_NEXT}}}",
                "activity": f"${{${{steps.input.activitySources.{_NEXT}}}.activity}}",
                "input": f"${{${{steps.input.activitySources.{_NEXT}}}.input}}",
                "recordId": "${step.output.recordId}",
                "iterations": loop_condition.GIVEN,
            },
        }
        steps = {
            "name": "steps",
            "taskReferenceName": "steps",
            "type": "DO_WHILE",
            "items": loop_condition.ITEMS,
            # The server wants a condition, and takes none of blanks for one.
            "loopCondition": " ",
            "loopOver": [step],
            "inputParameters": {
                "keepLastN": KEPT_STEPS,
                "taskTypes": {
                    "nullnull": self._names.step,
                    "nullactivity": self._names.activity,
                    "nullwait": self._names.wait,
                    "activitynull": self._names.activity,
                },
                "activitySources": {
                    "activitynull": f"workflow.input.{FIRST}",
                    "nullactivity": "step.output",
                },
                **loop_condition.inputs(),
            },
        }
        end = {
            "name": "end",
            "taskReferenceName": "end",
            "type": "SWITCH",
            "evaluatorType": "value-param",
            "expression": "end",
            "inputParameters": {"end": "${step.output.end}"},
            "decisionCases": {status: [_terminate(status)] for status in ("FAILED", "TERMINATED")},
            "defaultCase": [],
        }
        return _definition(
            self._names.definition(workflow),
            [steps, end],
            {"outcome": "${step.output.outcome}"},
            "workflow",
        )

    def side_workflow(self, activities: Sequence[int], watchdog_delay: int) -> Json:
        """Return the definition of activities that run beside an instance, with their watchdog.

        When the last of several has ended, a watchdog is due at once.
        """
        calls = [
            self._simple(
                reference, self._names.activity, {"call": f"${{workflow.input.calls.{reference}}}"}
            )
            for reference in (f"{ACTIVITY}{activity}" for activity in activities)
        ]
        watchdog = self._simple(WATCHDOG, self._names.watchdog, _WATCHDOG_INPUT)
        watchdog["startDelay"] = watchdog_delay
        tasks: list[Json] = [watchdog]
        if calls:
            fork = {
                "name": "fork",
                "taskReferenceName": "fork",
                "type": "FORK_JOIN",
                "forkTasks": [[call] for call in (*calls, watchdog)],
            }
            join = {
                "name": "join",
                "taskReferenceName": "join",
                "type": "JOIN",
                "joinOn": [call["taskReferenceName"] for call in calls],
                "joinMode": "SYNC",
            }
            tasks = [fork, join]
            if len(calls) > 1:
                tasks.append(self._simple("allEnded", self._names.watchdog, _WATCHDOG_INPUT))
        return _definition(self._names.side_workflow, tasks, {}, "flowyard")

    def message(self, watchdog_delay: int) -> Json:
        """Return the definition of an event on its way, which a watchdog sees through."""
        watchdog = self._simple(WATCHDOG, self._names.watchdog, _WATCHDOG_INPUT)
        watchdog["startDelay"] = watchdog_delay
        return _definition(self._names.message, [watchdog], {}, "flowyard")

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


_WATCHDOG_INPUT = {"workflowId": "${workflow.input.workflowId}"}


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

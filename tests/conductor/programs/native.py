"""Ordinary conductor-python workers and definitions, that know nothing of Flowyard.

No `from __future__ import annotations` here: the SDK reads the types of functions as they are.

Argument: the URL of the API. Registers its definitions, says READY and works until it is killed.
"""

import sys
from threading import Event, Thread
from typing import Any

from conductor.client.automator.task_runner import TaskRunner
from conductor.client.configuration.configuration import Configuration
from conductor.client.orkes_clients import OrkesClients
from conductor.client.worker.worker import Worker


def double(value: int) -> dict[str, object]:
    """Double the value."""
    return {"value": 2 * value}


def refuse(value: str) -> dict[str, object]:
    """Fail."""
    raise ValueError(f"no stock of {value}")


def definition(name: str, tasks: list[dict[str, Any]], output: object = None) -> dict[str, Any]:
    """Return a definition that puts out what is given."""
    if output is not None:
        end = {
            "name": "end",
            "taskReferenceName": "end",
            "type": "TERMINATE",
            "inputParameters": {"terminationStatus": "COMPLETED", "workflowOutput": output},
        }
        tasks = [*tasks, end]
    return {
        "name": name,
        "version": 1,
        "schemaVersion": 2,
        "ownerEmail": "somebody@example.com",
        "timeoutSeconds": 0,
        "timeoutPolicy": "ALERT_ONLY",
        "tasks": tasks,
    }


def ended(status: str, output: object) -> dict[str, Any]:
    """Return a task that ends the workflow."""
    return task("end", "TERMINATE", terminationStatus=status, workflowOutput=output)


def task(reference: str, kind: str, name: str | None = None, **inputs: object) -> dict[str, Any]:
    """Return a task."""
    return {
        "name": name or reference,
        "taskReferenceName": reference,
        "type": kind,
        "inputParameters": inputs,
    }


WORKFLOWS = [
    definition("native-echo", [], "${workflow.input}"),
    definition("native-copy", [], "${workflow.input}"),
    definition("native-waiter", [task("go", "WAIT")], "${go.output}"),
    definition(
        "native-chain",
        [
            task("first", "SIMPLE", "native_double", value="${workflow.input.value}"),
            task("second", "SIMPLE", "native_double", value="${first.output.value}"),
        ],
        {"value": "${second.output.value}"},
    ),
    definition(
        "native-failing", [task("ask", "SIMPLE", "native_refuse", value="${workflow.input.value}")]
    ),
    definition(
        "native-approval",
        [
            {
                **task("remember", "SET_VARIABLE"),
                "inputParameters": {"asked": "${workflow.input.who}"},
            },
            task("Approval", "HUMAN"),
            task("later", "WAIT"),
        ],
        {"approval": "${Approval.output}", "later": "${later.output}"},
    ),
    definition(
        "native-parent",
        [
            {
                **task("child", "SUB_WORKFLOW"),
                "subWorkflowParam": {"name": "native-waiter", "version": 1},
            }
        ],
        "${child.output}",
    ),
    {**definition("native-echo", [], {"version": 2}), "version": 2},
    {
        **definition("native-order", [ended("FAILED", {"paid": False})]),
        "failureWorkflow": "native-compensation",
    },
    definition("native-compensation", [], {"compensated": True}),
    definition("native-stopping", [ended("TERMINATED", {"stopped": True})]),
    definition(
        "native-starter",
        [
            task("start", "START_WORKFLOW", startWorkflow={"name": "native-waiter", "version": 1}),
            task("stay", "WAIT"),
        ],
        {"ended": True},
    ),
    definition(
        "native-loop",
        [
            {
                **task("rounds", "DO_WHILE"),
                "items": "${workflow.input.rounds}",
                "loopCondition": " ",
                "loopOver": [task("go", "WAIT")],
            }
        ],
        {"done": True},
    ),
]


def main(url: str) -> None:
    """Register the definitions and run the workers."""
    configuration = Configuration(server_api_url=url)
    metadata = OrkesClients(configuration).get_metadata_client()
    for name in ("native_double", "native_refuse"):
        retries = {"retryCount": 0, "ownerEmail": "somebody@example.com", "timeoutSeconds": 0}
        metadata.metadataResourceApi.register_task_def([{"name": name, **retries}])
    metadata.metadataResourceApi.update1(WORKFLOWS)
    for name, function in (("native_double", double), ("native_refuse", refuse)):
        # In threads, for processes of their own would outlive this one when it is killed.
        runner = TaskRunner(Worker(name, function, poll_interval=50), configuration)
        Thread(target=runner.run, daemon=True).start()
    print("READY", flush=True)  # noqa: T201 - that is how the test knows
    Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])

"""conductor-python workers that are killed, and definitions of what `living.py` has its app do.

No `from __future__ import annotations` here: the SDK reads the types of functions as they are.
Argument: the URL of the API. Prints READY when it works, and the input of every task it begins.
"""

import sys
import time
from threading import Event, Thread
from typing import Any

from conductor.client.automator.task_runner import TaskRunner
from conductor.client.configuration.configuration import Configuration
from conductor.client.orkes_clients import OrkesClients
from conductor.client.worker.worker import Worker

from bench.conductor.recovery import LEASE_SECONDS, SECONDS

_OWNER = "bench@example.com"


def work(name: str) -> dict[str, object]:
    """Take as long as an activity of the shape does that the name begins with."""
    print(name, flush=True)
    time.sleep(SECONDS[name.split()[0]])
    return {}


def call(number: int) -> dict[str, Any]:
    """Return a task that calls the worker."""
    return {
        "name": "bench_work",
        "taskReferenceName": f"t{number}",
        "type": "SIMPLE",
        "inputParameters": {"name": f"${{workflow.input.name}} {number}"},
    }


def definition(name: str, tasks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a definition."""
    return {
        "name": f"bench_{name}",
        "version": 1,
        "schemaVersion": 2,
        "ownerEmail": _OWNER,
        "timeoutSeconds": 0,
        "timeoutPolicy": "ALERT_ONLY",
        "tasks": tasks,
    }


FORK = {
    "name": "fork",
    "taskReferenceName": "fork",
    "type": "FORK_JOIN",
    "forkTasks": [[call(number)] for number in range(20)],
}
JOIN = {
    "name": "join",
    "taskReferenceName": "join",
    "type": "JOIN",
    "joinOn": [f"t{number}" for number in range(20)],
}
CHILD = {
    "name": "steps",
    "taskReferenceName": "child",
    "type": "SUB_WORKFLOW",
    "inputParameters": {"name": "${workflow.input.name}"},
    "subWorkflowParam": {"name": "bench_steps", "version": 1},
}
WAIT = {"name": "go", "taskReferenceName": "go", "type": "WAIT"}
DEFINITIONS = [
    definition("steps", [call(number) for number in range(3)]),
    definition("fan", [FORK, JOIN]),
    definition("event", [WAIT, call(0)]),
    definition("child", [CHILD]),
]


def main(url: str) -> None:
    """Register the definitions and work until killed."""
    configuration = Configuration(server_api_url=url)
    metadata = OrkesClients(configuration).get_metadata_client().metadataResourceApi
    task = {
        "name": "bench_work",
        "ownerEmail": _OWNER,
        "timeoutSeconds": 0,
        "responseTimeoutSeconds": round(LEASE_SECONDS),
        "retryCount": 3,
        "retryDelaySeconds": 0,
    }
    metadata.register_task_def([task])
    metadata.update1(DEFINITIONS)
    worker = Worker("bench_work", work, poll_interval=50, thread_count=50)
    Thread(target=TaskRunner(worker, configuration).run, daemon=True).start()
    print("READY", flush=True)
    Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])

"""conductor-python workers and definitions that do what `bench.conductor` has its app do.

No `from __future__ import annotations` here: the SDK reads the types of functions as they are.
Argument: the URL of the API. Prints READY when it works.
"""

import sys
from threading import Event, Thread
from typing import Any

from conductor.client.automator.task_runner import TaskRunner
from conductor.client.configuration.configuration import Configuration
from conductor.client.orkes_clients import OrkesClients
from conductor.client.worker.worker import Worker

WIDTH = 100


def add(value: int) -> dict[str, object]:
    """Return the next number."""
    return {"value": value + 1}


def call(reference: str, value: object) -> dict[str, Any]:
    """Return a task that calls the worker."""
    inputs = {"value": value}
    return {
        "name": "bench_add",
        "taskReferenceName": reference,
        "type": "SIMPLE",
        "inputParameters": inputs,
    }


def definition(name: str, tasks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a definition."""
    return {
        "name": name,
        "version": 1,
        "schemaVersion": 2,
        "ownerEmail": "bench@example.com",
        "timeoutSeconds": 0,
        "timeoutPolicy": "ALERT_ONLY",
        "tasks": tasks,
    }


CHAIN = definition(
    "bench_chain",
    [
        call("a", "${workflow.input.value}"),
        call("b", "${a.output.value}"),
        call("c", "${b.output.value}"),
    ],
)
FAN_OUT = definition(
    "bench_fan_out",
    [
        {
            "name": "fork",
            "taskReferenceName": "fork",
            "type": "FORK_JOIN",
            "forkTasks": [[call(f"t{number}", number)] for number in range(WIDTH)],
        },
        {
            "name": "join",
            "taskReferenceName": "join",
            "type": "JOIN",
            "joinOn": [f"t{number}" for number in range(WIDTH)],
        },
    ],
)


def main(url: str) -> None:
    """Register the definitions and work until killed."""
    configuration = Configuration(server_api_url=url)
    metadata = OrkesClients(configuration).get_metadata_client().metadataResourceApi
    task = {"name": "bench_add", "ownerEmail": "bench@example.com", "timeoutSeconds": 0}
    metadata.register_task_def([task])
    metadata.update1([CHAIN, FAN_OUT])
    worker = Worker("bench_add", add, poll_interval=50, thread_count=50)
    Thread(target=TaskRunner(worker, configuration).run, daemon=True).start()
    print("READY", flush=True)
    Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])

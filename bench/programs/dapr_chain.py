"""The chain with Dapr's Python SDK, on any server; runs in a virtual environment of its own."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import dapr.ext.workflow as wf  # type: ignore[import-not-found]

_ALONE = 50


def add(_: object, value: int) -> int:
    """Return the next number."""
    return value + 1


def chain(ctx: Any, value: int) -> Generator[Any, Any, int]:
    """Add three times."""
    for _ in range(3):
        value = yield ctx.call_activity(add, input=value)
    return value


def main() -> None:
    """Print one measurement as JSON: `dapr_chain.py PORT COUNT AT_ONCE`."""
    port, count, at_once = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    runtime = wf.WorkflowRuntime(host="127.0.0.1", port=port)
    runtime.register_activity(add)
    runtime.register_workflow(chain)
    runtime.start()
    client = wf.DaprWorkflowClient(host="127.0.0.1", port=port)

    def run(_: int) -> float:
        began = time.perf_counter()
        instance_id = client.schedule_new_workflow(chain, input=0)
        state = client.wait_for_workflow_completion(instance_id, timeout_in_seconds=60)
        assert state.serialized_output == "3", state
        return time.perf_counter() - began

    run(0)
    alone = median(run(number) for number in range(_ALONE))
    with ThreadPoolExecutor(at_once) as threads:
        began = time.perf_counter()
        list(threads.map(run, range(count)))
        seconds = time.perf_counter() - began
    runtime.shutdown()
    print(json.dumps({"per_second": count / seconds, "milliseconds": alone * 1000}))


if __name__ == "__main__":
    main()

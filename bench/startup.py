"""What a new process costs: the import, the command, and the demo until its first activity."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import copy

from bench.backend import scratch
from bench.sample import Row, interleave
from bench.server import serving

_ROOT = Path(__file__).parent.parent
_IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
_COMMAND = "from flowyard.cli.main import main; main()"


def import_time(module: str) -> dict[str, float]:
    """Import a module in a new process."""
    command = [sys.executable, "-c", _IMPORT.format(module)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {"milliseconds": float(done.stdout) * 1000}


def processor_time(*arguments: str) -> dict[str, float]:
    """Run Python with these arguments in a new process until it ends."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"milliseconds": seconds * 1000}


def first_activity() -> dict[str, float]:
    """Run the demo in a folder of its own until its first activity has printed its line."""
    with scratch() as folder:
        copy(_ROOT / "components.yaml", folder)
        began = time.perf_counter()
        program = str(_ROOT / "examples" / "order_processing.py")
        with subprocess.Popen(
            [sys.executable, "-u", program], cwd=folder, stdout=subprocess.PIPE, text=True
        ) as demo:
            assert demo.stdout is not None
            # What an activity says is indented.
            assert any(line.startswith("  ") for line in demo.stdout)
            milliseconds = (time.perf_counter() - began) * 1000
            demo.kill()
    return {"milliseconds": milliseconds}


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare the import with that of pydantic, and the command with the import."""
    with scratch() as folder, serving(folder) as server:
        return _rows(rounds, f"http://{server.http}")


def _rows(rounds: int, url: str) -> list[Row]:
    start = ["start", "nothing", "--id", "there", "--url", url]
    subprocess.run([sys.executable, "-c", _COMMAND, *start], stdout=subprocess.DEVNULL, check=True)
    measured: dict[str, Callable[[], dict[str, float]]] = {
        "flowyard": partial(import_time, "flowyard"),
        "pydantic": partial(import_time, "pydantic"),
        "version": partial(processor_time, "-c", _COMMAND, "version"),
        "get": partial(processor_time, "-c", _COMMAND, "get", "there", "--url", url),
        "library": partial(processor_time, "-c", "import flowyard"),
        "demo": first_activity,
    }
    samples = {
        name: numbers["milliseconds"] for name, numbers in interleave(rounds, measured).items()
    }
    return [
        Row(
            "`import flowyard`",
            f"{samples['flowyard']} ms",
            f"`import pydantic`: {samples['pydantic']} ms",
            samples["flowyard"].over(samples["pydantic"]),
        ),
        Row(
            "`flowyard version`, processor time",
            f"{samples['version']} ms",
            f"`import flowyard`: {samples['library']} ms",
            samples["version"].over(samples["library"]),
            "at most 1.5",
        ),
        Row(
            "`flowyard get`, processor time",
            f"{samples['get']} ms",
            f"`import flowyard`: {samples['library']} ms",
            samples["get"].over(samples["library"]),
            "at most 1.5",
        ),
        Row("demo, cold start to first activity", f"{samples['demo']} ms", "", ""),
    ]

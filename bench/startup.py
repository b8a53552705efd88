"""What a new process costs: the import, and the time until the demo runs its first activity."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from shutil import copy

from bench.backend import scratch
from bench.sample import Row, interleave

_ROOT = Path(__file__).parent.parent
_IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def import_time(module: str) -> dict[str, float]:
    """Import a module in a new process."""
    command = [sys.executable, "-c", _IMPORT.format(module)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {"milliseconds": float(done.stdout) * 1000}


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
    """Compare the import with that of pydantic, and the demo with an empty Python program."""
    modules = {name: partial(import_time, name) for name in ("flowyard", "pydantic")}
    samples = {
        name: numbers["milliseconds"]
        for name, numbers in interleave(rounds, {**modules, "demo": first_activity}).items()
    }
    return [
        Row(
            "`import flowyard`",
            f"{samples['flowyard']} ms",
            f"`import pydantic`: {samples['pydantic']} ms",
            samples["flowyard"].over(samples["pydantic"]),
        ),
        Row("demo, cold start to first activity", f"{samples['demo']} ms", "", ""),
    ]

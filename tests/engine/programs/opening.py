"""Tries to open a file as an ordinary user, and says how it went. Argument: the file."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from flowyard import BackendUnavailable
from flowyard.backend.component import ComponentContext
from flowyard.clock import SystemClock
from flowyard_engine.plugin import ENGINE
from flowyard_engine.settings import EngineSettings

_NOBODY = 65534


async def main(file: str) -> None:
    # Without the plugins' entry points: nobody may not read them where root installed Python.
    settings = EngineSettings(connection_string=f"sqlite:///{file}")
    context = ComponentContext("orders", None, SystemClock(), logging.getLogger())
    try:
        async with ENGINE.open(settings, context):
            print("opened")  # noqa: T201 - that is how the test knows
    except BackendUnavailable as error:
        print(error)  # noqa: T201 - that is how the test knows


if __name__ == "__main__":
    if os.geteuid() == 0:
        # Root may write to every file.
        os.setuid(_NOBODY)
    asyncio.run(main(sys.argv[1]))

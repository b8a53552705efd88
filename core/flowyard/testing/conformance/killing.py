"""A process that is killed, once for all clauses of what is there afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from tempfile import TemporaryFile
from typing import Any, TypeAlias

import pytest

from flowyard.backend.component import Capability, ComponentType
from flowyard.config import ComponentSpec
from flowyard.testing.conformance.subject import OpenSubject, Subject
from flowyard.testing.killed import FAILED, SCENARIOS, Facts, Scenario
from flowyard.testing.probe import PATIENCE

Clause: TypeAlias = Callable[[Any, Subject, Facts], Awaitable[None]]
Aftermath: TypeAlias = Mapping[str, BaseException | None]
"""What each clause has found to be wrong, by the name of its test."""

_FOUND = pytest.StashKey[Aftermath | BaseException]()
"""What the first test of a class has found, for the others."""
_UNREACHABLE = (
    "component type '{type}' comes from the fixture `component_types`, where no other process "
    "finds it, so whether anything outlives a process that is killed cannot be shown. Say where "
    "it can be imported: override the fixture `importable_types` and return "
    "['package.module:NAME'], which names the ComponentType. If nothing is meant to outlive the "
    "component, declare Capability.VOLATILE."
)


def killed_after(scenario: Scenario) -> Callable[[Clause], Callable[..., Awaitable[None]]]:
    """Make a test of a clause that is given the component, opened again, and the facts.

    The clauses of a class run side by side, on one component: each test tells what its clause has
    found. So they need no more than one process that is killed, and wait for its end once.
    """

    def test_of(clause: Clause) -> Callable[..., Awaitable[None]]:
        async def test(self: object, aftermath: Aftermath) -> None:
            if (wrong := aftermath[clause.__name__]) is not None:
                raise wrong

        # Not by `functools.wraps`: pytest would look for the arguments of the clause.
        test.__name__, test.__qualname__ = clause.__name__, clause.__qualname__
        test.clause, test.scenario = clause, scenario  # type: ignore[attr-defined]
        needs = pytest.mark.flowyard_requires(Capability.HOSTING, *SCENARIOS[scenario])
        return pytest.mark.flowyard_lasting(needs(test))

    return test_of


class KillingFixtures:
    """The fixture `aftermath`."""

    @pytest.fixture
    async def aftermath(
        self,
        request: pytest.FixtureRequest,
        component_spec: ComponentSpec,
        component_types: Sequence[ComponentType[Any]],
        importable_types: Sequence[str],
        open_subject: OpenSubject,
        patience: timedelta,
    ) -> Aftermath:
        """What the clauses have found after the process was killed."""
        if len(importable_types) != len(component_types):
            pytest.fail(_UNREACHABLE.format(type=component_spec.type), pytrace=False)
        of_class = request.node.getparent(pytest.Class)
        assert of_class is not None
        if _FOUND not in of_class.stash:
            try:
                facts = await _kill(component_spec, importable_types, patience)
                async with open_subject() as subject:
                    of_class.stash[_FOUND] = await self._look(subject, facts)
            except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - raised below
                of_class.stash[_FOUND] = error
        found: Aftermath | BaseException = of_class.stash[_FOUND]
        if isinstance(found, BaseException):
            raise found
        return found

    async def _look(self, subject: Subject, facts: Mapping[str, Facts]) -> Aftermath:
        tests = [getattr(self, name) for name in dir(type(self)) if name.startswith("test_")]
        looks = {
            test.__name__: _look(self, test, subject, facts[test.scenario.__name__])
            for test in tests
            if hasattr(test, "clause") and test.scenario.__name__ in facts
        }
        return dict(zip(looks, await asyncio.gather(*looks.values()), strict=True))


async def _look(suite: object, test: Any, subject: Subject, facts: Facts) -> BaseException | None:
    if FAILED in facts:
        return AssertionError(f"before the process was killed:\n{facts[FAILED]}")
    try:
        await test.clause(suite, subject, facts)
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - raised by its test
        return error
    return None


async def _kill(
    spec: ComponentSpec, types: Sequence[str], patience: timedelta
) -> Mapping[str, Facts]:
    """Have the program run until it is killed, and return what it says was acknowledged."""
    opened = {"name": spec.name, "type": spec.type, "version": spec.version}
    given = {
        "spec": {**opened, "metadata": dict(spec.metadata)},
        "types": list(types),
        "patience": patience.total_seconds(),
    }
    with TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "flowyard.testing.killed"),
            # It finds what this process finds.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
        try:
            # What a scenario waits for in vain it gives up itself, after twice the patience.
            async with asyncio.timeout((PATIENCE + 2 * patience).total_seconds()):
                said, _ = await process.communicate(json.dumps(given, default=str).encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != -signal.SIGKILL:
            errors.seek(0)
            told = errors.read().decode(errors="replace")
            pytest.fail(
                f"the process should have been killed, but has ended by itself:\n{told}", False
            )
    found: Mapping[str, Facts] = json.loads(said)
    return found

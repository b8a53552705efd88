"""Workers of an SDK whose code has changed while instances are under way."""

from __future__ import annotations

from pathlib import Path

import pytest

from wire.sdk.environments import APPS, PYTHON_1_18, PYTHON_1_19, python_with
from wire.sdk.programs import connected, serving

# The first test makes an environment.
pytestmark = pytest.mark.timeout(1200)


@pytest.mark.parametrize("requirements", [PYTHON_1_18, PYTHON_1_19])
@pytest.mark.parametrize(
    ("began", "misfit", "fitting"),
    [
        ("v1", "v2", "v1"),
        ("v1", "v2", "patched"),
        ("patched", "v1", "patched"),
        ("marked", "v1", "marked"),
        ("first", "second", "first"),
        ("first", "second", "both"),
    ],
)
def test_an_instance_whose_code_has_changed_waits_for_a_worker_that_fits(
    requirements: tuple[str, ...], began: str, misfit: str, fitting: str, components: Path
) -> None:
    program = [python_with(*requirements), str(APPS / "dapr_python_versions.py")]
    with serving(components) as server:
        with connected([*program, began], server.port) as application:
            assert application.play("starting") == "RUNNING"
        with connected([*program, misfit], server.port) as application:
            application.play("releasing")
            assert application.play("stalling") == "STALLED"
            # The one that does not fit stays, and is asked as well.
            with connected([*program, fitting], server.port) as other:
                assert other.play("ending") == ["COMPLETED", "car shipped"]


@pytest.mark.parametrize("requirements", [PYTHON_1_18, PYTHON_1_19])
def test_an_activity_that_comes_before_a_wait_without_an_end_takes_its_number(
    requirements: tuple[str, ...], components: Path
) -> None:
    program = [python_with(*requirements), str(APPS / "dapr_python_versions.py")]
    with serving(components) as server:
        with connected([*program, "v1"], server.port) as application:
            assert application.play("starting") == "RUNNING"
        with connected([*program, "added"], server.port) as application:
            application.play("releasing")
            assert application.play("ending") == ["COMPLETED", "car shipped"]

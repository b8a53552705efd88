"""Applications of Dapr's workflow SDKs run unchanged."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backends import BACKENDS, backend, write_components
from wire.sdk.environments import (
    PYTHON_1_17,
    PYTHON_1_18,
    PYTHON_1_19,
    java_app,
    node_app,
    python_app,
    python_with,
)
from wire.sdk.programs import connected, serving

HERE = Path(__file__).parent
SDKS: dict[str, Callable[[], list[str]]] = {
    "python-1.17": lambda: python_app(*PYTHON_1_17),
    "python-1.18": lambda: python_app(*PYTHON_1_18),
    "python-1.19": lambda: python_app(*PYTHON_1_19),
    "javascript": node_app,
    "java": java_app,
}
# The first test makes an environment.
pytestmark = pytest.mark.timeout(1200)

Scenario = Callable[[str], object]


@pytest.fixture(scope="module", params=SDKS)
def sdk(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=BACKENDS)
def shared_components(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The components file of a server for many tests."""
    folder = tmp_path_factory.mktemp("components")
    return write_components(backend(request.param, folder, request), folder)


@pytest.fixture(scope="module")
def scenario(sdk: str, shared_components: Path) -> Iterator[Scenario]:
    """Plays a scenario of the application and returns what came of it."""
    command = SDKS[sdk]()
    with (
        serving(shared_components) as server,
        connected(command, server.port) as application,
    ):
        yield application.play


def test_activities_follow_each_other(scenario: Scenario) -> None:
    assert scenario("chaining") == 4


def test_activities_run_side_by_side(scenario: Scenario) -> None:
    assert scenario("fanning_out") == sum(range(2, 22))


def test_an_activity_is_tried_again(scenario: Scenario) -> None:
    assert scenario("retrying") == 3


def test_children_return_to_their_parent_and_are_tried_again(scenario: Scenario) -> None:
    assert scenario("nesting") == [4, 3]


def test_an_event_and_its_timeout_race(scenario: Scenario) -> None:
    assert scenario("approving") == [{"by": "Ann"}, "too late"]


def test_a_timer_fires_when_its_time_has_come(scenario: Scenario) -> None:
    assert scenario("sleeping") is True


def test_a_paused_instance_keeps_its_event_even_if_paused_twice(scenario: Scenario) -> None:
    assert scenario("pausing") == ["SUSPENDED", 7]


def test_a_redundant_resume_does_no_harm(scenario: Scenario) -> None:
    assert scenario("resuming_what_runs") == 8


def test_a_terminated_instance_has_the_output_that_was_given(scenario: Scenario) -> None:
    assert scenario("terminating") == ["TERMINATED", "enough"]


def test_a_purged_instance_is_unknown(scenario: Scenario) -> None:
    assert scenario("purging") == ["COMPLETED", None]


# The client of the Java SDK has no way to read it.
@pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if sdk != "java"], indirect=True)
def test_the_custom_status_is_seen(scenario: Scenario) -> None:
    assert scenario("publishing") == ["waiting", "done"]


def test_a_workflow_continues_as_new_and_keeps_its_events(scenario: Scenario) -> None:
    assert scenario("continuing") == [4, "kept"]


def test_a_failure_reaches_the_caller(scenario: Scenario) -> None:
    answer = scenario("failing_for_good")
    assert isinstance(answer, list)
    status, message = answer
    assert status == "FAILED"
    assert "out of stock" in message


def test_a_megabyte_goes_there_and_back(scenario: Scenario) -> None:
    assert scenario("carrying_a_megabyte") is True


def test_the_id_of_an_active_instance_is_refused_and_of_a_closed_one_reused(
    scenario: Scenario,
) -> None:
    assert scenario("reusing_an_id") == [True, 4]


def test_an_unknown_instance_is_nothing(scenario: Scenario) -> None:
    assert scenario("asking_for_the_unknown") is None


@pytest.mark.parametrize("requirements", [PYTHON_1_18, PYTHON_1_19])
def test_our_messages_and_the_sdks_live_in_one_process(requirements: tuple[str, ...]) -> None:
    """Both have the same names in their schemas, ours in a package of its own."""
    python = python_with(*requirements)
    wire = HERE.parents[2] / "core" / "flowyard" / "wire" / "v1"
    program = (
        f"import sys; sys.path.insert(0, {str(wire)!r})\n"
        "import {0}\nimport {1}\nprint(taskhub_pb2.DESCRIPTOR.package)"
    )
    for order in (("dapr.ext.workflow", "taskhub_pb2"), ("taskhub_pb2", "dapr.ext.workflow")):
        done = subprocess.run(
            [python, "-c", program.format(*order)], capture_output=True, text=True, check=False
        )
        assert done.stdout == "flowyard.wire.v1\n", done.stderr


@pytest.mark.parametrize("requirements", [PYTHON_1_18, PYTHON_1_19])
def test_an_application_outlives_its_server(
    requirements: tuple[str, ...], components: Path
) -> None:
    command = python_app(*requirements)
    with serving(components) as server, connected(command, server.port) as application:
        application.play("beginning")
        server.kill()
        with serving(components, server.port):
            assert application.play("finishing") == 13


@pytest.mark.parametrize("requirements", [PYTHON_1_18, PYTHON_1_19])
def test_the_async_client_manages(requirements: tuple[str, ...], components: Path) -> None:
    command = [python_with(*requirements), str(HERE / "apps" / "dapr_python_async.py")]
    with (
        serving(components) as server,
        connected(command, server.port) as application,
    ):
        seen = application.play("managing")
    assert isinstance(seen, dict)
    expected: dict[str, object] = {
        "outputs": [3, 4, 5, 6, 7],
        "paused": "SUSPENDED",
        "event": "ahead",
        "terminated": "TERMINATED",
        "purged": None,
    }
    if requirements == PYTHON_1_19:
        own = [*(f"chain-{number}" for number in range(5)), "waiting"]
        # A Conductor server has those of other tests, too.
        seen["listed"] = [instance_id for instance_id in seen["listed"] if instance_id in own]
        expected["listed"] = own
        turn = ["WORKFLOW_STARTED", "TASK_COMPLETED"]
        call = ["TASK_SCHEDULED"]
        expected["history"] = [
            *["WORKFLOW_STARTED", "EXECUTION_STARTED", *call],
            *[*turn, *call, *turn, *call, *turn],
            "EXECUTION_COMPLETED",
        ]
    assert seen == expected


def test_the_general_client_manages(components: Path) -> None:
    command = [python_with(*PYTHON_1_17), str(HERE / "apps" / "dapr_python_client.py")]
    with (
        serving(components) as server,
        connected(command, server.port, server.http_port) as application,
    ):
        seen = application.play("managing")
    assert isinstance(seen, dict)
    assert "nowhere" in seen.pop("unknown component")
    assert seen == {
        "started": "order-1",
        "running": ["order-1", "approval"],
        "paused": "Suspended",
        "output": 42,
        "is_ordered": True,
        "purged": True,
        "terminated": ["Terminated", "5"],
        "metadata": "flowyard",
    }

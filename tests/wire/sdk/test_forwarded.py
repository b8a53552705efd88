"""Calls of Dapr's general client that Flowyard does not serve, and a daprd behind it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import backend, write_components
from wire.sdk.environments import APPS, PYTHON_1_19, python_with
from wire.sdk.programs import Application, connected, serving

# The first test makes an environment.
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Application, Application]]:
    """A client of a server, and the daprd behind that."""
    folder: Path = tmp_path_factory.mktemp("forwarded")
    components = write_components(backend("engine", folder, request), folder)
    program = [python_with(*PYTHON_1_19), str(APPS / "dapr_python_forwarded.py")]
    with connected([*program, "daprd"], 0) as daprd:
        dapr = f"grpc://127.0.0.1:{daprd.play('port')}"
        with (
            serving(components, arguments=("--dapr", dapr)) as server,
            connected([*program, "client"], server.port, server.http_port) as client,
        ):
            yield client, daprd


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("configuration", [["colour", "size"], "blue", True]),
        ("lock", [True, False, "lock_belongs_to_others"]),
        ("crypto", [True, True]),
        ("jobs", ["@daily", "NOT_FOUND", "job nightly is not known"]),
        ("conversation", "cba"),
        ("blocks", ["cba", {"to": "me"}, {"mail": "secret"}, "refused"]),
    ],
)
def test_a_call_reaches_the_daprd(
    pair: tuple[Application, Application], scenario: str, expected: object
) -> None:
    client, _ = pair
    assert client.play(scenario) == expected


def test_a_subscription_streams_both_ways(pair: tuple[Application, Application]) -> None:
    client, daprd = pair
    assert client.play("subscription") == [f"order {number}" for number in range(4)]
    assert daprd.play("acknowledged") == ["0", "1", "2", "published"]

"""A component of a block that cannot be opened: `ignoreErrors` and `initTimeout`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from flowyard.backend import Clock, ComponentContext, ComponentType, StateStore
from flowyard.blocks.blocks import Blocks
from flowyard.blocks.opening import open_blocks
from flowyard.clock import SystemClock
from flowyard.config import ComponentSpec, load_components
from flowyard.errors import BackendUnavailable, ConfigurationError
from flowyard_blocks.state.in_memory import InMemoryState

FOLDER = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: {name}}}
spec:
  type: {type}
  {spec}
"""


class Settings(BaseModel):
    """How the component behaves when it is opened."""

    model_config = ConfigDict(extra="forbid")

    trouble: str = ""


@asynccontextmanager
async def _open(settings: Settings, context: ComponentContext) -> AsyncIterator[StateStore]:
    match settings.trouble:
        case "away":
            raise BackendUnavailable("the store at secret.example does not answer")
        case "bug":
            raise ZeroDivisionError("division by zero")
        case "slow":
            await asyncio.Event().wait()
        case "its own time-out":
            raise TimeoutError("its own")
    yield InMemoryState(context.name, context.clock, context.machine)


TROUBLED = ComponentType("state.troubled", Settings, _open, frozenset())


def spec(trouble: str, **more: object) -> ComponentSpec:
    """A component that behaves so."""
    return ComponentSpec("cart", "state.troubled", metadata={"trouble": trouble}, **more)  # type: ignore[arg-type]


@asynccontextmanager
async def blocks(*specs: ComponentSpec) -> AsyncIterator[Blocks]:
    """Open them."""
    clock: Clock = SystemClock()
    async with open_blocks(specs, [TROUBLED], "orders", clock) as opened:
        yield opened


async def test_an_error_ends_the_opening() -> None:
    with pytest.raises(BackendUnavailable, match="does not answer"):
        async with blocks(spec("away")):
            pass
    with pytest.raises(ConfigurationError, match="key 'colour' is not known"):
        async with blocks(ComponentSpec("cart", "state.troubled", metadata={"colour": "blue"})):
            pass


@pytest.mark.parametrize("trouble", ["away", "bug", "slow", "its own time-out"])
async def test_with_ignore_errors_the_rest_is_opened(
    caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    soon = timedelta(milliseconds=1) if trouble == "slow" else timedelta(seconds=60)
    other = ComponentSpec("other", "state.in-memory")
    async with blocks(spec(trouble, ignore_errors=True, init_timeout=soon), other) as opened:
        assert set(opened.states) == set(opened.types) == {"other"}
        assert "the server's log says why" in opened.unserved["cart"]
        assert "secret.example" not in opened.unserved["cart"]
    (line,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "component 'cart': it could not be opened" in line.getMessage()
    assert ("ZeroDivisionError" in caplog.text) is (trouble == "bug")


async def test_with_ignore_errors_wrong_settings_are_ignored_too() -> None:
    wrong = ComponentSpec("cart", "state.troubled", metadata={"colour": "blue"}, ignore_errors=True)
    async with blocks(wrong) as opened:
        assert set(opened.unserved) == {"cart"}


async def test_an_opening_that_takes_too_long_is_told() -> None:
    with pytest.raises(BackendUnavailable, match=r"'cart': it was not open within 0\.01 s\.") as it:
        async with blocks(spec("slow", init_timeout=timedelta(milliseconds=10))):
            pass
    assert "spec.initTimeout" in str(it.value)


async def test_a_time_out_of_the_component_itself_is_its_own() -> None:
    with pytest.raises(TimeoutError, match="its own"):
        async with blocks(spec("its own time-out", init_timeout=timedelta(seconds=60))):
            pass


@pytest.mark.parametrize(
    ("written", "ignored", "seconds"),
    [
        ("version: v1", False, 5),
        ("ignoreErrors: true", True, 5),
        ('ignoreErrors: "False"', False, 5),
        ("initTimeout: 1m30s", False, 90),
        ('initTimeout: ""', False, 5),
    ],
)
def test_both_are_read_from_documents(
    tmp_path: Path, written: str, seconds: int, *, ignored: bool
) -> None:
    flows = FOLDER.format(name="flows", type="workflow.engine", spec="version: v1")
    cart = FOLDER.format(name="cart", type="state.in-memory", spec=written)
    (tmp_path / "a.yaml").write_text(f"{flows}---{cart}")
    (found,) = load_components(tmp_path).blocks
    assert (found.ignore_errors, found.init_timeout.total_seconds()) == (ignored, seconds)


@pytest.mark.parametrize("written", ["ignoreErrors: maybe", "initTimeout: 5", "initTimeout: soon"])
def test_what_neither_is_is_refused(tmp_path: Path, written: str) -> None:
    (tmp_path / "a.yaml").write_text(
        FOLDER.format(name="cart", type="state.in-memory", spec=written)
    )
    with pytest.raises(ConfigurationError, match=rf"spec\.{written.partition(':')[0]}: "):
        load_components(tmp_path)


@pytest.mark.parametrize(
    ("key", "what"),
    [("outboxPublishPubsub", "the outbox"), ("PrimaryEncryptionKey", "encryption of values")],
)
async def test_what_only_daprs_state_stores_have_is_refused_in_words(key: str, what: str) -> None:
    store = ComponentSpec("cart", "state.in-memory", metadata={key: "a secret"})
    with pytest.raises(ConfigurationError, match=f"{what} is not supported") as caught:
        async with blocks(store):
            pass
    assert "a secret" not in str(caught.value)

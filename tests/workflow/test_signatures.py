"""The signatures of registered functions: what can be called, and with which input."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from flowyard import (
    ActivityContext,
    App,
    InvalidRequest,
    PayloadError,
    RegistrationError,
    WorkflowContext,
)

if TYPE_CHECKING:
    from flowyard.testing import OpenWorkflowKit
from workflow.registered import Order, activity_input


def no_context() -> None: ...


def two_inputs(ctx: object, a: int, b: int) -> None: ...


def only_keywords(*, ctx: object) -> None: ...


def required_keyword(ctx: object, *, order: Order) -> None: ...


def only_stars(*args: object, **kwargs: object) -> None: ...


@pytest.mark.parametrize(
    "function", [no_context, two_inputs, only_keywords, required_keyword, only_stars]
)
def test_a_signature_that_cannot_be_called_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(RegistrationError) as refused:
        App().activity(function)
    assert f"'{function.__name__}' cannot be registered" in str(refused.value)
    assert "takes the context and at most one input, but its signature is (" in str(refused.value)


def optional_second(ctx: object, a: int, b: int = 2) -> None: ...


def optional_keyword(ctx: object, *, b: int = 2) -> None: ...


def with_stars(ctx: object, *args: object, **kwargs: object) -> None: ...


@pytest.mark.parametrize("function", [optional_second, optional_keyword, with_stars])
def test_parameters_that_need_no_value_are_left_alone(function: Callable[..., Any]) -> None:
    app = App()
    app.activity(function)
    assert function.__name__ in app.registry.activities


def test_an_async_generator_is_refused_with_the_two_forms_that_work() -> None:
    async def neither(ctx: WorkflowContext) -> AsyncIterator[int]:
        yield 1

    with pytest.raises(RegistrationError, match="Use `await` in an `async def`, or `yield`"):
        App().workflow(neither)


def test_a_method_of_a_class_body_is_refused() -> None:
    app = App()
    with pytest.raises(RegistrationError, match=r"method of .*Jobs.*app.activity\(Jobs\(\).ping\)"):

        class Jobs:
            @app.activity
            def ping(self, ctx: ActivityContext) -> None: ...


def test_a_function_without_self_in_a_class_body_is_one_like_any_other() -> None:
    app = App()

    class Jobs:
        @app.activity
        def ping(ctx: ActivityContext, number: int) -> None: ...  # type: ignore[misc]  # noqa: N805

    assert activity_input(app, "ping", "5") == 5
    assert app.registry.activity_name(Jobs.ping) == "ping"


def test_an_activity_that_yields_is_refused() -> None:
    def pages(ctx: ActivityContext) -> Iterator[int]:
        yield 1

    with pytest.raises(RegistrationError, match="an activity that yields has no result"):
        App().activity(pages)
    App().workflow(pages)


def priced(client: str, ctx: ActivityContext, order: Order) -> Order:
    return order


class Till:
    order: int = 0

    def __call__(self, ctx: ActivityContext, order: Order) -> Order:
        return order


@dataclass
class Rated:
    rate: int = 1

    async def __call__(self, ctx: ActivityContext, order: Order) -> Order:
        return order


@pytest.mark.parametrize("charge", [functools.partial(priced, "client"), Till(), Rated()])
def test_what_can_be_called_has_the_types_of_what_is_called(charge: Callable[..., Any]) -> None:
    app = App()
    app.activity(name="charge")(charge)
    assert activity_input(app, "charge", '{"item":"cup"}') == Order(item="cup")
    output = app.registry.activities["charge"].output
    assert output.decode('{"item":"cup"}', "result") == Order(item="cup")
    assert app.registry.activities["charge"].is_async is isinstance(charge, Rated)
    assert app.registry.activity_name(charge) == "charge"


@pytest.mark.parametrize("activity", [3, None, functools.partial(priced, "client")])
def test_what_is_no_function_and_no_name_is_refused(activity: Any) -> None:
    with pytest.raises(InvalidRequest, match="neither a registered function nor a name"):
        App().registry.activity_name(activity)


@pytest.mark.parametrize("function", [3, classmethod(lambda cls: cls)])
def test_what_cannot_be_called_is_refused(function: Any) -> None:
    with pytest.raises(RegistrationError, match="it is not a function"):
        App().activity(function)


async def test_an_input_for_a_function_that_takes_none_is_refused(
    workflow_kit: OpenWorkflowKit,
) -> None:
    app = App()

    @app.workflow
    async def nothing(ctx: WorkflowContext) -> str:
        return "done"

    async with workflow_kit(app) as kit:
        with pytest.raises(PayloadError, match="'nothing' takes no input"):
            await kit.runtime.start(nothing, 5)
        assert (await kit.wait(await kit.runtime.start(nothing, None))).result() == "done"


async def test_none_is_an_input_like_any_other(workflow_kit: OpenWorkflowKit) -> None:
    app = App()

    @app.activity
    async def seen(ctx: ActivityContext, days: int | None = 5) -> int | None:
        return days

    @app.workflow
    async def child(ctx: WorkflowContext, days: int | None = 5) -> int | None:
        return days

    @app.workflow
    async def order(ctx: WorkflowContext, days: int | None = 5) -> list[int | None]:
        if days == 7:
            ctx.continue_as_new(None)
        return [
            days,
            await ctx.call_activity(seen, input=None),
            await ctx.call_activity(seen),
            await ctx.call_child_workflow(child, input=None),
            await ctx.call_child_workflow(child),
        ]

    async with workflow_kit(app) as kit:
        results = [
            (await kit.wait(await kit.runtime.start(*arguments))).result()
            for arguments in ((order, None), (order,), ("order", 7))
        ]
    rest = [None, 5, None, 5]
    assert results == [[None, *rest], [5, *rest], [None, *rest]]

"""The annotations of registered functions: whose names they are, and what is refused."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from flowyard import (
    ActivityContext,
    App,
    PayloadError,
    RegistrationError,
    WorkflowContext,
)

if TYPE_CHECKING:
    from flowyard.errors import OnlyForTypeCheckers  # type: ignore[attr-defined]
from workflow.registered import Order, activity_input, foreign_module


def test_classes_local_to_a_function_are_found() -> None:
    app = App()

    @dataclass
    class Local:
        item: str

    @app.activity
    def pay(ctx: ActivityContext, local: Local) -> Local:
        return local

    @app.workflow(name="w")
    async def w(ctx: WorkflowContext, local: Local) -> list[Local]:
        return [local]

    assert activity_input(app, "pay", '{"item":"cup"}') == Local("cup")
    output = app.registry.workflows["w"].output
    assert output.encode([Local("cup")], "result") == '[{"item":"cup"}]'


def test_a_local_class_comes_before_a_global_one_of_its_name() -> None:
    app = App()

    class Order(BaseModel):
        number: int

    @app.activity
    def pay(ctx: ActivityContext, order: Order) -> None: ...

    with pytest.raises(PayloadError, match="number: Field required"):
        activity_input(app, "pay", '{"item":"cup"}')


def test_the_names_of_a_function_are_those_of_its_own_module() -> None:
    class Amount(BaseModel):
        unused: str

    app = App()
    app.activity(foreign_module().pay)
    assert activity_input(app, "pay", '{"a":5}') == {"a": 5}
    assert Amount.__name__ == "Amount"


def test_a_decorator_of_another_module_hides_no_annotations() -> None:
    app = App()

    def pay(ctx: ActivityContext, order: Order) -> None: ...

    app.activity(foreign_module().traced(pay))
    assert activity_input(app, "pay", '{"item":"cup"}') == Order(item="cup")


def unresolved(ctx: object, order: OnlyForTypeCheckers) -> None: ...


def misspelt(ctx: object, order: types.MissingType) -> None: ...  # type: ignore[name-defined]


def unresolved_result(ctx: object) -> OnlyForTypeCheckers: ...


@pytest.mark.parametrize("function", [unresolved, misspelt, unresolved_result])
def test_an_annotation_that_cannot_be_resolved_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(RegistrationError) as refused:
        App().activity(function)
    assert f"'{function.__name__}' cannot be registered: its annotation '" in str(refused.value)
    assert "cannot be resolved" in str(refused.value)


def test_the_context_may_be_imported_for_type_checkers_alone() -> None:
    app = App()

    @app.activity
    def pay(ctx: OnlyForTypeCheckers, amount: int) -> None: ...

    assert activity_input(app, "pay", "5") == 5


def test_an_annotation_that_is_no_payload_is_refused_by_its_function() -> None:
    class Opaque:
        pass

    def pay(ctx: ActivityContext, opaque: Opaque) -> None: ...

    with pytest.raises(RegistrationError, match=r"'pay' cannot be registered: .*Opaque.* cannot"):
        App().activity(pay)


def test_a_name_that_is_not_there_yet_is_told_as_such() -> None:
    def pay(ctx: ActivityContext, order: NotYet) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(RegistrationError, match="Define the class above the function"):
        App().activity(pay)

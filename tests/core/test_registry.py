"""Registration: names, signatures, annotations, and what is refused."""

from __future__ import annotations

import functools
import types
from collections.abc import AsyncIterator, Callable
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


class Order(BaseModel):
    item: str


def activity_input(app: App, name: str, text: str) -> object:
    return app.registry.activities[name].input.decode(text, "input")


def test_a_function_goes_by_its_own_name_or_by_the_one_given() -> None:
    app = App()

    @app.activity
    def pay(ctx: ActivityContext) -> None: ...

    @app.activity(name="ship-it")
    def ship(ctx: ActivityContext) -> None: ...

    @app.workflow(name="order")
    async def process(ctx: WorkflowContext) -> None: ...

    registry = app.registry
    assert set(registry.activities) == {"pay", "ship-it"}
    assert [registry.name_of(it) for it in (pay, ship, process)] == ["pay", "ship-it", "order"]
    assert registry.name_of("anything") == "anything"
    assert registry.name_of(activity_input) == "activity_input"


def test_the_decorators_return_the_function_itself() -> None:
    app = App()

    def plain(ctx: Any) -> None: ...

    assert app.activity(plain) is plain
    assert app.workflow(name="w")(plain) is plain
    assert app.versioned_workflow(name="v", is_latest=True)(plain) is plain


def test_a_name_is_given_once() -> None:
    app = App()

    def pay(ctx: Any) -> None: ...

    app.activity(pay)
    app.workflow(pay)
    with pytest.raises(RegistrationError, match="activity 'pay' is registered twice"):
        app.activity(pay)
    with pytest.raises(RegistrationError, match="workflow 'pay' is registered twice"):
        app.workflow(name="pay")(pay)


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


def test_a_function_without_a_name_needs_one() -> None:
    app = App()

    def pay(ctx: ActivityContext, amount: int, currency: str) -> None: ...

    in_euro = functools.partial(pay, currency="EUR")
    with pytest.raises(RegistrationError, match="register it with name="):
        app.activity(in_euro)
    app.activity(name="pay in euro")(in_euro)
    assert activity_input(app, "pay in euro", "5") == 5


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


def foreign_module() -> types.ModuleType:
    """Return a module whose `Order` is another than ours."""
    module = types.ModuleType("foreign")
    exec(  # noqa: S102 - a module made on the spot
        "from __future__ import annotations\n"
        "from functools import wraps\n"
        "class Order(dict[str, int]): ...\n"
        "def pay(ctx: object, order: dict[str, Amount]) -> Amount: return 1\n"
        "Amount = int\n"
        "def traced(function):\n"
        "    @wraps(function)\n"
        "    def wrapper(*args): return function(*args)\n"
        "    return wrapper\n",
        module.__dict__,
    )
    return module


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


def test_methods_are_registered_with_their_object() -> None:
    class Till:
        def pay(self, ctx: ActivityContext, amount: int) -> int:
            return amount

    app, till = App(), Till()
    app.activity(till.pay)
    assert activity_input(app, "pay", "5") == 5
    assert app.registry.name_of(till.pay) == "pay"


def test_activities_are_replaced_by_name_in_a_copy_only() -> None:
    app = App()

    @app.activity
    def pay(ctx: ActivityContext) -> str:
        return "real"

    def fake(ctx: ActivityContext) -> str:
        return "fake"

    staged = app.with_activities({"pay": fake})
    assert staged.registry.activities["pay"].function is fake
    assert app.registry.activities["pay"].function is pay
    assert staged.registry.name_of(pay) == "pay"
    with pytest.raises(
        RegistrationError, match=r"there is nothing to replace\. Did you mean 'pay'"
    ):
        app.with_activities({"pays": fake})


def test_a_copy_does_not_write_into_its_origin() -> None:
    app = App()
    staged = app.with_activities({})

    @staged.activity
    def pay(ctx: ActivityContext) -> None: ...

    assert app.registry.activities == {}

"""Registration: names, signatures, annotations, and what is refused."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from flowyard import (
    ActivityContext,
    App,
    InvalidRequest,
    PayloadError,
    RegistrationError,
    WorkflowContext,
)

if TYPE_CHECKING:
    from flowyard.errors import OnlyForTypeCheckers  # type: ignore[attr-defined]
    from flowyard.testing import OpenWorkflowKit
    from workflow.conftest import Rehearse


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
    assert [registry.activity_name(it) for it in (pay, ship)] == ["pay", "ship-it"]
    assert registry.workflow_name(process) == "order"
    assert registry.workflow_name("anything") == "anything"
    assert registry.activity_name(activity_input) == "activity_input"


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
    assert app.registry.activity_name(till.pay) == "pay"


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
    assert staged.registry.activity_name(pay) == "pay"
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


def senders() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return two functions of one name."""

    def make(text: str) -> Callable[..., Any]:
        def send(ctx: ActivityContext, to: str) -> str:
            return text + to

        return send

    return make("SMS to "), make("mail to ")


def test_another_function_of_a_registered_name_is_refused(rehearse: Rehearse) -> None:
    app = App()
    sms, mail = senders()
    app.activity(sms)

    @app.workflow
    async def notify(ctx: WorkflowContext) -> object:
        return await ctx.call_activity(mail, input="ann@example.org")

    rehearsal = rehearse(app)
    rehearsal.start("notify")
    assert rehearsal.failure.error_type == "RegistrationError"
    assert "another function is registered as 'send'" in rehearsal.failure.message
    with pytest.raises(RegistrationError, match="not registered: another function"):
        app.registry.activity_name(mail)
    assert app.registry.activity_name(sms) == "send"


def test_a_registered_function_may_be_decorated_afterwards() -> None:
    app = App()
    sms, _ = senders()
    app.activity(sms)
    assert app.registry.activity_name(foreign_module().traced(sms)) == "send"


def test_a_module_that_was_imported_twice_has_the_same_functions() -> None:
    app = App()
    app.activity(foreign_module().pay)
    app.activity(foreign_module().pay)
    assert app.registry.activity_name(foreign_module().pay) == "pay"


def test_a_function_of_the_other_kind_is_refused() -> None:
    app = App()

    @app.activity
    def pay(ctx: ActivityContext) -> None: ...

    @app.workflow
    async def order(ctx: WorkflowContext) -> None: ...

    with pytest.raises(RegistrationError, match=r"as a workflow.*ctx.call_child_workflow\(\)"):
        app.registry.activity_name(order)
    with pytest.raises(RegistrationError, match=r"as an activity.*ctx.call_activity\(\)"):
        app.registry.workflow_name(pay)


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


CELL = """
def pay(ctx, amount: int) -> int:
    return amount * {factor}
"""


def run_cell(app: App, factor: int, name: str, module: str = "__main__") -> None:
    scope: dict[str, Any] = {"__name__": module}
    exec(compile(CELL.format(factor=factor), name, "exec"), scope)  # noqa: S102 - a cell
    app.activity(scope["pay"])


def test_a_cell_of_a_notebook_may_be_changed_and_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    app = App()
    run_cell(app, 1, "<ipython-input-1>")
    run_cell(app, 2, "<ipython-input-2>")
    assert app.registry.activities["pay"].function(None, 3) == 6


def test_two_functions_of_one_name_are_refused_in_a_program() -> None:
    app = App()
    run_cell(app, 1, "a.py", "a")
    with pytest.raises(RegistrationError, match="registered twice"):
        run_cell(app, 2, "b.py", "b")


def test_a_loop_registers_one_function_of_a_name() -> None:
    app = App()
    for number, send in enumerate(senders()):
        if number == 0:
            app.activity(send)
            continue
        with pytest.raises(RegistrationError, match="registered twice"):
            app.activity(send)


def test_a_name_that_is_not_there_yet_is_told_as_such() -> None:
    def pay(ctx: ActivityContext, order: NotYet) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(RegistrationError, match="Define the class above the function"):
        App().activity(pay)


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

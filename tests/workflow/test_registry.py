"""The registry: the names of functions, and what it refuses."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from flowyard import (
    ActivityContext,
    App,
    RegistrationError,
    WorkflowContext,
)

if TYPE_CHECKING:
    from workflow.conftest import Rehearse
from workflow.registered import activity_input, foreign_module


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


def test_a_function_without_a_name_needs_one() -> None:
    app = App()

    def pay(ctx: ActivityContext, amount: int, currency: str) -> None: ...

    in_euro = functools.partial(pay, currency="EUR")
    with pytest.raises(RegistrationError, match="register it with name="):
        app.activity(in_euro)
    app.activity(name="pay in euro")(in_euro)
    assert activity_input(app, "pay in euro", "5") == 5


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

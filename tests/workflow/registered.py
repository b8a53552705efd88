"""Functions as they are registered."""

from __future__ import annotations

import types

from pydantic import BaseModel

from flowyard import (
    App,
)


class Order(BaseModel):
    item: str


def activity_input(app: App, name: str, text: str) -> object:
    return app.registry.activities[name].input.decode(text, "input")


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

"""A component type, and texts that configure it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic.alias_generators import to_camel

from flowyard.backend.component import ComponentContext, ComponentType, WorkflowComponent

HEAD = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: orders}\n"


SPEC = "spec:\n  type: workflow.sample\n  version: v1\n"


FIELDS = SPEC + "  metadata:\n  - {name: connectionString, value: hunter2}\n"


class Settings(BaseModel):
    """What the component type of these tests takes."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    connection_string: SecretStr
    max_turns: int = 10
    mode: Literal["fast", "safe"] = "safe"
    queue: str = Field(default="a", pattern="^[a-z]+$", description="small letters")
    odd: str = ""

    @field_validator("odd")
    @classmethod
    def _be_even(cls, value: str) -> str:
        if len(value) % 2:
            raise ValueError(f"{value} has an odd length")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Settings:
        if self.mode == "fast" and self.max_turns < 2:
            raise ValueError("mode fast needs two turns")
        return self


def never_opened(
    settings: Settings, context: ComponentContext
) -> AbstractAsyncContextManager[WorkflowComponent]:
    raise AssertionError("a wrong configuration opens nothing")


SAMPLE: ComponentType[Any] = ComponentType("workflow.sample", Settings, never_opened, frozenset())


Fault = Callable[[str], str]


def with_key(key: str, value: str) -> str:
    """Return a configuration with one more key."""
    return f"{HEAD}{FIELDS}  - {{name: {key}, value: {value}}}\n"

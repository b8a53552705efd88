"""All calls of the other building blocks in one."""

from __future__ import annotations

from flowyard.calls.bindings import BindingCalls
from flowyard.calls.invocation import InvocationCalls
from flowyard.calls.publishing import PublishCalls
from flowyard.calls.secrets import SecretCalls
from flowyard.calls.state import StateCalls


class BlockCalls(StateCalls, SecretCalls, PublishCalls, BindingCalls, InvocationCalls):
    """What a runtime and an activity can do with the other building blocks."""

    __slots__ = ()

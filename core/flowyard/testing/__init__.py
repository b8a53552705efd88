"""What tests of workflows need (a virtual clock, a kit), and the conformance suite for plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowyard.testing.clock import VirtualClock
    from flowyard.testing.kit import (
        NothingScheduled,
        OpenWorkflowKit,
        SupportsIdle,
        WorkflowKit,
        open_kit,
    )

__all__ = [
    "NothingScheduled",
    "OpenWorkflowKit",
    "SupportsIdle",
    "VirtualClock",
    "WorkflowKit",
    "open_kit",
]


def __getattr__(name: str) -> object:
    # Lazy: pytest imports this package (for its plugin) in every project of the environment, also
    # where no test touches a workflow.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "VirtualClock":
        from flowyard.testing import clock

        return getattr(clock, name)
    from flowyard.testing import kit

    return getattr(kit, name)

"""Which path of the application an event goes to: rules in CEL over `event`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from flowyard.config.subscriptions import Rule
from flowyard.errors import ConfigurationError, PayloadError

_LARGEST = 2**63

Condition = Callable[[Mapping[str, Any]], bool]


class Routes:
    """The rules of a subscription, ready to be asked; raises `ConfigurationError` if they are not.

    Args:
        rules: The rules, in their order.
        label: How messages call the subscription.
    """

    def __init__(self, rules: Sequence[Rule], label: str) -> None:
        self._rules = [
            (_condition(rule.match, label) if rule.match else None, rule.path) for rule in rules
        ]

    def path(self, event: Mapping[str, Any]) -> str | None:
        """Return where an event goes, None for nowhere; raise `PayloadError` if a rule fails."""
        variables: Mapping[str, Any] | None = None
        for condition, path in self._rules:
            if condition is None:
                return path
            if variables is None:
                variables = {"event": _value(event)}
            if condition(variables):
                return path
        return None


def _condition(match: str, label: str) -> Condition:
    # Lazy: few subscriptions have rules.
    import cel

    try:
        program = cel.compile(match)
    except ValueError as error:
        raise ConfigurationError(f"{label}: match {match!r} is not CEL: {error}") from error

    def holds(variables: Mapping[str, Any]) -> bool:
        try:
            found = program.execute(dict(variables))
        except Exception as error:
            raise PayloadError(f"match {match!r} fails for this event: {error}") from error
        if not isinstance(found, bool):
            raise PayloadError(f"match {match!r} is not a condition: it is {found!r}")
        return found

    return holds


def _value(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an event as CEL takes them, whose integers have 64 bits."""
    try:
        return {
            name: _fitting(msgspec.json.decode(item) if isinstance(item, msgspec.Raw) else item)
            for name, item in event.items()
        }
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"the data of the event cannot be read: {error}") from error


def _fitting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _fitting(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_fitting(item) for item in value]
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        return float(value)
    return value

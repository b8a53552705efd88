"""Finds component types among the installed distributions, each on its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowyard.backend.component import ComponentType
from flowyard.errors import ComponentTypeNotInstalled, ConfigurationError, nearest

# Lazy where they are used: `import flowyard` shall not wait for the search of distributions.
if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from pluggy import PluginManager

GROUP = "flowyard"

_DISTRIBUTIONS = {
    "workflow.engine": "flowyard",
    "workflow.temporal": "flowyard-temporal",
    "workflow.conductor": "flowyard-conductor",
}


@dataclass(frozen=True, slots=True)
class InstalledType:
    """A component type that a distribution offers, or the error that keeps it from being used."""

    name: str
    distribution: str
    type: ComponentType[Any, Any] | None = None
    error: ConfigurationError | None = None


def canonical(type_name: str) -> str:
    """Return the one spelling of a type: `Workflows.X` and `workflow.x` are the same."""
    name = type_name.strip().lower()
    return f"workflow.{name.removeprefix('workflows.')}" if name.startswith("workflows.") else name


def component_type(
    name: str, extra: Iterable[ComponentType[Any, Any]] = ()
) -> ComponentType[Any, Any]:
    """Return the component type of that name, loading only the plugin that offers it.

    Types given as `extra` come before installed ones.
    """
    wanted = canonical(name)
    given = [candidate for candidate in extra if canonical(candidate.name) == wanted]
    if len(given) > 1:
        raise ConfigurationError(f"component type '{wanted}' was given twice. Give it once.")
    if given:
        return given[0]
    claims = _claims()
    if wanted not in claims:
        known = {*claims, *(canonical(candidate.name) for candidate in extra)}
        raise ComponentTypeNotInstalled(_unknown(name, wanted, known))
    return _load_only(wanted, claims[wanted])


def installed_types() -> tuple[InstalledType, ...]:
    """Load every installed plugin; a broken one is listed with its error."""
    found: list[InstalledType] = []
    for name, claims in sorted(_claims().items()):
        owner = ", ".join(sorted({_owner(claim) for claim in claims}))
        try:
            found.append(InstalledType(name, owner, type=_load_only(name, claims)))
        except ConfigurationError as error:
            found.append(InstalledType(name, owner, error=error))
    return tuple(found)


def _claims() -> dict[str, list[EntryPoint]]:
    from importlib.metadata import entry_points

    claims: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        claims.setdefault(canonical(point.name), []).append(point)
    return claims


def _owner(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unknown distribution"


def _unknown(name: str, wanted: str, known: Iterable[str]) -> str:
    names = sorted(known)
    advice = nearest(wanted, names)
    if wanted in _DISTRIBUTIONS:
        # They are on no package index yet.
        folder = wanted.removeprefix("workflow.")
        advice = (
            f"It is in {_DISTRIBUTIONS[wanted]}. In a checkout of Flowyard, install it with: "
            f"pip install ./adapters/{folder}."
        )
    elif not advice.startswith("Did you mean"):
        advice = "Install the package that offers it."
    installed = ", ".join(f"'{name}'" for name in names) or "none"
    return f"component type '{name}' is not installed. {advice} Installed: {installed}."


def _load_only(name: str, claims: list[EntryPoint]) -> ComponentType[Any, Any]:
    if len(claims) > 1:
        owners = " and ".join(f"'{_owner(claim)}' ({claim.value})" for claim in claims)
        raise ConfigurationError(
            f"component type '{name}' is offered more than once, by {owners}. "
            "Uninstall all but one of them."
        )
    return _load(name, claims[0])


def _load(name: str, point: EntryPoint) -> ComponentType[Any, Any]:
    from pluggy import PluginValidationError

    plugin = f"plugin '{point.name}' = {point.value} of distribution '{_owner(point)}'"
    try:
        module = point.load()
    # Whatever its import raises is the plugin's fault, and must stay its own.
    except Exception as error:
        raise ConfigurationError(
            f"{plugin} cannot be imported: {type(error).__name__}: {error}. "
            f"Reinstall or upgrade it, or uninstall it with: pip uninstall {_owner(point)}"
        ) from error
    manager = new_manager()
    try:
        manager.register(module, name=point.name)
        manager.check_pending()
    except PluginValidationError as error:
        raise ConfigurationError(
            f"{plugin} does not fit this version of Flowyard: {error}. Its author implements "
            "flowyard_component_type() as in flowyard.backend.hookspecs; upgrade the plugin."
        ) from error
    if not manager.get_hookcallers(module):
        raise ConfigurationError(
            f"{plugin} does not implement the hook flowyard_component_type. Its author marks the "
            "function with @flowyard.backend.hookimpl, in the module that the entry point names."
        )
    return _ask(name, plugin, manager)


def new_manager() -> PluginManager:
    """Return a plugin manager that knows the hooks and no plugin."""
    from pluggy import PluginManager

    from flowyard.backend import hookspecs

    manager = PluginManager("flowyard")
    manager.add_hookspecs(hookspecs)
    return manager


def _ask(name: str, plugin: str, manager: PluginManager) -> ComponentType[Any, Any]:
    try:
        answers = manager.hook.flowyard_component_type()
    except Exception as error:
        raise ConfigurationError(
            f"{plugin} failed in flowyard_component_type: {type(error).__name__}: {error}. "
            "Upgrade the plugin, or tell its author."
        ) from error
    # pluggy leaves out an answer of None.
    answer = answers[0] if answers else None
    if not isinstance(answer, ComponentType):
        raise ConfigurationError(
            f"{plugin} returned {type(answer).__name__} from flowyard_component_type. "
            "Its author returns a flowyard.backend.ComponentType."
        )
    if canonical(answer.name) != name:
        raise ConfigurationError(
            f"{plugin} returned a component type named '{answer.name}'. "
            "Its author gives the entry point and the component type the same name."
        )
    return answer

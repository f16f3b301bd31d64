"""Learners and backbones by name: ours, an installed distribution's, or the user's own code."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from metarobust.assembly.plugins import (
    installed,
    load_entry_point,
    load_plugin,
    module_digest,
    plugin_digest,
)
from metarobust.core.errors import ConfigError
from metarobust.core.registry import Registry


def find_component(
    registry: Registry[Any], name: str, allowed: frozenset[str]
) -> Callable[..., Any]:
    """The factory that a configuration or a checkpoint calls `name`.

    Args:
        registry: of ours; a registered name always means the registered thing.
        name: registered, or an entry point of an installed distribution (group
            `metarobust.learners` or `metarobust.backbones`), or `FILE.py:NAME` or `MODULE:NAME`.
        allowed: files and modules whose code the user has allowed by `--allow-code`.

    An entry point needs no permission: installing the distribution was one, what is imported was
    declared for this purpose by its author, and it is imported only where it is named.

    Raises:
        ConfigError: the name is unknown or ambiguous, code was not allowed, or its import fails.
    """
    if name.rpartition(":")[0].endswith(".py"):
        return load_plugin(name, allowed)
    module, colon, attribute = name.partition(":")
    if colon:
        if module not in allowed:
            raise ConfigError(
                f"{name} asks to import the module {module}; if you trust it, pass "
                f"--allow-code {module}"
            )
        return load_entry_point(EntryPoint(attribute, name, group=""))
    if name not in registry and (point := installed(_group(registry), name)):
        return load_entry_point(point)
    found: Callable[..., Any] = registry[name]
    return found


def installed_components(registry: Registry[Any]) -> dict[str, str]:
    """Names that installed distributions add to a registry, and where each is; none is imported."""
    points = entry_points(group=_group(registry))
    return {point.name: point.value for point in points if point.name not in registry}


def component_digest(registry: Registry[Any], name: str) -> str | None:
    """SHA-256 of the file of a component that was found; None of ours, which has our versions.

    Numbers stored under one digest are not taken for those of the edited file. Files that it
    imports are not covered.
    """
    if name in registry:
        return None
    if name.rpartition(":")[0].endswith(".py"):
        return plugin_digest(name)
    reference = name if ":" in name else installed_components(registry)[name]
    return module_digest(reference)


def _group(registry: Registry[Any]) -> str:
    return f"metarobust.{registry.kind}s"

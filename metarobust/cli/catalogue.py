"""What there is of each kind, as rows for `ls`."""

import inspect
from collections.abc import Callable
from typing import Any

from metarobust.config.catalogue import load_recipe
from metarobust.config.loading import Kind, bundled_names, load_config, read_config
from metarobust.config.suite import Suite
from metarobust.core.bundled import bundled
from metarobust.core.jsonio import read_json

Entry = dict[str, Any]


def catalogue(kind: str) -> list[Entry]:
    """One entry of a name, a summary and further facts for each thing of a kind."""
    return _KINDS[kind]()


def _summary(thing: object) -> str:
    """The first sentence of a docstring."""
    return (inspect.getdoc(thing) or "").split("\n")[0]


def _attacks() -> list[Entry]:
    return [
        {
            "name": recipe.name,
            "surface": recipe.surface,
            "norm": recipe.norm or "-",
            "engine": recipe.engine,
            "summary": recipe.summary,
        }
        for recipe in map(load_recipe, bundled_names("recipe"))
    ]


def _suites() -> list[Entry]:
    return [
        {"name": suite.name, "threats": len(suite.threats), "summary": suite.summary}
        for suite in (load_config(Suite, name, "suite") for name in bundled_names("suite"))
    ]


def _learners() -> list[Entry]:
    from metarobust.assembly.components import installed_components
    from metarobust.assembly.options import options_of
    from metarobust.learners.catalogue import LEARNERS

    ours = [
        {
            "name": name,
            "family": LEARNERS[name].family,
            "paper": LEARNERS[name].paper,
            "norm_mode": LEARNERS[name].default_norm_mode,
            "options": ", ".join(options_of(LEARNERS[name], given=1)),
            "summary": _summary(LEARNERS[name]),
        }
        for name in LEARNERS
    ]
    unknown = dict.fromkeys(("family", "paper", "norm_mode", "options"), "-")
    return ours + [
        {"name": name, **unknown, "summary": f"Plug-in {place}."}
        for name, place in installed_components(LEARNERS).items()
    ]


def _backbones() -> list[Entry]:
    from metarobust.assembly.components import installed_components
    from metarobust.assembly.options import options_of
    from metarobust.backbones.catalogue import BACKBONES

    ours = [
        {
            "name": name,
            "options": ", ".join(options_of(BACKBONES[name], given=1)),
            "summary": _summary(BACKBONES[name]),
        }
        for name in BACKBONES
    ]
    return ours + [
        {"name": name, "options": "-", "summary": f"Plug-in {place}."}
        for name, place in installed_components(BACKBONES).items()
    ]


def _datasets() -> list[Entry]:
    from metarobust.assembly.options import options_of
    from metarobust.data.catalogue import DATASETS

    return [
        {
            "name": name,
            "options": ", ".join(options_of(DATASETS[name])),
            "summary": _summary(DATASETS[name]),
        }
        for name in DATASETS
    ]


def _corruptions() -> list[Entry]:
    from metarobust.corruptions import CORRUPTIONS

    return [
        {
            "name": name,
            "group": CORRUPTIONS[name].group,
            "channels": " or ".join(map(str, CORRUPTIONS[name].channels)),
            "summary": CORRUPTIONS[name].summary,
        }
        for name in CORRUPTIONS
    ]


def _engines() -> list[Entry]:
    from metarobust.attacks.catalogue import ENGINES

    return [
        {
            "name": name,
            "norms": ", ".join(ENGINES[name]().norms),
            "summary": _summary(ENGINES[name]),
        }
        for name in ENGINES
    ]


def _configs() -> list[Entry]:
    kinds: tuple[Kind, ...] = ("audit", "train", "tune")
    return [
        {
            "name": name,
            "command": f"metarobust {kind} {name}",
            "dataset": _dataset_of(name, kind),
        }
        for kind in kinds
        for name in bundled_names(kind)
    ]


def _dataset_of(name: str, kind: Kind) -> str:
    """The data set of a bundled configuration, which may leave values to its user."""
    content = read_config(name, kind).value
    if kind == "tune":
        return _dataset_of(content["train"], "train")
    dataset = content["dataset"]
    return str(dataset["name"] if isinstance(dataset, dict) else dataset)


def _checkpoints() -> list[Entry]:
    rows = []
    for path in sorted((bundled("configs") / "zoo").glob("*.json"), key=lambda path: path.stem):
        facts = read_json(path)
        rows.append(
            {
                "name": path.stem,
                "learner": facts["learner"]["name"],
                "dataset": facts["dataset"]["name"],
                "training": facts["training"]["threat"],
                "meta-val": f"{facts['validation']['accuracy']:.4f}",
            }
        )
    return rows


def _checks() -> list[Entry]:
    from metarobust.audit.checks import CHECKS

    return [
        {
            "name": check.name,
            "id": check.id,
            "looks at": check.looks_at,
            "threshold": check.threshold,
        }
        for check in CHECKS
    ]


_KINDS: dict[str, Callable[[], list[Entry]]] = {
    "attacks": _attacks,
    "backbones": _backbones,
    "checkpoints": _checkpoints,
    "checks": _checks,
    "configs": _configs,
    "corruptions": _corruptions,
    "datasets": _datasets,
    "engines": _engines,
    "learners": _learners,
    "suites": _suites,
}

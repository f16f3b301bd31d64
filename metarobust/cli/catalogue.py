"""What there is of each kind, as rows for `ls`."""

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from metarobust.config.catalogue import load_recipe
from metarobust.config.loading import Kind, bundled_names, load_config, read_config
from metarobust.config.suite import Suite
from metarobust.core.bundled import bundled
from metarobust.core.errors import CheckpointError
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


def _zoo() -> list[Entry]:
    return checkpoints(sorted((bundled("configs") / "zoo").glob("*.json"), key=lambda p: p.stem))


def checkpoints(sidecars: Iterable[Path]) -> list[Entry]:
    """One entry for each sidecar: what was trained, how, and what it reached on meta-val.

    Raises:
        CheckpointError: a file is no sidecar of a training.
    """
    return [_checkpoint(path, read_json(path, CheckpointError)) for path in sidecars]


def trained(folder: Path) -> list[Path]:
    """The sidecars of the trainings in a folder of runs, and of the folder itself if it is one.

    Raises:
        CheckpointError: there is none.
    """
    found = [
        weights.with_suffix(".json")
        for pattern in ("*.safetensors", "*/*.safetensors")
        for weights in sorted(folder.glob(pattern))
        if weights.with_suffix(".json").is_file()
    ]
    if not found:
        raise CheckpointError(
            f"{folder}: expected training runs, such as runs/NAME/NAME.safetensors with its "
            ".json, got none; give the folder that `metarobust train` wrote to"
        )
    return found


def _checkpoint(path: Path, facts: Any) -> Entry:
    try:
        validation = facts["validation"]
        score = "mse" if "mse" in validation else "accuracy"
        return {
            "name": path.stem,
            "learner": facts["learner"]["name"],
            "dataset": facts["dataset"]["name"],
            "training": facts["training"]["threat"],
            "gradients": validation.get("gradient_evaluations", "-"),
            "score": score,
            "meta-val": _with_error(validation, score, "standard_error"),
            "under attack": _with_error(validation, f"robust_{score}", "robust_standard_error"),
            "attack": _check(facts["training"]["config"]["validation"].get("attack"), validation),
        }
    except (KeyError, TypeError):
        raise CheckpointError(
            f"{path}: expected what `metarobust train` writes beside its weights, got other JSON"
        ) from None


def _check(attack: dict[str, Any] | None, validation: dict[str, Any]) -> str:
    """The attack that watched a training, and where: `query: pgd-linf eps=0.1 steps=10`."""
    return "-" if attack is None else f"{attack['surface']}: {validation['attack']}"


def _with_error(validation: dict[str, Any], score: str, error: str) -> str:
    """A score and its 95 % half-width by episode; `-` where it was not measured."""
    if validation.get(score) is None:
        return "-"
    return f"{validation[score]:.4f} ± {1.96 * (validation[error] or 0.0):.4f}"


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
    "checkpoints": _zoo,
    "checks": _checks,
    "configs": _configs,
    "corruptions": _corruptions,
    "datasets": _datasets,
    "engines": _engines,
    "learners": _learners,
    "suites": _suites,
}

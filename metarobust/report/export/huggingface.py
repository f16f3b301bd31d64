"""A model card for each learner, with metadata that the Hugging Face hub reads as EvalResults."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from metarobust.config.yaml import dump_yaml
from metarobust.core.errors import ConfigError
from metarobust.core.jsonio import write_atomic
from metarobust.report.gates import gates_sentence
from metarobust.report.headline import Scorecard, build_verdict
from metarobust.report.markdown import render_markdown
from metarobust.report.model import ReportModel, trust_sentence
from metarobust.report.regression import is_regression
from metarobust.report.rows import Row
from metarobust.report.text import slug

METRICS = {"accuracy": "accuracy", "ece": "expected_calibration_error"}
"""The scores that the metadata holds, by the metric type of the hub."""


def to_huggingface(model: ReportModel, out: Path) -> str:
    """Write `LEARNER/README.md` for each learner: the front of a model repository on the hub.

    The metadata (`model-index`) holds the accuracy and calibration error of every cell that passed
    its checks, with interval and episodes; the text below it is the learner's part of the report,
    doubtful cells included.

    Args:
        model: the report of the run.
        out: the folder of folders; made if it is absent.

    Returns:
        The folder.

    Raises:
        ConfigError: the run is of regressions, whose scores have no card.
    """
    if is_regression(model.rows):
        raise ConfigError(
            "huggingface: model cards hold accuracies, which a regression does not have; export it "
            "to tensorboard, mlflow or wandb"
        )
    names: set[str] = set()
    for card in model.scorecards:
        name, copy = slug(card.learner), 2
        while name in names:
            name, copy = f"{slug(card.learner)}-{copy}", copy + 1
        names.add(name)
        write_atomic(out / name / "README.md", render_card(model, card))
    return str(out)


def render_card(model: ReportModel, card: Scorecard) -> str:
    """The model card of one learner."""
    rows = tuple(row for row in model.rows if row.learner == card.learner)
    counts = {status: sum(row.status == status for row in rows) for status in model.counts}
    other = {f"Learner {c.learner}" for c in model.scorecards if c.learner != card.learner}
    gates = tuple(gate for gate in model.gates if gate.result.learner == card.learner)
    own = replace(
        model,
        name=card.learner,
        verdict=build_verdict([card]),
        trust=trust_sentence(counts),
        gates=gates,
        gates_sentence=gates_sentence(gates),
        scorecards=(card,),
        rows=rows,
        learners=tuple(row for row in model.learners if row.learner == card.learner),
        curves=(),
        heat_maps=(),
        adaptation=(),
        aspects=(),
        reliability=(),
        risk=(),
        pictures=(),
        counts=counts,
        provenance=tuple(fact for fact in model.provenance if fact[0] not in other),
    )
    return f"---\n{dump_yaml(metadata(card.learner, rows))}---\n\n{render_markdown(own)}"


def metadata(learner: str, rows: tuple[Row, ...]) -> dict[str, Any]:
    """The YAML head of a card, as the hub's model card specification has it."""
    sound = [row for row in rows if row.status == "ok"]
    by_dataset: dict[tuple[str, str], list[Row]] = {}
    for row in sound:
        by_dataset.setdefault((row.dataset, row.protocol), []).append(row)
    results = [
        {
            "task": {"type": "image-classification", "name": "Few-shot image classification"},
            "dataset": {"type": slug(dataset), "name": dataset, "config": protocol},
            "metrics": [entry for row in members for entry in _entries(row)],
        }
        for (dataset, protocol), members in by_dataset.items()
    ]
    tags = ["few-shot-learning", "meta-learning", "robustness", "metarobust"]
    return {"tags": tags, "model-index": [{"name": learner, "results": results}]}


def _entries(row: Row) -> list[dict[str, Any]]:
    under = "on clean images" if row.kind == "clean" else f"under {row.threat}"
    return [
        {
            "type": kind,
            "name": f"{score} {under}",
            "value": estimate.value,
            "args": {
                "threat": row.threat,
                "budget": row.budget.text,
                "surface": row.budget.surface,
                "norm_mode": row.norm_mode,
                "episodes": row.episodes,
                "interval": [estimate.low, estimate.high],
                "level": 0.95,
            },
        }
        for score, kind in METRICS.items()
        if (estimate := row.scores[score]).value is not None
    ]

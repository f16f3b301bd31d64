"""A comparison as a tidy table (CSV) and as JSON, for programs and spreadsheets."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from metarobust.audit.compare import Score
from metarobust.report.compare_model import CompareModel, KindView
from metarobust.report.tables import guarded

COMPARE_SCHEMA = 3

_COLUMNS = (
    "method",
    "reference",
    "training",
    "yardstick",
    "threat",
    "recipe",
    "kind",
    "surface",
    "budget",
    "episodes",
    "score",
    "value",
    "value_low",
    "value_high",
    "value_reason",
    "difference",
    "difference_low",
    "difference_high",
    "difference_reason",
    "difference_method",
    "p_value",
    "adjusted_p_value",
    "adjusted_by",
    "outcome",
    "status",
)


def tidy_comparison(model: CompareModel) -> list[dict[str, Any]]:
    """One flat record per threat and method, the reference included.

    The difference of a share is in percentage points, any other in the unit of its score.
    """
    records = []
    for line in model.lines:
        for method, score in zip(model.methods, line.scores, strict=True):
            record: dict[str, Any] = {
                "method": method.label,
                "reference": model.methods[model.reference].label,
                "training": method.training,
                "yardstick": method.yardstick,
                "threat": line.threat,
                "recipe": line.name,
                "kind": line.kind,
                "surface": line.budget.surface,
                "budget": line.budget.text,
                "episodes": line.episodes,
                "score": model.wording.measure.key,
                "p_value": score.p_value,
                "adjusted_p_value": score.adjusted,
                "adjusted_by": line.family if score.adjusted is not None else None,
                "outcome": score.outcome,
                "status": score.status,
            }
            for name, estimate in (
                ("value", score.estimate),
                ("difference", score.difference),
            ):
                record[name] = estimate.value
                record[f"{name}_low"] = estimate.low
                record[f"{name}_high"] = estimate.high
                record[f"{name}_reason"] = estimate.reason
            record["difference_method"] = score.difference.method
            records.append(record)
    return records


def render_compare_csv(model: CompareModel) -> str:
    """The tidy table as CSV; a text that a spreadsheet would run is led by an apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for record in tidy_comparison(model):
        writer.writerow([guarded(record[name]) for name in _COLUMNS])
    return buffer.getvalue()


def render_compare_json(model: CompareModel) -> str:
    """The numbers of a comparison as JSON, without NaN; `schema` grows when the shape changes."""
    content = {
        "schema": COMPARE_SCHEMA,
        "name": model.name,
        "score": model.wording.measure.key,
        "verdict": model.verdict,
        "trust": model.trust,
        "warnings": model.warnings,
        "reference": model.methods[model.reference].label,
        "methods": [asdict(method) for method in model.methods],
        "kinds": _kinds(model, model.kinds),
        "yardsticks": [
            {
                "yardstick": model.methods[standing.yardstick].label,
                "verdict": standing.verdict,
                "scope": standing.scope,
                "kinds": _kinds(model, standing.kinds),
            }
            for standing in model.standings
        ],
        "no_yardstick": model.no_yardstick or None,
        "threats": [
            {
                "threat": line.threat,
                "recipe": line.name,
                "kind": line.kind,
                "budget": asdict(line.budget),
                "episodes": line.episodes,
                "adjusted_by": line.family,
                "scores": _scores(model, line.scores),
            }
            for line in model.lines
        ],
        "ranking": asdict(model.ranking),
        "left_out": [{"threat": label, "reason": reason} for label, reason in model.left_out],
        "protocol": dict(model.protocol),
        "runs": [{"name": name, "provenance": words} for name, words in model.runs],
        "command": model.command,
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _kinds(model: CompareModel, kinds: Sequence[KindView]) -> list[dict[str, Any]]:
    return [
        {
            "kind": kind.kind,
            "threats": kind.threats,
            "unfinished": kind.unfinished,
            "episodes": kind.episodes,
            "scores": _scores(model, kind.scores),
        }
        for kind in kinds
    ]


def _scores(model: CompareModel, scores: tuple[Score, ...]) -> list[dict[str, Any]]:
    return [
        {"method": method.label, **asdict(score)}
        for method, score in zip(model.methods, scores, strict=True)
    ]

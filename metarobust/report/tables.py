"""The report as tidy tables (CSV, Parquet) and as JSON, for programs and spreadsheets."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from metarobust.report.certificates import certified_by_row
from metarobust.report.headline import ScoreItem
from metarobust.report.learners import LEARNER_COLUMNS, learner_record
from metarobust.report.model import ReportModel
from metarobust.report.regression import score_fields
from metarobust.report.rows import Row
from metarobust.report.text import plain_tree
from metarobust.stats.estimate import Estimate

SUMMARY_SCHEMA = 3

_FORMULA = (
    *"=+-@",
    "\N{FULLWIDTH EQUALS SIGN}",
    "\N{FULLWIDTH PLUS SIGN}",
    "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{FULLWIDTH COMMERCIAL AT}",
)
"""What makes a spreadsheet take a text for a formula."""

_TEXTS = (
    "run",
    "key",
    "learner",
    "norm_mode",
    "threat",
    "recipe",
    "kind",
    "engine",
    "surface",
    "knowledge",
    "norm",
    "loss",
    "targets",
    "table",
    "dataset",
    "protocol",
    "status",
    "stopped",
    "failed_checks",
    "failures",
)
_NUMBERS = (
    "eps",
    "step_size",
    "fraction",
    "shot_fraction",
    "class_fraction",
    "budget_used",
    "changed",
    "zero_gradients",
)
_COUNTS = ("steps", "restarts", "severity", "episodes", "expected", "gradient_calls")
_FLAGS = ("limited", "first_order", "best")


def tidy_rows(model: ReportModel) -> list[dict[str, Any]]:
    """One flat record per cell; a score takes five columns: value, ends, reason, method."""
    proven = certified_by_row(model.certificates)
    none = Estimate(None, reason="no certificate covers this threat")
    return [
        {
            **_tidy(model, row),
            **_columns("certified", proven.get(row.learner, {}).get(row.threat, none)),
        }
        for row in model.rows
    ]


def render_csv(model: ReportModel) -> str:
    """The tidy table as CSV: numbers as numbers, an empty field for what is missing.

    A text that a spreadsheet would run as a formula is led by an apostrophe.
    """
    return _csv(list(_schema(model).names), tidy_rows(model))


def render_adaptation_csv(model: ReportModel) -> str:
    """The cells of the adaptation curves as CSV: the columns of `render_csv` after three more.

    These are the `axis`, the `value` on it, and whether the cell is the audit's `own` too. A
    certificate is of the audit's own cells, so its columns are left out.
    """
    names = [name for name in _schema(model).names if not name.startswith("certified")]
    records = [
        {"axis": panel.axis, "value": point.value, "own": point.own, **_tidy(model, point.row)}
        for panel in model.adaptation
        for point in panel.points
    ]
    return _csv(["axis", "value", "own", *names], records)


def _csv(names: Sequence[str], records: Sequence[Mapping[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    for record in records:
        writer.writerow([guarded(record[name]) for name in names])
    return buffer.getvalue()


def render_learners_csv(model: ReportModel) -> str:
    """The scores of whole learners as CSV, one line a score, guarded like `render_csv`."""
    records = []
    for row in model.learners:
        record = {"run": model.name, **learner_record(row)}
        records.append(record | record.pop("estimate"))
    return _csv(LEARNER_COLUMNS, records)


def render_parquet(model: ReportModel) -> bytes:
    """The tidy table as Parquet, typed, its texts as they are."""
    table = pa.Table.from_pylist(tidy_rows(model), schema=_schema(model))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def render_summary(model: ReportModel) -> str:
    """The numbers of the report as JSON, without NaN; `schema` grows when the shape changes."""
    summary = {
        "schema": SUMMARY_SCHEMA,
        "run": model.name,
        "status": model.status,
        "limited": model.limited,
        "stopped": model.stopped or None,
        "verdict": model.verdict,
        "trust": model.trust,
        "warnings": model.warnings,
        "counts": model.counts,
        "gates": [{**asdict(row.result), "sentence": row.sentence} for row in model.gates],
        "scorecards": [
            {
                "learner": card.learner,
                "norm_mode": card.norm_mode,
                "yardstick": card.yardstick,
                "chance": card.chance,
                "sentence": card.sentence,
                "items": [_item(item) for item in card.items],
            }
            for card in model.scorecards
        ],
        "learners": [learner_record(row) for row in model.learners],
        "cells": [_cell(row) for row in model.rows],
        "certificates": [plain_tree(asdict(one.certificate)) for one in model.certificates],
        "adaptation": [
            {
                "axis": panel.axis,
                "points": [
                    {"value": point.value, "own": point.own, "cell": _cell(point.row)}
                    for point in panel.points
                ],
                "missing": panel.figure.missing,
            }
            for panel in model.adaptation
        ],
        "protocol": dict(model.protocol),
        "threats": [asdict(note) for note in model.threats],
        "provenance": dict(model.provenance),
        "command": model.command,
        "versions": model.versions,
    }
    return json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _item(item: ScoreItem) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "accuracy": asdict(item.accuracy),
        "drop_points": asdict(item.drop),
        "grade": item.grade,
        "cell": None if item.row is None else item.row.key,
        "status": None if item.row is None else item.row.status,
        "best": item.best,
    }


def _cell(row: Row) -> dict[str, Any]:
    record = asdict(row)
    record["recipe"] = record.pop("name")
    return record


def _tidy(model: ReportModel, row: Row) -> dict[str, Any]:
    record: dict[str, Any] = {
        "run": model.name,
        "limited": model.limited,
        "stopped": model.stopped or None,
        "recipe": row.name,
        "failed_checks": "; ".join(f"{c.name}: {c.detail}" for c in row.failed_checks),
        "failures": "; ".join(row.failures),
        **{name: getattr(row, name) for name in _OWN},
        **asdict(row.budget),
        **asdict(row.effort),
    }
    for field in score_fields(model.rows):
        record |= _columns(field.key, row.scores[field.key])
    return record


def _columns(name: str, estimate: Estimate) -> dict[str, Any]:
    return {
        name: estimate.value,
        f"{name}_low": estimate.low,
        f"{name}_high": estimate.high,
        f"{name}_reason": estimate.reason,
        f"{name}_method": estimate.method,
    }


_OWN = (
    "key",
    "learner",
    "norm_mode",
    "threat",
    "kind",
    "dataset",
    "protocol",
    "episodes",
    "expected",
    "status",
    "best",
)


def _schema(model: ReportModel) -> pa.Schema:
    columns = [(name, pa.string()) for name in _TEXTS]
    columns += [(name, pa.float64()) for name in _NUMBERS]
    columns += [(name, pa.int64()) for name in _COUNTS]
    columns += [(name, pa.bool_()) for name in _FLAGS]
    for name in (*(field.key for field in score_fields(model.rows)), "certified"):
        columns += [(f"{name}{end}", pa.float64()) for end in ("", "_low", "_high")]
        columns += [(f"{name}_{text}", pa.string()) for text in ("reason", "method")]
    return pa.schema(columns)


def guarded(value: Any) -> Any:
    """A field a spreadsheet shows and never runs."""
    if isinstance(value, str) and value.lstrip().startswith(_FORMULA):
        return f"'{value}"
    return value

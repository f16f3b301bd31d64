"""The history of a training run, as CSV, JSON and a picture."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metarobust.core.jsonio import write_atomic, write_json

COLUMNS = (
    "iteration",
    "loss",
    "accuracy",
    "standard_error",
    "robust_accuracy",
    "robust_standard_error",
    "one_step_accuracy",
    "one_step_standard_error",
    "gradient_evaluations",
    "warning",
)

ERRORS = ("mse", "robust_mse", "one_step_mse")
"""Further columns, of regressions."""

CURVES = {
    "accuracy": ("standard_error", "clean"),
    "robust_accuracy": ("robust_standard_error", "under attack"),
    "one_step_accuracy": ("one_step_standard_error", "under one step of it"),
    "mse": ("standard_error", "clean"),
    "robust_mse": ("robust_standard_error", "under attack"),
    "one_step_mse": ("one_step_standard_error", "under one step of it"),
}
"""The scores of the picture: the column of each one's standard error, and its label."""


def write_history(folder: Path, name: str, history: Sequence[Mapping[str, Any]]) -> None:
    """Write `history.csv`, `history.json` and `curve.svg`, each whole or not at all."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, (*COLUMNS, *(e for e in ERRORS if e in history[0])))
    writer.writeheader()
    writer.writerows(history)
    write_atomic(folder / "history.csv", stream.getvalue())
    write_json(folder / "history.json", list(history))
    write_atomic(folder / "curve.svg", _curve(name, history))


def _curve(name: str, history: Sequence[Mapping[str, Any]]) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    iterations = [row["iteration"] for row in history]
    with rc_context({"svg.hashsalt": "metarobust", "text.parse_math": False}):
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        left = figure.add_subplot()
        for column, (error, label) in CURVES.items():
            if history[0].get(column) is None:
                continue
            accuracy = np.array([row[column] for row in history])
            margin = np.array([1.96 * (row[error] or 0.0) for row in history])
            left.fill_between(
                iterations, accuracy - margin, accuracy + margin, alpha=0.25, linewidth=0
            )
            left.plot(iterations, accuracy, label=label)
        score = "mean squared error" if "mse" in history[0] else "accuracy"
        label = f"meta-val {score} (95 % by episode)"
        left.set(xlabel="outer iteration", ylabel=label, title=name)
        right = left.twinx()
        right.plot(iterations, [row["loss"] for row in history], "--", color="0.5", label="loss")
        right.set(ylabel="loss of the last iteration")
        figure.legend(loc="outside lower center", ncols=4, frameon=False)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()

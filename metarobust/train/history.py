"""The history of a training run, as CSV, JSON and a picture."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metarobust.core.jsonio import write_atomic, write_json

COLUMNS = ("iteration", "loss", "accuracy", "standard_error", "gradient_evaluations")


def write_history(folder: Path, name: str, history: Sequence[Mapping[str, Any]]) -> None:
    """Write `history.csv`, `history.json` and `curve.svg`, each whole or not at all."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS)
    writer.writeheader()
    writer.writerows(history)
    write_atomic(folder / "history.csv", stream.getvalue())
    write_json(folder / "history.json", list(history))
    write_atomic(folder / "curve.svg", _curve(name, history))


def _curve(name: str, history: Sequence[Mapping[str, Any]]) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    iterations = [row["iteration"] for row in history]
    accuracy = [row["accuracy"] for row in history]
    error = [1.96 * (row["standard_error"] or 0.0) for row in history]
    with rc_context({"svg.hashsalt": "metarobust", "text.parse_math": False}):
        figure = Figure(figsize=(6, 3.4), layout="constrained")
        left = figure.add_subplot()
        left.fill_between(
            iterations,
            [a - e for a, e in zip(accuracy, error, strict=True)],
            [a + e for a, e in zip(accuracy, error, strict=True)],
            alpha=0.25,
            linewidth=0,
        )
        left.plot(iterations, accuracy, label="meta-val accuracy (95 % band by episode)")
        left.set(xlabel="outer iteration", ylabel="accuracy", title=name)
        right = left.twinx()
        right.plot(iterations, [row["loss"] for row in history], "--", color="0.5", label="loss")
        right.set(ylabel="loss of the last iteration")
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()

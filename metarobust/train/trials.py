"""The trials of a search, as a table and a picture."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metarobust.core.jsonio import write_atomic


@dataclass(frozen=True)
class Trial:
    """One training of a search.

    Attributes:
        number: from 0.
        values: what was tried, by dotted path.
        score: its meta-val accuracy, in [0, 1]; None where it failed.
        standard_error: of that, by episode; None for one episode.
        iteration: the outer step whose weights it is.
        failure: why it failed; else empty.
    """

    number: int
    values: dict[str, Any]
    score: float | None
    standard_error: float | None
    iteration: int | None
    failure: str


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """The first trial of the highest score; None where all failed."""
    scored = [trial for trial in trials if trial.score is not None]
    return max(scored, key=lambda trial: trial.score or 0.0, default=None)


def write_trials(folder: Path, name: str, column: str, trials: Sequence[Trial]) -> None:
    """Write `trials.csv` and `trials.svg`, each whole or not at all."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    paths = list(trials[0].values)
    writer.writerow(["trial", *paths, column, "standard_error", "iteration", "failure"])
    for trial in trials:
        found = (trial.score, trial.standard_error, trial.iteration, trial.failure)
        writer.writerow([trial.number, *trial.values.values(), *found])
    write_atomic(folder / "trials.csv", stream.getvalue())
    write_atomic(folder / "trials.svg", _picture(name, column, trials))


def _picture(name: str, column: str, trials: Sequence[Trial]) -> str:
    """Score by trial with the best so far, then score by the value of each option."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    scored = [trial for trial in trials if trial.score is not None]
    scores = [trial.score or 0.0 for trial in scored]
    margins = [1.96 * (trial.standard_error or 0.0) for trial in scored]
    paths = list(trials[0].values)
    with rc_context({"svg.hashsalt": "metarobust", "text.parse_math": False}):
        figure = Figure(figsize=(3.4 * (1 + len(paths)), 3.2), layout="constrained")
        panels = figure.subplots(1, 1 + len(paths), sharey=True, squeeze=False)[0]
        numbers = [trial.number for trial in scored]
        so_far = [max(scores[: end + 1]) for end in range(len(scores))]
        panels[0].errorbar(numbers, scores, margins, fmt="o", capsize=2)
        panels[0].step(numbers, so_far, where="post", color="0.4", label="best so far")
        panels[0].set(xlabel="trial", ylabel=f"meta-val {column.replace('_', ' ')}", title=name)
        if scored:
            panels[0].legend(frameon=False, loc="lower right")
        for panel, path in zip(panels[1:], paths, strict=True):
            _scatter(panel, path, [trial.values[path] for trial in scored], scores)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def _scatter(panel: Any, path: str, values: Sequence[Any], scores: Sequence[float]) -> None:
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    panel.plot(values if numeric else [str(value) for value in values], scores, "o")
    if numeric and values and min(values) > 0 and max(values) >= 20 * min(values):
        panel.set_xscale("log")
    panel.set(xlabel=path)

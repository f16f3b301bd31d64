"""A comparison as a short table for a terminal."""

from metarobust.report.compare_model import CompareModel
from metarobust.report.compare_words import p_text, signed, signed_interval
from metarobust.report.fields import show_value

HEADINGS = ("average over", "learner", "accuracy", "points [95 %]", "adjusted p", "outcome")


def compare_rows(model: CompareModel) -> list[tuple[str, ...]]:
    """One row a kind of threat and learner, in the columns of `HEADINGS`."""
    return [
        (
            kind.title,
            method.label,
            show_value(score.accuracy.value, "share"),
            f"{signed(score.difference.value)} {signed_interval(score.difference)}".rstrip(),
            p_text(score.adjusted),
            score.outcome,
        )
        for kind in model.kinds
        for method, score in zip(model.methods, kind.scores, strict=True)
    ]

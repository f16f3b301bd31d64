"""A comparison as a short table for a terminal."""

from metarobust.report.compare_model import CompareModel
from metarobust.report.compare_words import p_text, signed, signed_interval
from metarobust.report.fields import show_value


def compare_headings(model: CompareModel) -> tuple[str, ...]:
    """The columns of `compare_rows`."""
    wording = model.wording
    difference = "points" if wording.measure.unit == "share" else "difference"
    return (
        "average over",
        "learner",
        wording.noun,
        f"{difference} [95 %]",
        "adjusted p",
        "outcome",
    )


def compare_rows(model: CompareModel) -> list[tuple[str, ...]]:
    """One row a kind of threat and learner, in the columns of `compare_headings`."""
    unit, digits = model.wording.measure.unit, model.wording.digits
    return [
        (
            kind.title,
            method.marked,
            show_value(score.estimate.value, unit),
            " ".join(
                filter(
                    None,
                    (
                        signed(score.difference.value, digits),
                        signed_interval(score.difference, digits),
                    ),
                )
            ),
            p_text(score.adjusted),
            score.outcome,
        )
        for kind in model.kinds
        for method, score in zip(model.methods, kind.scores, strict=True)
    ]

"""The panels of prediction sets: where each cell stands, and what has no mark."""

from dataclasses import replace

import numpy as np
import pytest

from metarobust.audit.score_conformal import conformal_sets
from metarobust.report.set_sizes import PROMISED, build_set_panels


def panels(model):
    return next(aspect for aspect in model.aspects if aspect.name == "sets").panels


def test_every_cell_that_has_sets_has_a_mark(model):
    for panel in panels(model):
        rows = [row for row in model.rows if row.learner == panel.learner]
        with_sets = [row for row in rows if row.status != "error"]
        assert [point.threat for point in panel.points] == [row.threat for row in with_sets]
        assert [point.status for point in panel.points] == [row.status for row in with_sets]


def test_a_mark_stands_where_counting_puts_it(run, model):
    point = panels(model)[0].points[0]
    cell = run.scored[0].evidence
    sets = conformal_sets(cell, PROMISED)
    held = np.take_along_axis(sets, cell.arrays["labels"][..., None], -1)
    assert point.kind == "clean"
    assert point.coverage.value == pytest.approx(held.mean())
    assert point.size.value == pytest.approx(sets.sum(-1).mean())


def test_the_sentence_names_the_clean_cell_and_the_worst(model):
    for panel in panels(model):
        worst = min(panel.points, key=lambda point: point.coverage.value)
        assert f"{100 * panel.points[0].coverage.value:.1f}% of the time" in panel.sentence
        assert f"Under {worst.threat}" in panel.sentence
        assert f"{100 * worst.coverage.value:.1f}% of the time" in panel.sentence
        assert panel.sentence in panel.alt


def test_a_learner_without_sets_has_no_panel(model):
    none = {
        key: replace(estimate, value=None, low=None, high=None, reason="no threshold")
        for key, estimate in model.rows[0].scores.items()
    }
    rows = [replace(row, scores=none) if row.learner == "maml" else row for row in model.rows]
    assert [panel.learner for panel in build_set_panels(rows)] == ["protonet"]


def test_the_figure_has_the_promised_level_and_words_on_every_mark(model, drawings):
    (drawing,) = [drawing for drawing in drawings if drawing.name == "sets-01"]
    assert "promised: 90%" in drawing.svg
    for point in panels(model)[0].points:
        assert f"<title>{point.threat}: " in drawing.inline
    (suspect,) = [p for p in panels(model)[1].points if p.status == "suspect"]
    (other,) = [drawing for drawing in drawings if drawing.name == "sets-02"]
    assert f"<title>{suspect.threat}: " in other.inline
    assert "(suspect)</title>" in other.inline

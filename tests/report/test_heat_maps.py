"""Maps of corruption by severity, and curves of errors against the share answered."""

import dataclasses
import re

import numpy as np
import pytest

from metarobust.audit.scores import CellScores
from metarobust.report.figure_heat_map import draw_heat_map
from metarobust.report.figure_risk import draw_risk
from metarobust.report.heat_maps import build_heat_maps, in_heat_map
from metarobust.report.model import build_report
from metarobust.report.risk_coverage import build_risk_panels
from tests.support.synthetic_run import synthetic_run


@pytest.fixture(scope="module")
def run():
    return synthetic_run()


@pytest.fixture(scope="module")
def model(run):
    return build_report(run.manifest, run.scored, run.verdicts)


def corrupted(model, learner):
    own = [r for r in model.rows if r.learner == learner and r.budget.severity is not None]
    return {(r.name, r.budget.severity): r.accuracy for r in own}


def test_a_map_holds_every_corrupted_cell_once(model):
    assert model.heat_maps
    for found in model.heat_maps:
        shown = {
            (name, severity): cell.accuracy
            for name, row in zip(found.corruptions, found.cells, strict=True)
            for severity, cell in zip(found.severities, row, strict=True)
            if cell is not None
        }
        assert shown == corrupted(model, found.learner)


def test_the_most_harmful_corruption_is_on_top(model):
    for found in model.heat_maps:
        values = [[cell.accuracy.value for cell in row if cell is not None] for row in found.cells]
        worst = [min(value for value in row if value is not None) for row in values]
        assert worst == sorted(worst)


def test_two_corruptions_are_left_to_the_curves(model):
    rows = [r for r in model.rows if r.budget.severity is None]
    names = list(dict.fromkeys(r.name for r in model.rows if r.budget.severity is not None))
    few = [r for r in model.rows if r.name in names[:2]]
    assert build_heat_maps([*rows, *few]) == ()
    assert not any(in_heat_map(row, ()) for row in few)


def test_what_a_map_shows_is_not_drawn_again_as_curves(model):
    shown = {found.learner for found in model.heat_maps}
    drawn = {c.learner for panel in model.curves if panel.axis == "severity" for c in panel.curves}
    assert not shown & drawn


def test_numbers_and_hints_of_a_map_are_its_cells(model):
    found = next(m for m in model.heat_maps if m.learner == "maml")
    assert any(cell.accuracy.value is None for row in found.cells for cell in row)
    svg = draw_heat_map(found).svg
    hints = re.findall(r'<g id="cell-(\d+)-(\d+)"><title>(.*?)</title>', svg)
    assert len(hints) == len(found.corruptions) * len(found.severities)
    for y, x, words in hints:
        cell = found.cells[int(y)][int(x)]
        what = f"{found.corruptions[int(y)]}, severity {found.severities[int(x)]}:"
        assert words.startswith(what)
        value = cell.accuracy.value
        assert (cell.accuracy.reason if value is None else f"{100 * value:.1f}%") in words


def test_risk_curves_start_at_the_surest_and_end_at_the_error_rate(model, run):
    cells = {cell.evidence.key: cell for cell in run.scored}
    for panel in model.risk:
        row = next(r for r in model.rows if r.learner == panel.learner and r.kind == "clean")
        evidence = cells[row.key].evidence
        clean = panel.curves[0]
        assert clean.coverage[-1] == 1.0
        assert clean.risk[-1] == pytest.approx(1 - evidence.correct.mean())
        logits = np.asarray(evidence.arrays["logits"], float)
        shares = np.sort(np.exp(logits - logits.max(-1, keepdims=True)), -1)
        surest_first = np.argsort(-(shares[..., -1] / shares[..., :-1].sum(-1)).ravel())
        errors = np.cumsum(~evidence.correct.ravel()[surest_first])
        area = np.mean(errors / np.arange(1, errors.size + 1))
        assert np.trapezoid(clean.risk, clean.coverage) == pytest.approx(area, abs=0.01)


def test_a_cell_with_logits_that_are_not_finite_has_no_risk_curve(model, run):
    blind = [dataclasses.replace(cell, reliability=()) for cell in run.scored]
    assert all(isinstance(cell, CellScores) for cell in blind)
    assert build_risk_panels(model.rows, blind) == ()


def test_hostile_words_stay_words_in_a_figure(model):
    panel = dataclasses.replace(
        model.risk[0],
        learner="<script>alert(1)</script>",
        curves=tuple(dataclasses.replace(c, title="</title><x>") for c in model.risk[0].curves),
    )
    svg = draw_risk(panel).svg
    assert "<script" not in svg
    assert "<x>" not in svg

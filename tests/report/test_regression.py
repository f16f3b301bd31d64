"""The report of a regression: curves, pictures and bold numbers from errors that are chosen."""

from dataclasses import replace

import numpy as np
import pytest

from metarobust.audit.checks import Verdict
from metarobust.audit.scores import score_cells
from metarobust.report.adaptation import build_adaptation
from metarobust.report.figures import draw_figures
from metarobust.report.html import render_html
from metarobust.report.markdown import render_markdown
from metarobust.report.model import build_report
from tests.support.made_up_contest import CLEAN, pgd
from tests.support.made_up_regression import errors_cell

SIGNS = np.array([1.0, -1.0, 1.0, -1.0])
SPREAD = np.sqrt([0.9, 1.1, 1.0])
"""Sizes of the errors of three episodes whose squares have a mean of 1."""
STRENGTHS = {0.0: CLEAN, 0.1: pgd(0.1), 0.2: pgd(0.2)}
SCALES = {"a": 1.0, "b": 3.0}
OFFSET, SCALE = -5.0, 10.0


def cell(label, eps):
    """Mean squared error (1 + 10 eps) times the learner's scale, exactly."""
    errors = np.outer(np.sqrt(SCALES[label] * (1 + 10 * eps)) * SPREAD, SIGNS)
    found = errors_cell(label, errors, STRENGTHS[eps])
    found.description["dataset"]["info"] = {"offset": OFFSET, "scale": SCALE}
    x = np.linspace(0, 1, 4, dtype=np.float32)[:, None]
    picture = {
        "support_clean": x[:3],
        "support": x[:3] + np.float32(0.25 * eps),
        "query_clean": x,
        "query": x,
        "support_values": np.array([3.0, 1.0, 2.0]),
        "function_x": x[::-1],
        "function_y": np.arange(4.0),
    }
    return replace(found, picture=picture)


def reported(cells):
    scored = score_cells(cells)
    verdicts = {one.evidence.key: Verdict("ok", ()) for one in scored}
    return build_report({"name": "made up", "status": "complete"}, scored, verdicts)


@pytest.fixture(scope="module")
def model():
    return reported([cell(label, eps) for label in SCALES for eps in STRENGTHS])


def test_errors_are_drawn_against_eps_from_the_clean_one(model):
    (panel,) = model.curves
    assert (panel.measure.key, panel.chance, panel.missing) == ("mse", None, ())
    for curve in panel.curves:
        assert [point.x for point in curve.points] == list(STRENGTHS)
        errors = [point.score.value for point in curve.points]
        assert errors == pytest.approx([SCALES[curve.learner] * x for x in (1, 2, 3)])
    assert "MSE against perturbation bound ε" in panel.alt
    assert "b: 3.000 at 0, 9.000 at 0.2." in panel.alt


def test_the_smaller_error_is_the_best(model):
    assert {(row.learner, row.best) for row in model.rows} == {("a", True), ("b", False)}


def test_the_picture_is_of_the_worst_attack_and_in_units_of_the_data(model):
    assert [(p.learner, p.threat) for p in model.fits] == [
        ("a", "pgd eps=0.2"),
        ("b", "pgd eps=0.2"),
    ]
    fit = model.fits[0]
    assert fit.function[:, 0] == pytest.approx(OFFSET + SCALE * np.linspace(0, 1, 4))
    assert fit.function[:, 1] == pytest.approx([3, 2, 1, 0])
    assert fit.given - fit.support == pytest.approx(np.array([[SCALE * 0.05, 0.0]] * 3))
    # Both predictions miss the same targets, by the chosen errors.
    assert fit.after[:, 1] - fit.before[:, 1] == pytest.approx(
        (np.sqrt(3) - 1) * SPREAD[0] * SIGNS, rel=1e-6
    )
    assert fit.sentence == "Mean squared error of this episode: 0.9 before, 2.7 after."


def test_a_run_of_before_there_were_pictures_has_none():
    old = [replace(cell("a", eps), picture={}) for eps in STRENGTHS]
    assert reported(old).fits == ()


def test_functions_of_several_numbers_are_not_drawn():
    wide = cell("a", 0.2)
    picture = {k: np.repeat(v, 2, axis=1) if v.ndim > 1 else v for k, v in wide.picture.items()}
    assert reported([cell("a", 0.0), replace(wide, picture=picture)]).fits == ()


def test_pages_speak_of_errors_and_points(model):
    figures = {drawing.name: drawing.inline for drawing in draw_figures(model)}
    assert set(figures) == {"mse-01-eps-query-linf", "fit-01", "fit-02"}
    page = render_html(model, figures)
    for words in ("Mean squared error as each threat grows", "Predictions stand at the clean x"):
        assert words in page
    for words in ("name new images", "guessing.", "black and 1 is white"):
        assert words not in page
    text = render_markdown(model)
    assert "figures/mse-01-eps-query-linf.svg" in text
    assert "figures/fit-02.svg" in text


def test_adaptation_is_of_errors_too():
    points = []
    for shots, size in ((1, 4.0), (5, 2.0)):
        found = errors_cell("a", np.outer(np.sqrt(size) * SPREAD, SIGNS))
        about = {**found.description, "adaptation": {"axis": "shots", "value": shots}}
        points.append(replace(found, key=f"{shots} shots", description=about))
    verdicts = {one.key: Verdict("ok", ()) for one in points}
    own = score_cells([cell("a", 0.0)])
    verdicts[own[0].evidence.key] = Verdict("ok", ())
    (panel,) = build_adaptation(own, score_cells(points), verdicts)
    (curve,) = panel.figure.curves
    assert [(p.x, p.score.value) for p in curve.points] == [
        (1, pytest.approx(4)),
        (5, pytest.approx(2)),
    ]
    assert (panel.figure.title, panel.figure.chance) == ("Support points", None)

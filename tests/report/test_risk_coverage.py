"""Risk-coverage panels: ends and middle of the curves by counting, and what has no curve."""

from dataclasses import replace

import numpy as np
import pytest

from metarobust.metrics.selective import log_odds
from metarobust.report.model import build_report


def evidence_of(run, learner, recipe):
    return next(
        cell.evidence
        for cell in run.scored
        if cell.evidence.description["learner"]["label"] == learner
        and cell.evidence.description["threat"]["name"] == recipe
    )


def test_every_learner_has_its_clean_curve_and_that_of_its_worst_attack(model):
    shown = [(p.learner, [c.recipe for c in p.curves]) for p in model.risk]
    assert shown == [("protonet", ["clean", "pgd-linf"]), ("maml", ["clean", "pgd-linf"])]


def test_a_curve_ends_at_the_share_of_errors(run, model):
    curve = model.risk[0].curves[0]
    logits = evidence_of(run, "protonet", "clean").arrays["logits"]
    labels = evidence_of(run, "protonet", "clean").arrays["labels"]
    wrong = (logits.argmax(-1) != labels).ravel()
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx(wrong.mean())
    surest = np.argsort(-log_odds(logits).ravel(), kind="stable")
    half = wrong[surest[: wrong.size // 2]].mean()
    assert np.interp(0.5, curve.coverage, curve.risk) == pytest.approx(half, abs=0.01)
    assert f"{100 * wrong.mean():.1f}% of all answers are wrong" in model.risk[0].sentence


def test_a_learner_whose_logits_are_not_numbers_has_no_curve(run):
    scored = [
        replace(cell, reliability=())
        if cell.evidence.description["learner"]["label"] == "maml"
        else cell
        for cell in run.scored
    ]
    found = build_report(run.manifest, scored, run.verdicts)
    assert [panel.learner for panel in found.risk] == ["protonet"]


def test_the_figure_shows_values_without_a_script(drawings):
    (drawing,) = [drawing for drawing in drawings if drawing.name == "risk-01"]
    assert "<title>clean: " in drawing.inline
    assert "<title>pgd-linf (L∞ ε" in drawing.inline

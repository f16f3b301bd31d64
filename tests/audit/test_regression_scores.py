"""Scores of regressions from made-up evidence, by hand and against known distributions."""

import numpy as np
import pytest
from scipy.stats import norm

from metarobust.audit.checks import check_cells
from metarobust.audit.gates import judge_gates
from metarobust.audit.regression_scores import NOT_CLASSIFICATION, REGRESSION_BY_KEY
from metarobust.audit.scores import score_cells
from tests.support.made_up_regression import errors_cell

EPISODES, QUERIES = 400, 20
Z = norm.ppf(0.95)


def cell(key, errors, *, family="clean", **facts):
    threat = {"family": family, "name": key, "label": key, "engine": "noise"}
    return errors_cell("a", errors, threat, **facts)


@pytest.fixture(scope="module")
def gaussian():
    return np.random.default_rng(0).normal(size=(EPISODES, QUERIES))


def test_a_known_gaussian_is_covered_and_scored_as_it_should_be(gaussian):
    (scored,) = score_cells([cell("clean", 2 * gaussian, deviations=2.0)])
    scores = scored.scores
    for name, expected in (
        ("mse", 4.0),
        ("coverage", 0.9),
        ("nll", norm(0, 2).entropy()),
    ):
        assert scores[name].low <= expected <= scores[name].high, name
    assert scores["width"].value == pytest.approx(2 * Z * 2)
    assert scores["mse_increase"].value == 0


def test_a_learner_without_deviations_gets_the_fitted_noise_and_says_so(gaussian):
    (scored,) = score_cells([cell("clean", gaussian, noise=0.5)])
    coverage = scored.scores["coverage"]
    expected = 2 * norm.cdf(0.5 * Z) - 1
    assert coverage.low <= expected <= coverage.high
    assert "one noise of 0.5, fitted on meta-val" in coverage.method
    assert "fitted" not in scored.scores["mse"].method


def test_without_either_there_is_a_reason_instead_of_a_number(gaussian):
    (scored,) = score_cells([cell("clean", gaussian, noise=None)])
    assert scored.scores["mse"].value is not None
    for name in ("nll", "coverage", "width"):
        assert (scored.scores[name].value, scored.scores[name].reason) == (
            None,
            "the learner states no deviation",
        )


def test_the_increase_is_paired_with_the_clean_cell(gaussian):
    clean, attacked = cell("clean", gaussian), cell("noise", gaussian * 2, family="noise")
    scores = score_cells([clean, attacked])[1].scores
    before = (gaussian**2).mean(axis=1)
    assert scores["mse_increase"].value == pytest.approx((3 * before).mean())
    assert scores["mse_ratio"].value == pytest.approx(4)
    alone = score_cells([attacked])[0].scores
    assert alone["mse_increase"].reason == "this learner has no evaluated clean cell"


def test_accuracies_are_null_with_a_reason(gaussian):
    (scored,) = score_cells([cell("clean", gaussian)])
    for name, estimate in scored.scores.items():
        if name not in REGRESSION_BY_KEY:
            assert (estimate.value, estimate.reason) == (None, NOT_CLASSIFICATION)


def test_gates_may_ask_for_an_error(gaussian):
    cells = score_cells([cell("clean", gaussian)])
    lines = ["mse[clean] <= 2", "mse[clean] <= 0.5", "coverage[clean] >= 85 %", "ece[clean] <= 0.1"]
    results = judge_gates(lines, cells, check_cells(cells))
    assert [result.passed for result in results] == [True, False, True, False]
    assert results[3].reason == f"no value: {NOT_CLASSIFICATION}"

"""Regressions compared: errors that are chosen, so that every difference has a closed form."""

import numpy as np
import pytest
from scipy.stats import norm, ttest_rel

from metarobust.audit.compare import comparable, compare
from metarobust.audit.contest import bring_together
from metarobust.core.errors import ConfigError
from metarobust.report.compare_notes import warnings
from tests.support.made_up_contest import CLEAN, answers, cell, run
from tests.support.made_up_regression import errors_cell

EPISODES, QUERIES = 12, 5
SIZES = np.random.default_rng(2).uniform(0.5, 2.0, EPISODES)


def signed(sizes):
    """Errors of these sizes, one size an episode and one sign a query: an MSE of the squares."""
    return np.outer(sizes, [1, -1, 1, 1, -1])


def duel(ours, theirs, measure=None, **facts):
    """`b` against the reference `a`, on clean episodes alone."""
    cells = errors_cell("a", signed(theirs)), errors_cell("b", signed(ours), **facts)
    contest = bring_together([run("one", cells[0]), run("two", cells[1])])
    return compare(contest, measure=measure, reference="a").lines[0].scores[1]


@pytest.mark.parametrize(("factor", "outcome"), [(0.5, "better"), (2.0, "worse")])
def test_errors_are_paired_by_episode_and_the_lower_is_better(factor, outcome):
    found = duel(factor * SIZES, SIZES)
    squares = SIZES**2
    oracle = ttest_rel(factor**2 * squares, squares).confidence_interval()
    assert found.estimate.value == pytest.approx(factor**2 * squares.mean())
    assert found.difference.value == pytest.approx((factor**2 - 1) * squares.mean())
    assert (found.difference.low, found.difference.high) == pytest.approx((oracle.low, oracle.high))
    assert found.outcome == outcome


def test_equal_learners_do_not_differ():
    found = duel(SIZES, SIZES)
    assert (found.difference.value, found.p_value, found.outcome) == (0, 1, "no difference found")


def test_a_wider_interval_covers_more_by_what_the_normal_quantile_says():
    # Sizes lie between half the reference's reach and the whole of the other's, which is wider.
    reach = norm.ppf(0.95)
    sizes = np.full(EPISODES, 1.5 * reach)
    widths = duel(sizes, sizes, comparable("width", regression=True), noise=2.0)
    assert widths.difference.value == pytest.approx(2 * reach * (2 - 1))
    assert widths.outcome == "worse"
    covered = duel(sizes, sizes, comparable("coverage", regression=True), noise=2.0)
    assert covered.difference.value == pytest.approx(100)
    assert covered.outcome == "better"


@pytest.mark.parametrize(("name", "warned"), [("width", True), ("coverage", True), ("mse", False)])
def test_half_of_an_interval_is_not_the_whole_answer(name, warned):
    cells = errors_cell("a", signed(SIZES)), errors_cell("b", signed(2 * SIZES))
    contest = bring_together([run("one", cells[0]), run("two", cells[1])])
    found = compare(contest, measure=comparable(name, regression=True))
    notes = warnings(found, ["a", "b"])
    assert any("a wider one covers more" in note for note in notes) == warned


def test_likelihoods_differ_by_the_formula_of_a_gaussian():
    found = duel(SIZES, SIZES, comparable("nll", regression=True), noise=3.0)
    expected = (-norm(0, 3).logpdf(SIZES) + norm(0, 1).logpdf(SIZES)).mean()
    assert found.difference.value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("accuracy", "unknown score of regressions 'accuracy'; .*mse"),
        ("mse_increase", "mse_increase is no mean over episodes of one cell.*mse, nll, coverage"),
    ],
)
def test_only_scores_that_a_regression_has_by_episode_can_be_compared(name, message):
    with pytest.raises(ConfigError, match=message):
        comparable(name, regression=True)


def test_a_regression_does_not_meet_a_classification():
    runs = [
        run("one", errors_cell("a", signed(SIZES))),
        run("two", cell("b", CLEAN, answers([5, 5, 5]))),
    ]
    with pytest.raises(ConfigError, match=r"dataset\.digest: expected"):
        bring_together(runs)

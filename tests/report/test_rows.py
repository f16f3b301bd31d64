"""Rows carry every fact of a cell, in words a reader knows, and rank learners fairly."""

from hypothesis import given
from hypothesis import strategies as st

from metarobust.audit.scores import SCORES as SCORED
from metarobust.report.fields import SCORES, show_value
from metarobust.report.rows import best_of, rows_by_threat
from metarobust.stats.estimate import Estimate


def test_the_report_shows_exactly_the_scores_that_are_computed():
    assert tuple(field.key for field in SCORES) == SCORED


def test_a_budget_says_norm_eps_twice_steps_and_restarts(model):
    row = next(row for row in model.rows if row.threat == "pgd-linf eps=8/255 steps=20 restarts=2")
    assert row.budget.text == "L∞ ε = 8/255 (0.03137), 20 steps of 0.25 ε, 2 restarts"
    assert row.budget.surface == "query"
    assert row.episodes == 40
    assert row.norm_mode == "running"


def test_other_budgets_say_severity_and_share(model):
    texts = {row.threat: row.budget.text for row in model.rows}
    assert texts["contrast severity=3"] == "severity 3 of 5 (mnist-c)"
    assert texts["label-flip fraction=0.4"] == "40% of the support labels"
    assert texts["clean"] == ""


def test_best_is_the_highest_and_all_that_overlap_it():
    best = Estimate(0.80, 0.75, 0.85)
    close, far = Estimate(0.70, 0.63, 0.76), Estimate(0.70, 0.66, 0.74)
    assert best_of([far, best, close]) == [False, True, True]
    assert best_of([Estimate(None), Estimate(0.5)]) == [False, True]
    assert best_of([Estimate(None), Estimate(None)]) == [False, False]


estimates = st.builds(
    lambda value, half: Estimate(value, value - half, value + half),
    st.floats(0, 1),
    st.floats(0, 0.3),
)


@given(st.lists(estimates, min_size=1, max_size=6))
def test_the_highest_is_always_among_the_best(found):
    flags = best_of(found)
    assert flags[max(range(len(found)), key=lambda i: found[i].value)]


def test_a_group_holds_each_learner_once(model):
    groups = rows_by_threat(model.rows)
    assert sum(map(len, groups)) == len(model.rows)
    assert all([row.learner for row in group] == ["protonet", "maml"] for group in groups)


def test_no_number_is_shown_as_minus_zero():
    assert show_value(-1e-9, "share") == "0.0%"
    assert show_value(-1e-9, "number") == "0.000"

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import logit
from sklearn.metrics import roc_auc_score

from metarobust.metrics.calibration import confidence
from metarobust.metrics.selective import (
    augrc,
    aurc,
    excess_aurc,
    log_odds,
    risk_coverage,
)

answers = arrays(bool, st.integers(1, 30))


def brute(ordered: np.ndarray) -> float:
    """AURC of answers in order of confidence, by its definition."""
    return float(np.mean([(~ordered[:k]).mean() for k in range(1, ordered.size + 1)]))


def test_without_ties_it_is_the_definition() -> None:
    rng = np.random.default_rng(0)
    scores, correct = rng.random((4, 25)), rng.random((4, 25)) < 0.7
    ordered = correct.ravel()[np.argsort(-scores, axis=None)]
    curve = risk_coverage(scores, correct)
    assert aurc(curve) == pytest.approx(brute(ordered), abs=1e-12)
    np.testing.assert_allclose(curve.coverage, np.arange(1, 101) / 100)


@pytest.mark.parametrize("scores", [[3, 2, 2, 2, 1, 1], [1, 1, 1, 1, 1, 1], [2, 2, 2, 1, 1, 0]])
def test_ties_are_the_mean_over_all_orders(scores: list[int]) -> None:
    c, correct = np.array(scores), np.array([True, False, True, True, False, True])
    orders = [list(o) for o in permutations(range(6)) if (np.diff(c[list(o)]) <= 0).all()]
    expected = np.mean([brute(correct[o]) for o in orders])
    assert aurc(risk_coverage(c, correct)) == pytest.approx(expected, abs=1e-12)


def test_saturated_confidences_do_not_depend_on_their_order() -> None:
    # Two fifths of 5000 answers tie at 1: the best and the worst order differ by about 0.11.
    rng = np.random.default_rng(1)
    c = np.where(np.arange(5000) < 2000, 1.0, rng.random(5000))
    correct = rng.random(5000) < 0.5 + 0.3 * c
    found = aurc(risk_coverage(c, correct))
    best, worst = (brute(correct[np.lexsort((sign * correct, -c))]) for sign in (-1, 1))
    assert best + 0.04 < found < worst - 0.04
    assert worst - best > 0.1


@pytest.mark.parametrize("errors", [0, 1, 7, 20])
def test_the_perfect_order_has_no_excess(errors: int) -> None:
    correct = np.arange(20) >= errors
    assert excess_aurc(risk_coverage(np.arange(20), correct)) == pytest.approx(0.0, abs=1e-12)


def test_the_perfect_aurc_tends_to_its_closed_form() -> None:
    correct = np.arange(20_000) >= 6_000
    e = 0.3
    expected = e + (1 - e) * np.log(1 - e)
    assert aurc(risk_coverage(np.arange(20_000), correct)) == pytest.approx(expected, abs=5e-5)


def test_a_random_order_risks_its_error_rate() -> None:
    correct = np.arange(10) < 7
    curve = risk_coverage(np.zeros(10), correct)
    np.testing.assert_allclose(curve.risk, 0.3)
    assert augrc(curve) == pytest.approx(0.15)


@given(answers, st.data())
def test_augrc_is_exact_in_the_auroc(correct: np.ndarray, data) -> None:
    # Traub et al. 2024; integers make ties common.
    scores = data.draw(arrays(np.int64, correct.size, elements=st.integers(0, 6)))
    a = correct.mean()
    mixed = correct.any() and not correct.all()
    area = roc_auc_score(correct, scores) if mixed else 1.0
    expected = (1 - area) * a * (1 - a) + (1 - a) ** 2 / 2
    curve = risk_coverage(scores, correct)
    assert augrc(curve) == pytest.approx(expected, abs=1e-12)
    assert -1e-12 <= excess_aurc(curve) <= aurc(curve) <= 1
    assert curve.risk[-1] == pytest.approx(1 - a)
    order = np.array(data.draw(st.permutations(range(correct.size))))
    other = risk_coverage(scores[order] * 3, correct[order])
    np.testing.assert_allclose(other.risk, curve.risk, atol=1e-12)


@given(arrays(np.float64, (4, 5), elements=st.floats(-8, 8)))
def test_log_odds_are_those_of_the_confidence(z: np.ndarray) -> None:
    np.testing.assert_allclose(log_odds(z), logit(confidence(z)), atol=1e-8)
    np.testing.assert_allclose(log_odds(z + 300), log_odds(z), atol=1e-9)


def test_log_odds_order_what_saturates() -> None:
    z = np.array([[60.0, 0.0, 0.0], [80.0, 0.0, 0.0]])
    assert (confidence(z) == 1.0).all()
    np.testing.assert_allclose(log_odds(z), [60 - np.log(2), 80 - np.log(2)])

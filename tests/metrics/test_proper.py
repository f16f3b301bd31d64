import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.metrics import brier_score_loss, log_loss

from metarobust.metrics.calibration import probabilities
from metarobust.metrics.proper import (
    COLDEST,
    HOTTEST,
    brier,
    fit_temperature,
    nll,
    temperature_gain,
)

logits = arrays(np.float64, (4, 5), elements=st.floats(-30, 30))


@pytest.fixture
def evidence() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    z = rng.normal(scale=2.0, size=(500, 5))
    truth = softmax(z, axis=1).cumsum(axis=1)
    return 3.0 * z, (rng.random((500, 1)) > truth).sum(axis=1)


def test_brier_is_sklearns(evidence: tuple[np.ndarray, np.ndarray]) -> None:
    z, y = evidence
    expected = brier_score_loss(y, probabilities(z), scale_by_half=False, labels=range(5))
    assert brier(probabilities(z), y).mean() == pytest.approx(expected, abs=1e-12)


def test_nll_is_sklearns(evidence: tuple[np.ndarray, np.ndarray]) -> None:
    z, y = evidence
    assert nll(z, y).mean() == pytest.approx(log_loss(y, probabilities(z), labels=range(5)))


def test_nll_does_not_clip_what_underflows() -> None:
    assert nll(np.array([0.0, 5000.0], dtype=np.float32), np.array(0)) == pytest.approx(5000.0)


@pytest.mark.parametrize("ways", [2, 5, 20])
def test_a_uniform_guess_has_closed_scores(ways: int) -> None:
    z, y = np.zeros((3, ways)), np.zeros(3, dtype=np.int64)
    np.testing.assert_allclose(brier(probabilities(z), y), 1 - 1 / ways)
    np.testing.assert_allclose(nll(z, y), math.log(ways))


@given(logits, arrays(np.int64, 4, elements=st.integers(0, 4)), st.permutations(range(5)))
def test_scores_are_bounded_and_blind_to_the_names_of_classes(z, y, order) -> None:
    squares, logs = brier(probabilities(z), y), nll(z, y)
    assert ((squares >= 0) & (squares <= 2 + 1e-12)).all()
    assert (logs >= 0).all()
    renamed = np.argsort(order)[y]
    np.testing.assert_allclose(brier(probabilities(z[:, order]), renamed), squares, atol=1e-12)
    np.testing.assert_allclose(nll(z[:, order] + 7.0, renamed), logs, atol=1e-9)


def test_both_scores_are_proper() -> None:
    # In expectation over the truth p, no forecast beats p itself.
    truth = np.array([0.6, 0.3, 0.1])
    labels = np.arange(3)

    def expected(forecast: np.ndarray) -> tuple[float, float]:
        tiled = np.tile(forecast, (3, 1))
        return float(truth @ brier(tiled, labels)), float(truth @ nll(np.log(tiled), labels))

    best = expected(truth)
    for forecast in np.random.default_rng(1).dirichlet(np.ones(3), size=50):
        assert all(b <= e for b, e in zip(best, expected(forecast), strict=True))


@pytest.mark.parametrize("share", [0.55, 0.75, 0.95])
def test_temperature_has_a_closed_form_for_two_classes(share: float) -> None:
    # Logits (a, 0) right with probability p: sigmoid(a / T) = p, so T = a / log(p / (1 - p)).
    z, y = (
        np.tile([3.0, 0.0], (100, 1)),
        np.repeat([0, 1], [round(100 * share), 100 - round(100 * share)]),
    )
    expected = 3.0 / math.log(share / (1 - share))
    assert fit_temperature(z, y) == pytest.approx(expected, rel=1e-4)


def test_temperature_is_that_of_an_unbounded_search(
    evidence: tuple[np.ndarray, np.ndarray],
) -> None:
    z, y = evidence
    found = minimize(
        lambda b: log_loss(y, softmax(z * b[0], axis=1)), x0=[1.0], method="Nelder-Mead", tol=1e-8
    )
    fitted = fit_temperature(z, y)
    assert fitted == pytest.approx(1 / found.x[0], rel=1e-3)
    assert fitted == pytest.approx(3.0, rel=0.1)


def test_temperature_undoes_a_scale_and_ignores_a_shift(
    evidence: tuple[np.ndarray, np.ndarray],
) -> None:
    z, y = evidence
    fitted = fit_temperature(z, y)
    assert fit_temperature(2.0 * z, y) == pytest.approx(2.0 * fitted, rel=1e-4)
    assert fit_temperature(z + 100.0, y) == pytest.approx(fitted, rel=1e-4)


def test_temperature_ends_where_nothing_holds_it() -> None:
    z, y = np.eye(5), np.arange(5)
    assert fit_temperature(z, y) == pytest.approx(COLDEST, rel=1e-2)
    assert fit_temperature(z, (y + 1) % 5) == pytest.approx(HOTTEST, rel=1e-2)


@pytest.mark.parametrize("share", [0.55, 0.75, 0.95])
def test_the_gain_of_a_temperature_has_a_closed_form_for_two_classes(share: float) -> None:
    # Right with probability p at logit a: NLL(1) = log(1 + e^-a) + (1 - p) a, NLL(T*) = H(p).
    wrong = round(100 * (1 - share))
    z, y = (
        np.tile([3.0, 0.0], (2, 100, 1)),
        np.tile(np.repeat([0, 1], [100 - wrong, wrong]), (2, 1)),
    )
    before = math.log1p(math.exp(-3.0)) + (1 - share) * 3.0
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    gain = temperature_gain(z, y, fit_temperature(z, y))
    assert gain.value == pytest.approx(1 - entropy / before, abs=1e-6)
    assert gain.numerator.shape == (2,)


@given(logits, arrays(np.int64, 4, elements=st.integers(0, 4)))
def test_the_fitted_temperature_never_loses(z: np.ndarray, y: np.ndarray) -> None:
    z = z + 1e-3 * np.arange(5)  # equal logits everywhere have no temperature
    fitted = temperature_gain(z[None], y[None], fit_temperature(z, y))
    assert fitted.numerator >= -1e-6
    for temperature in (0.3, 1.0, 4.0):
        other = temperature_gain(z[None], y[None], temperature)
        assert fitted.numerator >= other.numerator - 1e-5 * abs(other.denominator)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax
from sklearn.isotonic import IsotonicRegression

from metarobust.metrics.corp import decompose, recalibrated
from metarobust.metrics.proper import brier

forecasts = arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1, width=16))


def evidence(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    p = rng.random(count).round(2)
    return p, rng.random(count) < p**2


def test_recalibration_is_sklearns_isotonic_regression() -> None:
    p, y = evidence(np.random.default_rng(0), 500)
    expected = IsotonicRegression(out_of_bounds="clip").fit_transform(p, y)
    np.testing.assert_allclose(recalibrated(p, y), expected, atol=1e-12)


def test_the_parts_are_model_diagnostics() -> None:
    scoring = pytest.importorskip("model_diagnostics.scoring")
    p, y = evidence(np.random.default_rng(1), 400)
    table = scoring.decompose(y.astype(float), p, scoring_function=scoring.SquaredError())
    found = decompose(p, y)
    expected = [table[name][0] for name in ("miscalibration", "discrimination", "uncertainty")]
    parts = [found.miscalibration, found.discrimination, found.uncertainty]
    assert parts == pytest.approx(expected, abs=1e-10)


def test_the_parts_of_the_multi_class_brier_score() -> None:
    rng = np.random.default_rng(2)
    p = softmax(rng.normal(scale=2.0, size=(8, 25, 5)), axis=-1)
    y = rng.integers(5, size=(8, 25))
    found = decompose(p, np.eye(5)[y])
    assert 5 * found.score == pytest.approx(brier(p, y).mean(), abs=1e-12)
    assert 5 * found.uncertainty == pytest.approx(1 - 1 / 5)


def test_known_calibration_curves() -> None:
    # Forecast p, truth p^2: MCB = E (p - p^2)^2 = 1/30, DSC = Var p^2 = 4/45, UNC = 1/3 * 2/3.
    rng = np.random.default_rng(3)
    p = rng.random(200_000)
    found = decompose(p, rng.random(p.size) < p**2)
    assert found.miscalibration == pytest.approx(1 / 30, abs=2e-3)
    assert found.discrimination == pytest.approx(4 / 45, abs=2e-3)
    assert found.uncertainty == pytest.approx(2 / 9, abs=2e-3)


@given(forecasts, st.data())
def test_the_parts_add_up_and_none_is_negative(p: np.ndarray, data) -> None:
    y = data.draw(arrays(bool, p.size))
    found = decompose(p, y)
    total = found.miscalibration - found.discrimination + found.uncertainty
    assert total == pytest.approx(found.score, abs=1e-12)
    assert min(found.miscalibration, found.discrimination) >= -1e-12
    fitted = recalibrated(p, y)
    assert (np.diff(fitted[np.argsort(p, kind="stable")]) >= -1e-12).all()
    again = decompose(fitted, y)
    assert again.miscalibration == pytest.approx(0.0, abs=1e-12)
    assert again.discrimination == pytest.approx(found.discrimination, abs=1e-12)
    order = np.array(data.draw(st.permutations(range(p.size))))
    np.testing.assert_allclose(recalibrated(p[order], y[order]), fitted[order], atol=1e-12)

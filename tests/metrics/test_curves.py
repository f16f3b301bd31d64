import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import auc

from metarobust.metrics.curves import curve_area, half_accuracy_budget, median_radius

EPS = np.array([0, 1, 2, 4, 8, 16]) / 255
curves = arrays(np.float64, (3, 6), elements=st.floats(0, 1, width=32))


@given(curves)
def test_area_is_sklearns_and_a_mean_height(accuracies: np.ndarray) -> None:
    found = curve_area(EPS, accuracies)
    expected = [auc(EPS, row) / EPS[-1] for row in accuracies]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (found >= accuracies.min(axis=1) - 1e-12).all()
    assert (found <= accuracies.max(axis=1) + 1e-12).all()
    np.testing.assert_allclose(curve_area(255 * EPS, accuracies), found, atol=1e-12)
    mean = curve_area(EPS, accuracies.mean(axis=0))
    assert mean == pytest.approx(found.mean(), abs=1e-12)


def test_severity_area_of_a_straight_line() -> None:
    assert curve_area(np.arange(6), np.linspace(0.9, 0.4, 6)) == pytest.approx(0.65)


def test_half_accuracy_is_numpys_interpolation_of_a_monotone_curve() -> None:
    accuracies = np.array([0.92, 0.81, 0.7, 0.41, 0.2, 0.02])
    expected = np.interp(0.46, accuracies[::-1], EPS[::-1])
    assert half_accuracy_budget(EPS, accuracies) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ([0.8, 0.4, 0.1], 1.0),
        ([0.8, 0.4, 0.4], 1.0),
        ([0.8, 0.6, 0.41], math.inf),
        ([0.8, 0.2, 0.6], 2 / 3),
        ([0.8, 0.8, 0.0], 2.0),
    ],
)
def test_half_accuracy_at_its_landmarks(accuracies: list[float], expected: float) -> None:
    assert half_accuracy_budget(np.array([0, 1, 3]), np.array(accuracies)) == pytest.approx(
        expected
    )


def test_radius_of_a_linear_classifier() -> None:
    # A query at x ~ N(1, 1) of the class x > 0 falls to a shift of x; its median is 1.
    x = np.random.default_rng(0).normal(1.0, 1.0, size=(400, 100))
    assert median_radius(np.abs(x), x > 0) == pytest.approx(1.0, abs=0.02)


@given(arrays(np.float64, (2, 5), elements=st.floats(0, 1)), arrays(bool, (2, 5)))
def test_half_of_the_queries_are_wrong_at_the_median_radius(radii, correct) -> None:
    median = median_radius(radii, correct)
    sizes = np.where(correct, radii, 0)
    assert (sizes <= median).mean() >= 0.5
    assert (sizes >= median).mean() >= 0.5


def test_the_area_is_the_mean_radius_up_to_the_largest_budget() -> None:
    # Accuracy at eps is P(radius > eps), and E min(R, M) is the integral of P(R > eps) to M.
    radii = np.random.default_rng(1).exponential(0.02, size=500)
    grid = np.linspace(0, 0.06, 2001)
    accuracies = (radii[:, None] > grid).mean(axis=0)
    assert curve_area(grid, accuracies) == pytest.approx(
        np.minimum(radii, 0.06).mean() / 0.06, abs=1e-3
    )
    half = half_accuracy_budget(grid, accuracies)
    assert half == pytest.approx(median_radius(radii, np.ones(500, bool)), abs=1e-4)


def test_a_query_that_never_fell_has_no_radius() -> None:
    never = np.full(4, np.inf)
    assert median_radius(never, np.ones(4, bool)) == math.inf
    assert median_radius(never, np.array([True, False, False, False])) == 0.0


@pytest.mark.parametrize("budgets", [[0.0], [0.1, 0.2], [0.0, 0.2, 0.2], [0.0, 0.2, 0.1]])
def test_budgets_increase_from_the_clean_cell(budgets: list[float]) -> None:
    for measure in (curve_area, half_accuracy_budget):
        with pytest.raises(ValueError, match="increase from 0"):
            measure(np.array(budgets), np.ones(len(budgets)))


def test_what_has_no_answer_says_so() -> None:
    with pytest.raises(ValueError, match="clean accuracy above 0"):
        half_accuracy_budget(np.array([0, 1]), np.zeros(2))
    with pytest.raises(ValueError, match="at least one query"):
        median_radius(np.empty(0), np.empty(0, bool))

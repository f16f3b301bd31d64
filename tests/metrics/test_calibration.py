import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax
from sklearn.calibration import calibration_curve

from metarobust.metrics.calibration import (
    Bins,
    confidence,
    debiased_square,
    ece,
    episode_gaps,
    mass_edges,
    mce,
    null_ece,
    probabilities,
    reliability_bins,
    signed_gap,
    width_edges,
)

confidences = arrays(np.float64, st.integers(1, 60), elements=st.floats(0.0, 1.0, width=32))


def learner(
    rng: np.random.Generator, queries: int, sharpen: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Five-way logits, calibrated at `sharpen` 1 with accuracy 0.645; labels; correctness."""
    logits = rng.normal(scale=2.0, size=(queries, 5))
    truth = softmax(logits, axis=1).cumsum(axis=1)
    labels = (rng.random((queries, 1)) > truth).sum(axis=1)
    return logits * sharpen, labels, logits.argmax(axis=1) == labels


def brute_ece(c: np.ndarray, a: np.ndarray, bins: int) -> float:
    """ECE by the definition, bin by bin: ((b-1)/B, b/B]."""
    total = 0.0
    for b in range(bins):
        inside = (c > b / bins) & (c <= (b + 1) / bins)
        if inside.any():
            total += inside.mean() * abs(a[inside].mean() - c[inside].mean())
    return total


def test_softmax_is_float64_and_safe() -> None:
    logits = np.array([[3000.0, 2999.0], [-5.0, -5.0]], dtype=np.float32)
    shares = probabilities(logits)
    assert shares.dtype == np.float64
    np.testing.assert_allclose(shares, [[1 / (1 + np.exp(-1)), 1 / (1 + np.e)], [0.5, 0.5]])


@given(arrays(np.float64, (3, 5), elements=st.floats(-50, 50)), st.floats(-1000, 1000))
def test_confidence_ignores_shifts_and_the_order_of_classes(z: np.ndarray, shift: float) -> None:
    expected = confidence(z)
    assert ((expected >= 0.2 - 1e-12) & (expected <= 1)).all()
    np.testing.assert_allclose(confidence(z + shift), expected, atol=1e-10)
    np.testing.assert_allclose(confidence(z[:, ::-1]), expected, atol=1e-12)


def test_ece_is_the_definition_and_uncertainty_calibration() -> None:
    oracle = pytest.importorskip("calibration")
    logits, labels, a = learner(np.random.default_rng(0), 1500, sharpen=1.6)
    c = confidence(logits)
    width = ece(reliability_bins(c, a, width_edges()))
    mass = ece(reliability_bins(c, a, mass_edges(c)))
    shares = probabilities(logits)
    assert width == pytest.approx(brute_ece(c, a, 15), abs=1e-12)
    assert width == pytest.approx(oracle.get_ece(shares, labels), abs=1e-12)
    assert mass == pytest.approx(oracle.get_ece_em(shares, labels), abs=1e-12)


def test_debiased_square_is_uncertainty_calibrations() -> None:
    utils = pytest.importorskip("calibration.utils")
    for sharpen, queries in ((1.0, 75), (1.6, 75), (1.6, 1500)):
        logits, _, a = learner(np.random.default_rng(1), queries, sharpen)
        c = confidence(logits)
        binned = utils.bin(list(zip(c, a, strict=True)), utils.get_equal_bins(c, 15))
        ours = debiased_square(reliability_bins(c, a, mass_edges(c)))
        assert ours == pytest.approx(utils.unbiased_square_ce(binned), abs=1e-12)


def test_ece_and_mce_are_netcals() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metrics = pytest.importorskip("netcal.metrics")
    logits, labels, a = learner(np.random.default_rng(2), 3000, sharpen=1.6)
    bins = reliability_bins(confidence(logits), a, width_edges())
    shares = probabilities(logits)
    assert ece(bins) == pytest.approx(metrics.ECE(15).measure(shares, labels), abs=1e-12)
    assert mce(bins, floor=1) == pytest.approx(metrics.MCE(15).measure(shares, labels), abs=1e-12)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_reliability_points_are_sklearns(strategy: str) -> None:
    logits, _, a = learner(np.random.default_rng(3), 1500)
    c = confidence(logits)
    accuracies, means = calibration_curve(a, c, n_bins=15, strategy=strategy)
    bins = reliability_bins(c, a, width_edges() if strategy == "uniform" else mass_edges(c))
    # sklearn interpolates its quantiles, which moves no query from one bin to another here.
    np.testing.assert_allclose(bins.accuracy, accuracies, atol=1e-12)
    np.testing.assert_allclose(bins.confidence, means, atol=1e-12)
    assert bins.count.sum() == 1500


def test_certainty_has_no_sixteenth_bin() -> None:
    # With c = 1 in a bin of its own (torchmetrics #3510) the two gaps, of opposite sign, would not
    # cancel, and the answer would be (0.04 + 0.5) / 2 = 0.27.
    c = np.array([0.96, 0.96, 1.0, 1.0])
    a = np.array([True, True, True, False])
    bins = reliability_bins(c, a, width_edges(15))
    np.testing.assert_array_equal(bins.count, [4])
    assert ece(bins) == pytest.approx(0.98 - 0.75)


def test_bins_are_closed_above() -> None:
    bins = reliability_bins(np.array([0.2, 0.4, 0.6]), np.ones(3, bool), width_edges(5))
    np.testing.assert_array_equal(bins.count, [1, 1, 1])
    np.testing.assert_allclose(bins.confidence, [0.2, 0.4, 0.6])


@pytest.mark.parametrize(("queries", "bins"), [(1500, 15), (1507, 15), (10, 15), (1, 15)])
def test_mass_bins_hold_equal_shares(queries: int, bins: int) -> None:
    c = np.random.default_rng(4).random(queries)
    count = reliability_bins(c, np.ones(queries, bool), mass_edges(c, bins)).count
    assert count.size == min(queries, bins)
    assert np.ptp(count) <= 1


@given(confidences, st.data())
def test_binning_does_not_depend_on_order_and_never_splits_equals(c: np.ndarray, data) -> None:
    a = data.draw(arrays(bool, c.size))
    order = np.array(data.draw(st.permutations(range(c.size))))
    edges = mass_edges(c)
    np.testing.assert_array_equal(mass_edges(c[order]), edges)
    one, other = reliability_bins(c, a, edges), reliability_bins(c[order], a[order], edges)
    np.testing.assert_array_equal(one.count, other.count)
    assert ece(one) == pytest.approx(ece(other), abs=1e-12)


@given(confidences, st.data())
def test_bounds_of_the_binned_errors(c: np.ndarray, data) -> None:
    a = data.draw(arrays(bool, c.size))
    for edges in (width_edges(), mass_edges(c)):
        bins = reliability_bins(c, a, edges)
        assert bins.count.sum() == c.size
        # Jensen: the gap of the whole is at most the mean gap of the bins, which no bin exceeds.
        assert abs(a.mean() - c.mean()) - 1e-12 <= ece(bins) <= mce(bins, floor=1) + 1e-12
        assert debiased_square(bins) <= (mce(bins, floor=1)) ** 2 + 1e-12
        pooled = np.abs(episode_gaps(c[None], a[None], edges).sum(axis=0)).sum() / c.size
        assert pooled == pytest.approx(ece(bins), abs=1e-12)


def test_episode_gaps_add_up_over_episodes() -> None:
    rng = np.random.default_rng(5)
    c, a = rng.random((6, 25)), rng.random((6, 25)) < 0.5
    edges = width_edges()
    rows = episode_gaps(c, a, edges)
    whole = episode_gaps(c.reshape(1, -1), a.reshape(1, -1), edges)[0]
    np.testing.assert_allclose(rows.sum(axis=0), whole, atol=1e-12)
    np.testing.assert_allclose(rows.sum(axis=1), (a - c).sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(rows.sum(axis=1), -25 * signed_gap(c, a), atol=1e-12)


def test_mce_needs_a_bin_that_is_full_enough() -> None:
    bins = Bins(np.array([50, 2]), np.array([0.35, 0.95]), np.array([0.4, 0.0]))
    assert mce(bins, floor=2) == pytest.approx(0.95)
    with pytest.raises(ValueError, match=r"at least 51 queries, the fullest has 50"):
        mce(bins, floor=51)


@pytest.mark.parametrize(
    ("queries", "draws", "width", "mass", "tolerance"),
    [
        (75, 400, 0.127, 0.157, 0.004),
        (750, 150, 0.041, 0.050, 0.003),
        (7500, 30, 0.013, 0.015, 1e-3),
    ],
)
def test_small_sample_bias_of_a_calibrated_learner(
    queries: int, draws: int, width: float, mass: float, tolerance: float
) -> None:
    """Measured elsewhere for 5-way, accuracy 0.645; one episode of 15 queries a class is n = 75."""
    rng = np.random.default_rng(6)
    found = []
    for _ in range(draws):
        logits, _, a = learner(rng, queries)
        c = confidence(logits)
        by_width = reliability_bins(c, a, width_edges())
        by_mass = reliability_bins(c, a, mass_edges(c))
        null = null_ece(c, width_edges(), rng, resamples=20).mean()
        found.append((ece(by_width), ece(by_mass), debiased_square(by_width), null, a.mean()))
    by_width, by_mass, square, null, right = np.mean(found, axis=0)
    assert right == pytest.approx(0.645, abs=0.01)
    assert by_width == pytest.approx(width, abs=tolerance)
    assert by_mass == pytest.approx(mass, abs=tolerance)
    assert square == pytest.approx(0.0, abs=0.003)
    assert null == pytest.approx(by_width, abs=tolerance)


def test_null_ece_has_the_closed_form_of_one_bin() -> None:
    # One bin, n confidences of p: n * ECE = |Binomial(n, p) - n p|, whose mean de Moivre found.
    n, p = 25, 0.6
    draws = null_ece(np.full(n, p), mass_edges(np.full(n, p)), np.random.default_rng(7), 20000)
    ceiling = int(np.floor(n * p)) + 1
    binomial = np.prod(np.arange(n, n - ceiling, -1) / np.arange(1, ceiling + 1))
    expected = 2 * ceiling * binomial * p**ceiling * (1 - p) ** (n - ceiling + 1) / n
    assert draws.mean() == pytest.approx(expected, abs=4 * draws.std() / np.sqrt(draws.size))


@given(confidences)
def test_null_ece_ignores_the_order_and_is_zero_for_the_certain(c: np.ndarray) -> None:
    edges = mass_edges(c)
    one = null_ece(c, edges, np.random.default_rng(0), 5)
    np.testing.assert_array_equal(one, null_ece(c[::-1], edges, np.random.default_rng(0), 5))
    assert ((one >= 0) & (one <= 1)).all()
    certain = np.round(c)
    assert not null_ece(certain, mass_edges(certain), np.random.default_rng(0), 5).any()

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax

from metarobust.metrics.calibration import mass_edges, width_edges
from metarobust.metrics.classwise import classwise_ece, marginal_ece

logits = arrays(np.float64, (3, 4, 5), elements=st.floats(-8, 8))
labelled = arrays(np.int64, (3, 4), elements=st.integers(0, 4))


def learner(rng: np.random.Generator, episodes: int, sharpen: float = 1.0):
    """Probabilities of 5-way episodes of 25 queries, calibrated at `sharpen` 1; labels."""
    z = rng.normal(scale=2.0, size=(episodes, 25, 5))
    truth = softmax(z, axis=-1).cumsum(axis=-1)
    labels = (rng.random((episodes, 25, 1)) > truth).sum(axis=-1)
    return softmax(z * sharpen, axis=-1), labels


def brute(p: np.ndarray, y: np.ndarray, bins: int) -> float:
    total = 0.0
    for b in range(bins):
        inside = (p > b / bins) & (p <= (b + 1) / bins)
        if inside.any():
            total += inside.mean() * abs(y[inside].mean() - p[inside].mean())
    return total


def test_marginal_ece_is_the_definition_over_all_pairs() -> None:
    p, y = learner(np.random.default_rng(0), 40, sharpen=1.6)
    expected = brute(p.ravel(), np.eye(5)[y].ravel(), 15)
    assert marginal_ece(p, y, width_edges()) == pytest.approx(expected, abs=1e-12)


def test_classwise_ece_is_the_definition_class_by_class() -> None:
    rng = np.random.default_rng(1)
    p, y = learner(rng, 30, sharpen=1.6)
    class_ids = np.stack([rng.choice(9, size=5, replace=False) for _ in range(30)])
    found = classwise_ece(p, y, class_ids, width_edges())
    for k, value, count in zip(found.names, found.value, found.count, strict=True):
        episode, slot = np.nonzero(class_ids == k)
        expected = brute(p[episode, :, slot].ravel(), (y[episode] == slot[:, None]).ravel(), 15)
        assert value == pytest.approx(expected, abs=1e-12)
        assert count == 25 * episode.size


def test_with_fixed_classes_it_is_uncertainty_calibrations() -> None:
    oracle = pytest.importorskip("calibration")
    p, y = learner(np.random.default_rng(2), 60, sharpen=1.6)
    found = classwise_ece(p, y, np.tile(np.arange(5), (60, 1)), width_edges())
    expected = oracle.lower_bound_scaling_ce(
        p.reshape(-1, 5),
        y.ravel(),
        p=1,
        debias=False,
        num_bins=15,
        binning_scheme=lambda values, num_bins: [*width_edges(num_bins), 1.0],
        mode="marginal",
    )
    assert found.average == pytest.approx(expected, abs=1e-12)


def test_a_calibrated_learner_is_near_zero_and_a_sharpened_one_is_not() -> None:
    rng = np.random.default_rng(3)
    p, y = learner(rng, 800)
    assert marginal_ece(p, y, mass_edges(p)) < 0.006
    p, y = learner(rng, 800, sharpen=2.0)
    assert marginal_ece(p, y, mass_edges(p)) > 0.04


@given(logits, labelled, st.permutations(range(5)))
def test_the_names_of_slots_do_not_matter(z: np.ndarray, y: np.ndarray, order) -> None:
    p, class_ids = softmax(z, axis=-1), np.tile(np.arange(10, 15), (3, 1))
    edges, shuffled, renamed = mass_edges(p), p[..., order], np.argsort(order)[y]
    assert marginal_ece(shuffled, renamed, edges) == pytest.approx(
        marginal_ece(p, y, edges), abs=1e-12
    )
    one = classwise_ece(p, y, class_ids, edges)
    other = classwise_ece(shuffled, renamed, class_ids[:, order], edges)
    np.testing.assert_allclose(other.value, one.value, atol=1e-12)
    # Pooling classes lets their gaps cancel within a bin: the triangle inequality.
    assert marginal_ece(p, y, edges) <= one.average + 1e-12

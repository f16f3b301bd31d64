import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from metarobust.metrics.separation import (
    auroc,
    energy,
    episode_failure_auroc,
    failure_auroc,
    false_positive_rate,
    reweighted_false_positive_rate,
)

scores = arrays(np.float64, st.integers(1, 30), elements=st.integers(0, 8).map(float))


def labelled(known: np.ndarray, unknown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth = np.repeat([1, 0], [known.size, unknown.size])
    return truth, np.concatenate([known, unknown])


@given(scores, scores)
def test_auroc_is_sklearns_and_a_share_of_pairs(positive, negative) -> None:
    found = auroc(positive, negative)
    assert found == pytest.approx(roc_auc_score(*labelled(positive, negative)), abs=1e-12)
    difference = positive[:, None] - negative
    assert found == pytest.approx(((difference > 0) + 0.5 * (difference == 0)).mean(), abs=1e-12)
    assert auroc(negative, positive) == pytest.approx(1 - found, abs=1e-12)
    assert auroc(np.exp(positive), np.exp(negative)) == pytest.approx(found, abs=1e-12)


def test_auroc_of_two_normals_has_a_closed_form() -> None:
    rng = np.random.default_rng(0)
    found = auroc(rng.normal(1.0, 1.0, 40_000), rng.normal(0.0, 1.0, 40_000))
    assert found == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=0.005)


@given(scores, scores, st.sampled_from([0.5, 0.8, 0.95, 1.0]))
def test_false_positive_rate_is_on_sklearns_curve(known, unknown, recall: float) -> None:
    false, true, _ = roc_curve(*labelled(known, unknown), drop_intermediate=False)
    expected = false[np.argmax(true >= recall - 1e-12)]
    assert false_positive_rate(known, unknown, recall) == pytest.approx(expected, abs=1e-12)


def test_false_positive_rate_of_two_normals() -> None:
    rng = np.random.default_rng(1)
    found = false_positive_rate(rng.normal(2.0, 1.0, 40_000), rng.normal(0.0, 1.0, 40_000))
    assert found == pytest.approx(norm.sf(2.0 + norm.ppf(0.05)), abs=0.01)


def test_failures_are_pooled_or_taken_episode_by_episode() -> None:
    rng = np.random.default_rng(2)
    c, a = rng.random((6, 15)), rng.random((6, 15)) < 0.7
    a[1], a[4] = True, False
    assert failure_auroc(c, a) == pytest.approx(roc_auc_score(a.ravel(), c.ravel()))
    found = episode_failure_auroc(c, a)
    np.testing.assert_array_equal(np.isnan(found), [False, True, False, False, True, False])
    for e in (0, 2, 3, 5):
        assert found[e] == pytest.approx(roc_auc_score(a[e], c[e]))


def test_what_cannot_be_separated_says_so() -> None:
    with pytest.raises(ValueError, match="got 0 positive and 3 negative"):
        failure_auroc(np.arange(3), np.zeros(3, bool))
    with pytest.raises(ValueError, match="got 3 positive and 0 negative"):
        false_positive_rate(np.arange(3), np.empty(0))


@given(arrays(np.float64, (3, 5), elements=st.floats(-30, 30)), st.floats(0.1, 10))
def test_energy_is_a_soft_maximum(z: np.ndarray, temperature: float) -> None:
    found = energy(z, temperature)
    assert (found >= z.max(axis=-1) - 1e-9).all()
    assert (found <= z.max(axis=-1) + temperature * np.log(5) + 1e-9).all()
    np.testing.assert_allclose(energy(z + 7, temperature), found + 7, atol=1e-9)
    np.testing.assert_allclose(energy(z), np.log(np.exp(z).sum(axis=-1)), atol=1e-9)


@settings(deadline=None, max_examples=50)
@given(
    arrays(np.float64, (4, 5), elements=st.integers(0, 6).map(float)),
    arrays(np.float64, (4, 3), elements=st.integers(0, 6).map(float)),
    arrays(np.int64, (6, 4), elements=st.integers(0, 3)),
    st.sampled_from([0.5, 0.8, 0.95, 1.0]),
)
def test_the_reweighted_rate_is_that_of_repeated_episodes(known, unknown, weights, recall) -> None:
    weights[:, 0] += 1
    found = reweighted_false_positive_rate(known, unknown, weights, recall)
    for row, rate in zip(weights, found, strict=True):
        repeated = (np.repeat(kind, row, axis=0) for kind in (known, unknown))
        assert rate == pytest.approx(false_positive_rate(*repeated, recall))

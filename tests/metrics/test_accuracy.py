import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, cohen_kappa_score

from metarobust.metrics.accuracy import (
    Ratio,
    accuracy,
    drop_points,
    relative_drop,
    retention,
    robust_given_correct,
)

hits = arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 8)))


def test_accuracy_is_sklearns_episode_by_episode() -> None:
    rng = np.random.default_rng(0)
    said, truth = rng.integers(5, size=(2, 7, 25))
    expected = [accuracy_score(t, s) for t, s in zip(truth, said, strict=True)]
    np.testing.assert_allclose(accuracy(said == truth), expected, rtol=0, atol=1e-15)


def test_retention_is_a_ratio_of_kappas_when_the_predictions_are_uniform() -> None:
    # Each class is predicted and true equally often, so Cohen's expected agreement is 1/N.
    truth = np.repeat(np.arange(4), 10)
    clean = truth.copy()
    clean[::10] = (clean[::10] + 1) % 4
    attacked = clean.copy()
    attacked[1::5] = (attacked[1::5] + 1) % 4
    kappas = cohen_kappa_score(truth, attacked) / cohen_kappa_score(truth, clean)
    ratio = retention(accuracy((clean == truth)[None]), accuracy((attacked == truth)[None]), ways=4)
    assert ratio.value == pytest.approx(kappas, abs=1e-12)


@pytest.mark.parametrize(
    ("clean", "attacked", "ways", "kept"),
    [(0.9, 0.9, 5, 1.0), (0.9, 0.2, 5, 0.0), (0.9, 0.0, 5, -2 / 7), (1.0, 0.525, 20, 0.5)],
)
def test_retention_at_its_landmarks(clean: float, attacked: float, ways: int, kept: float) -> None:
    assert retention(np.array([clean]), np.array([attacked]), ways).value == pytest.approx(kept)


def test_a_ratio_weighs_episodes_by_their_denominator() -> None:
    clean, attacked = np.array([1.0, 0.0, 0.5]), np.array([0.5, 0.0, 0.1])
    assert relative_drop(clean, attacked).value == pytest.approx(0.9 / 1.5)
    np.testing.assert_allclose(drop_points(clean, attacked), [50, 0, 40])


def test_robust_given_correct_pools_the_queries() -> None:
    rng = np.random.default_rng(1)
    clean, attacked = rng.random((2, 9, 20)) < 0.6
    expected = (clean & attacked).sum() / clean.sum()
    assert robust_given_correct(clean, attacked).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("parts", [(np.ones(2), np.zeros(2)), (np.empty(0), np.empty(0))])
def test_an_undefined_ratio_says_so(parts: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="mean denominator above 0"):
        _ = Ratio(*parts).value


@given(hits)
def test_everything_survives_when_nothing_changes(correct: np.ndarray) -> None:
    share = accuracy(correct)
    assert ((share >= 0) & (share <= 1)).all()
    assert not drop_points(share, share).any()
    if correct.any():
        assert relative_drop(share, share).value == 0
        assert robust_given_correct(correct, correct).value == 1


@given(hits, st.randoms(use_true_random=False))
def test_the_order_of_episodes_and_queries_does_not_matter(correct: np.ndarray, random) -> None:
    rows = random.sample(range(correct.shape[0]), correct.shape[0])
    columns = random.sample(range(correct.shape[1]), correct.shape[1])
    shuffled = accuracy(correct[rows][:, columns])
    np.testing.assert_allclose(np.sort(shuffled), np.sort(accuracy(correct)))

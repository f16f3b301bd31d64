import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metarobust.metrics.corruption import (
    corruption_error,
    mean_corruption_error,
    relative_corruption_error,
    relative_mean_corruption_error,
)
from metarobust.stats.intervals import ratio_interval

# Mean error of AlexNet over the five severities of each corruption of ImageNet-C, as published
# with the benchmark: noise (3), blur (4), weather (3), digital (5).
ALEXNET = np.array([
    0.886428, 0.894468, 0.922640, 0.819880, 0.826268, 0.785948, 0.798360, 0.866816,
    0.826572, 0.819324, 0.564592, 0.853204, 0.646056, 0.717840, 0.606500,
])  # fmt: skip
# CE of ResNet-50 in percent, Geirhos et al. 2019 (the vanilla row of their ImageNet-C table).
RESNET50 = np.array([
    79.8, 81.6, 82.6, 74.7, 88.6, 78.0, 79.9, 77.8, 74.8, 66.1, 56.6, 71.4, 84.8, 76.9, 76.8,
])  # fmt: skip
ALEXNET_CLEAN, RESNET50_CLEAN = np.array([0.435]), np.array([0.239])

tables = arrays(np.float64, (3, 4, 5), elements=st.floats(0.125, 1, width=32))


def test_the_published_scores_of_resnet50() -> None:
    # Hendrycks & Dietterich 2019, Table 1: mCE 76.7 and relative mCE 105.0, clean errors as above.
    errors = (RESNET50 / 100 * ALEXNET)[None, :, None]
    reference = ALEXNET[None, :, None]
    assert 100 * mean_corruption_error(errors, reference) == pytest.approx(76.7, abs=0.05)
    relative = relative_mean_corruption_error(errors, RESNET50_CLEAN, reference, ALEXNET_CLEAN)
    assert 100 * relative == pytest.approx(105.0, abs=0.2)


@given(tables, tables)
def test_severities_are_summed_before_they_are_divided(errors, reference) -> None:
    ratio = corruption_error(errors[:, 0], reference[:, 0])
    assert ratio.value == pytest.approx(errors[:, 0].sum() / reference[:, 0].sum())
    expected = errors.sum(axis=(0, 2)) / reference.sum(axis=(0, 2))
    assert mean_corruption_error(errors, reference) == pytest.approx(expected.mean())


@given(tables, st.floats(0, 0.1))
def test_the_reference_scores_one_against_itself(errors: np.ndarray, clean: float) -> None:
    before = np.full(3, clean)
    assert corruption_error(errors[:, 0], errors[:, 0]).value == pytest.approx(1)
    assert mean_corruption_error(errors, errors) == pytest.approx(1)
    assert relative_mean_corruption_error(errors, before, errors, before) == pytest.approx(1)


def test_relative_errors_subtract_the_learners_own_clean_error() -> None:
    rng = np.random.default_rng(0)
    errors, reference = rng.uniform(0.4, 0.9, size=(2, 20, 5))
    clean, reference_clean = rng.uniform(0.0, 0.2, size=(2, 20))
    added = (errors - clean[:, None]).sum() / (reference - reference_clean[:, None]).sum()
    ratio = relative_corruption_error(errors, clean, reference, reference_clean)
    assert ratio.value == pytest.approx(added)


def test_a_corruption_that_spares_the_reference_says_nothing() -> None:
    rng = np.random.default_rng(1)
    errors = rng.uniform(0.2, 0.4, size=(40, 5))
    clean = np.full(40, 0.125)
    spared = relative_corruption_error(errors, clean, np.full((40, 5), 0.125), clean)
    with pytest.raises(ValueError, match="mean denominator above 0"):
        _ = spared.value
    barely = clean[:, None] + np.resize([0.06, -0.05], (40, 1)) * np.ones(5)
    found = ratio_interval(*relative_corruption_error(errors, clean, barely, clean))
    assert found.value is None
    assert "covers 0" in found.reason

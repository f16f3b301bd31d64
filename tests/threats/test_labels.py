"""Label noise flips exactly as many labels as asked, and never to the true one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metarobust.threats.labels import poison_mask, symmetric_flip


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 20), st.integers(1, 5), st.floats(0, 1, allow_nan=False), st.integers(0, 99))
def test_symmetric_flip_changes_exactly_the_fraction(ways, shots, fraction, seed):
    labels = torch.arange(ways).repeat_interleave(shots)
    noisy = symmetric_flip(labels, ways, fraction, torch.Generator().manual_seed(seed))
    assert int((noisy != labels).sum()) == round(fraction * ways * shots)
    assert noisy.min() >= 0
    assert noisy.max() < ways
    assert torch.equal(labels, torch.arange(ways).repeat_interleave(shots))


def test_wrong_labels_are_uniform_over_the_other_classes():
    # 4 ways, all flipped: each of the three others is expected a third of the time.
    labels = torch.zeros(3000, dtype=torch.long)
    noisy = symmetric_flip(labels, 4, 1.0, torch.Generator().manual_seed(0))
    counts = torch.bincount(noisy, minlength=4).tolist()
    assert counts[0] == 0
    # Standard deviation of a count: sqrt(3000 * 1/3 * 2/3) = 25.8.
    assert all(abs(count - 1000) < 4 * 25.8 for count in counts[1:])


@pytest.mark.parametrize(
    ("shot_fraction", "class_fraction", "expected"),
    [(1.0, 1.0, 25), (0.2, 1.0, 5), (0.2, 0.2, 1), (0.6, 0.4, 6), (0.01, 0.01, 1)],
)
def test_poison_mask_counts(shot_fraction, class_fraction, expected):
    labels = torch.arange(5).repeat_interleave(5)
    source = torch.Generator().manual_seed(3)
    mask = poison_mask(labels, 5, shot_fraction, class_fraction, source)
    assert int(mask.sum()) == expected

"""Label noise flips exactly as many labels as asked, and never to the true one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metarobust.threats.labels import (
    exchange_labels,
    most_exchanged,
    pair_flip,
    poison_mask,
    symmetric_flip,
)


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


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 20), st.integers(1, 5), st.floats(0, 1, allow_nan=False), st.integers(0, 99))
def test_a_pair_flip_names_the_class_after(ways, shots, fraction, seed):
    labels = torch.arange(ways).repeat_interleave(shots)
    noisy = pair_flip(labels, ways, fraction, torch.Generator().manual_seed(seed))
    wrong = noisy != labels
    assert int(wrong.sum()) == round(fraction * ways * shots)
    assert torch.equal(noisy[wrong], (labels[wrong] + 1) % ways)


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 8), st.integers(1, 6), st.floats(0, 1, allow_nan=False), st.integers(0, 99))
def test_an_exchange_keeps_counts_and_the_plurality_of_the_true_class(ways, shots, fraction, seed):
    labels, source = torch.arange(ways).repeat_interleave(shots), torch.Generator()
    count = round(fraction * shots)
    if count > most_exchanged(ways, shots):
        with pytest.raises(ValueError, match=f"at most {most_exchanged(ways, shots)} of {shots}"):
            exchange_labels(labels, ways, fraction, source)
        return
    noisy = exchange_labels(labels, ways, fraction, source.manual_seed(seed))
    shown = torch.zeros(ways, ways, dtype=torch.long)  # label by true class
    shown.index_put_((noisy, labels), torch.tensor(1), accumulate=True)
    assert (shown.sum(0) == shots).all()
    assert (shown.sum(1) == shots).all()
    assert (shown.diagonal() == shots - count).all()
    assert (shown.diagonal().unsqueeze(1) >= shown).all()


def test_an_exchange_is_even_over_the_other_classes():
    labels, source = torch.arange(3).repeat_interleave(2), torch.Generator().manual_seed(0)
    taken = [exchange_labels(labels, 3, 0.5, source)[labels == 0] for _ in range(2000)]
    counts = torch.bincount(torch.cat(taken), minlength=3).tolist()
    assert counts[0] == 2000
    # Standard deviation of a count: sqrt(2000 / 4) = 22.4.
    assert abs(counts[1] - 1000) < 4 * 22.4


@pytest.mark.parametrize(("ways", "shots", "most"), [(5, 5, 4), (5, 1, 0), (3, 2, 1), (2, 6, 3)])
def test_how_much_can_be_exchanged(ways, shots, most):
    # m images of N - 1 classes, at most K - m of each: by enumeration.
    possible = [m for m in range(shots + 1) if m <= (ways - 1) * (shots - m)]
    assert most_exchanged(ways, shots) == max(possible) == most


@pytest.mark.parametrize(
    ("shot_fraction", "class_fraction", "expected"),
    [(1.0, 1.0, 25), (0.2, 1.0, 5), (0.2, 0.2, 1), (0.6, 0.4, 6), (0.01, 0.01, 1)],
)
def test_poison_mask_counts(shot_fraction, class_fraction, expected):
    labels = torch.arange(5).repeat_interleave(5)
    source = torch.Generator().manual_seed(3)
    mask = poison_mask(labels, 5, shot_fraction, class_fraction, source)
    assert int(mask.sum()) == expected

"""Trimmed means and their certificate, against brute force."""

import math
from itertools import combinations, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metarobust.threats.trimming import certified_poisoning, ordered_by_class, trimmed_mean


def draw(seed, sizes, queries=1):
    """Distances [queries, sum of sizes] and memberships of classes of these sizes."""
    source = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    centres = torch.rand(queries, len(sizes), generator=source, dtype=torch.float64)
    noise = torch.rand(queries, len(labels), generator=source, dtype=torch.float64)
    return centres[:, labels] + 0.3 * noise, labels.unsqueeze(1) == torch.arange(len(sizes))


@pytest.mark.parametrize("shots", [3, 5, 10])
def test_trimmed_mean_is_scipy_s(shots):
    distances, members = draw(0, (shots, shots), queries=4)
    actual = trimmed_mean(ordered_by_class(distances, members), members.sum(0), 1)
    for c in range(2):
        expected = stats.trim_mean(distances[:, members[:, c]].numpy(), 1 / shots, axis=1)
        torch.testing.assert_close(actual[:, c], torch.from_numpy(expected))


def test_classes_of_one_and_two_images_are_not_trimmed():
    distances, members = draw(1, (1, 2))
    actual = trimmed_mean(ordered_by_class(distances, members), members.sum(0), 3)
    assert actual[0].tolist() == [distances[0, 0].item(), distances[0, 1:].mean().item()]


def robust(values, trim):
    """The trimmed mean of one class, as a person would write it."""
    drop = min(trim, (len(values) - 1) // 2)
    kept = sorted(values)[drop : len(values) - drop]
    return sum(kept) / len(kept)


def attacks(values, count):
    """Every choice of `count` images, each sent to 0 or to infinity: the extremes."""
    for chosen in combinations(range(len(values)), count):
        for ends in product((0.0, math.inf), repeat=count):
            new = list(values)
            for place, end in zip(chosen, ends, strict=True):
                new[place] = end
            yield new


def reachable(values, count, trim):
    """Least and greatest trimmed mean that replacing `count` of the values can bring about."""
    if count > len(values):
        return 0.0, math.inf
    means = [robust(new, trim) for new in attacks(values, count)]
    return min(means), max(means)


def withstands(classes, trim, count, *, in_total):
    """Whether no attack on `count` images changes or ties the prediction."""
    clean = [robust(values, trim) for values in classes]
    own = clean.index(min(clean))
    splits = [(t, count - t) for t in range(count + 1)] if in_total else [(count, count)]
    return all(
        reachable(classes[own], mine, trim)[1] < reachable(classes[c], theirs, trim)[0]
        for mine, theirs in splits
        for c in range(len(classes))
        if c != own
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    sizes=st.lists(st.integers(1, 5), min_size=2, max_size=3),
    trim=st.integers(0, 2),
    in_total=st.booleans(),
)
def test_the_certificate_is_what_brute_force_finds(seed, sizes, trim, in_total):
    distances, members = draw(seed, tuple(sizes))
    counts = members.sum(0)
    ordered = ordered_by_class(distances, members)
    certified = certified_poisoning(ordered, counts, trim, in_total=in_total).item()
    classes = [distances[0, members[:, c]].tolist() for c in range(len(sizes))]
    assert withstands(classes, trim, certified, in_total=in_total)
    assert not withstands(classes, trim, certified + 1, in_total=in_total)


def test_no_random_poisoning_beats_the_certificate():
    source = torch.Generator().manual_seed(3)
    distances, members = draw(2, (5, 5, 5), queries=200)
    counts = members.sum(0)
    ordered = ordered_by_class(distances, members)
    certified = certified_poisoning(ordered, counts, 2)
    before = trimmed_mean(ordered, counts, 2).argmin(1)
    assert set(certified.tolist()) == {0, 1, 2}
    for _ in range(200):
        # As many images of each class as are certified for the query, sent anywhere.
        place = torch.rand(200, 3, 5, generator=source).argsort(2).flatten(1)
        anywhere = 10 * torch.rand(200, 15, generator=source, dtype=torch.float64) ** 4
        poisoned = torch.where(place < certified.unsqueeze(1), anywhere, distances)
        after = trimmed_mean(ordered_by_class(poisoned, members), counts, 2).argmin(1)
        assert torch.equal(after, before)


def test_nothing_is_certified_without_trimming_or_beyond_it():
    distances, members = draw(4, (5, 5), queries=50)
    ordered = ordered_by_class(distances, members)
    assert certified_poisoning(ordered, members.sum(0), 0).max() == 0
    assert certified_poisoning(ordered, members.sum(0), 1).max() <= 1

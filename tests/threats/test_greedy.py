"""Greedy searches against brute force, on values that depend on several slots at once."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metarobust.threats.greedy import coordinate_rounds, steepest_changes

SLOTS, OPTIONS = 4, 3
seeds = st.integers(0, 10_000)


def table(seed: int) -> torch.Tensor:
    """A value for every state: no structure that a greedy search could lean on."""
    return torch.rand((OPTIONS,) * SLOTS, generator=torch.Generator().manual_seed(seed))


def looked_up(values):
    return lambda state: values[tuple(state.tolist())]


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_one_change_is_the_best_of_all_single_changes(seed):
    values, start = table(seed), torch.tensor([0, 2, 1, 0])
    states = [start] + [
        torch.where(torch.arange(SLOTS) == slot, option, start)
        for slot in range(SLOTS)
        for option in range(OPTIONS)
    ]
    expected = max(states, key=looked_up(values))
    found = steepest_changes(looked_up(values), start, OPTIONS, 1)
    assert torch.equal(found.state, expected)
    assert found.value == looked_up(values)(expected)
    assert found.start == looked_up(values)(start)


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(0, SLOTS))
def test_changes_stay_within_their_number_and_never_do_worse(seed, changes):
    values, start = table(seed), torch.zeros(SLOTS, dtype=torch.long)
    found = steepest_changes(looked_up(values), start, OPTIONS, changes)
    assert (found.state != start).sum() <= changes
    assert found.value == looked_up(values)(found.state) >= found.start
    more = steepest_changes(looked_up(values), start, OPTIONS, min(changes + 1, SLOTS))
    assert more.value >= found.value


def test_a_slot_is_changed_once_and_a_valley_is_crossed():
    # Only both changes together pay; the second slot alone would be flipped back and forth.
    def value(state):
        return torch.tensor([[0.0, -1.0], [-2.0, 5.0]])[tuple(state.tolist())]

    found = steepest_changes(value, torch.tensor([0, 0]), 2, 2)
    assert (found.state.tolist(), float(found.value)) == ([1, 1], 5.0)


@settings(max_examples=50, deadline=None)
@given(seeds, st.lists(st.integers(0, 1), min_size=SLOTS, max_size=SLOTS))
def test_rounds_end_where_no_single_choice_helps(seed, groups):
    values, group = table(seed), torch.tensor(groups)
    start = torch.zeros(SLOTS, dtype=torch.long)
    found = coordinate_rounds(looked_up(values), start, OPTIONS, 30, group)

    def allowed(state):
        used = [(g, o) for g, o in zip(groups, state, strict=True) if o]
        return len(set(used)) == len(used)

    assert allowed(found.state.tolist())
    assert found.value == looked_up(values)(found.state) >= found.start
    for slot, option in itertools.product(range(SLOTS), range(OPTIONS)):
        other = found.state.clone()
        other[slot] = option
        assert not allowed(other.tolist()) or looked_up(values)(other) <= found.value


def test_a_separable_value_is_maximised_exactly():
    gains = torch.tensor([[0.0, 1.0, 2.0], [0.0, -1.0, -2.0], [3.0, 1.0, 4.0]])
    found = coordinate_rounds(
        lambda state: gains.gather(1, state[:, None]).sum(),
        torch.zeros(3, dtype=torch.long),
        3,
        1,
        torch.arange(3),
    )
    assert found.state.tolist() == [2, 0, 2]
    assert float(found.value) == pytest.approx(6.0)

from collections import Counter
from functools import lru_cache
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metarobust.core.seeds import generator
from metarobust.data.schedule import capacity, disjoint_schedule


@lru_cache
def best(turns, ways):
    """The most episodes, by trying everything."""
    options = combinations([c for c, left in enumerate(turns) if left], ways)
    rest = (tuple(left - (c in chosen) for c, left in enumerate(turns)) for chosen in options)
    return max((1 + best(tuple(sorted(left)), ways) for left in rest), default=0)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=5), st.integers(2, 3))
@settings(deadline=None)
def test_capacity_is_the_true_maximum(turns, ways):
    assert capacity(turns, ways) == best(tuple(sorted(turns)), ways)


@given(st.lists(st.integers(0, 9), min_size=5, max_size=20), st.integers(2, 5), st.integers(0, 99))
@settings(deadline=None)
def test_a_schedule_is_full_and_never_repeats(turns, ways, seed):
    schedule = disjoint_schedule(turns, ways, generator(seed, "t"))
    assert len(schedule) == capacity(turns, ways)
    for episode in schedule:
        assert len({c for c, _ in episode}) == ways == len(episode)
    used = Counter(turn for episode in schedule for turn in episode)
    assert set(used.values()) <= {1}
    assert all(0 <= turn < turns[c] for c, turn in used)
    assert schedule == disjoint_schedule(turns, ways, generator(seed, "t"))


def test_classes_meet_different_classes():
    schedule = disjoint_schedule([4] * 20, 5, generator(0, "t"))
    partners = {
        frozenset(c for c, _ in episode) for episode in schedule if 0 in {c for c, _ in episode}
    }
    assert len(partners) == 4


@pytest.mark.parametrize("turns", [[], [5]])
def test_too_few_classes_give_no_episode(turns):
    assert disjoint_schedule(turns, 2, generator(0, "t")) == []

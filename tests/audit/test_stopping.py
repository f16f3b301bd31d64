"""Stopping at a precision: a matter of the episodes alone, and the intervals keep their level."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarobust.audit.stopping import Precision, known_within, stopped_interval
from metarobust.stats.sequential import confidence_sequence

BLOCK, EPISODES = 25, 300


def grid(cells):
    return [(cell, start, BLOCK) for start in range(0, EPISODES, BLOCK) for cell in cells]


def accuracies(seed, share, queries=25):
    rng = np.random.default_rng(seed)
    return rng.binomial(queries, share, EPISODES) / queries


def watch(limit, cells, order=None, failed=()):
    rule = Precision(limit, grid(cells))
    for index in order or range(len(grid(cells))):
        cell, start, _ = grid(cells)[index]
        part = None if (cell, start) in failed else cells[cell][start : start + BLOCK]
        rule.add(cell, start, part)
    return rule.episodes


def test_it_stops_at_the_first_block_where_every_cell_is_precise():
    cells = {"a": accuracies(0, 0.9), "b": accuracies(1, 0.6)}
    widths = [confidence_sequence(x).half_width for x in cells.values()]
    ends = range(BLOCK, EPISODES + 1, BLOCK)
    limit = 0.04
    first = next(e for e in ends if e >= 50 and all(w[e - 1] <= limit for w in widths))
    assert watch(limit, cells) == first
    assert 50 < first < EPISODES


def test_it_does_not_stop_where_precision_is_not_reached():
    assert watch(0.001, {"a": accuracies(0, 0.7)}) is None


@given(st.permutations(range(2 * EPISODES // BLOCK)))
def test_the_order_in_which_blocks_arrive_does_not_matter(order):
    cells = {"a": accuracies(0, 0.9), "b": accuracies(1, 0.6)}
    assert watch(0.04, cells, order) == watch(0.04, cells)


def test_a_failed_cell_is_left_out_and_nothing_but_failures_never_stops():
    cells = {"a": accuracies(0, 0.9), "b": accuracies(1, 0.5)}
    alone = watch(0.03, {"a": cells["a"]})
    assert alone is not None
    assert watch(0.03, cells, failed={("b", 0)}) == alone
    assert watch(0.03, cells, failed={("a", 0), ("b", 0)}) is None


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_equal_episodes_stop_by_their_exact_interval(share):
    """The smallest E with 1 - 0.025^(1/E) <= h."""
    needed = math.log(0.025) / math.log(1 - 0.02)
    below, above = math.floor(needed), math.ceil(needed)
    assert not known_within(np.full(below, share), 0.02)
    assert known_within(np.full(above, share), 0.02)
    assert not known_within(np.full(49, share), 0.9)
    assert not known_within(np.full(500, 0.8), 0.5)


@pytest.mark.parametrize(("share", "queries"), [(0.9, 25), (0.5, 25), (0.002, 5)])
def test_the_interval_covers_although_the_stop_was_chosen(share, queries):
    missed = stopped = 0
    for seed in range(300):
        x = accuracies(seed, share, queries)
        ends = (e for e in range(BLOCK, EPISODES + 1, BLOCK) if known_within(x[:e], 0.04))
        end = next(ends, None)
        stopped += end is not None
        found = stopped_interval(x[:end])
        missed += not found.low <= share <= found.high
    assert stopped > 250
    # 300 draws of a 5 % error exceed 27 with a chance of 0.1 %.
    assert missed <= 27

"""Greedy searches over discrete choices: one of a few options for each of several slots.

A state says which option each slot takes. Nothing here depends on values by shape or by branch, so
that a search can be mapped by `vmap`.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Value = Callable[[Tensor], Tensor]
"""What is maximised: a state, int64 [S], to a scalar."""


class Found(NamedTuple):
    """What a greedy search found.

    Attributes:
        state: the best state seen, the start included, int64 [S].
        value: its value [].
        start: the value of the state it started from [].
    """

    state: Tensor
    value: Tensor
    start: Tensor


def steepest_changes(value: Value, start: Tensor, options: int, changes: int) -> Found:
    """Change one slot at a time, always the one whose change raises the value most.

    A slot is changed at most once. The value may fall on the way; the best state counts.

    Args:
        value: see `Value`; called 1 + changes * S * (options - 1) times.
        start: the state to start from, int64 [S] in [0, options).
        options: how many options a slot has, at least 2.
        changes: how many slots may be changed, at most S.
    """
    slots = torch.arange(len(start), device=start.device)
    first = value(start)
    best, now = Found(start, first, first), start
    for _ in range(changes):
        step = Found(now, torch.full_like(first, -torch.inf), first)
        for slot in range(len(start)):
            fresh = now[slot] == start[slot]
            for offset in range(1, options):
                other = torch.where(slots == slot, (start + offset) % options, now)
                step = _larger(step, other, torch.where(fresh, value(other), -torch.inf))
        now = step.state
        best = _larger(best, now, step.value)
    return best


def coordinate_rounds(
    value: Value, start: Tensor, options: int, rounds: int, group: Tensor
) -> Found:
    """Sweep over the slots, giving each the option that raises the value most, others held.

    Option 0 is a slot's own; of the others, slots of one group share a pool, and no two of them
    may take the same one.

    Args:
        value: see `Value`; called 1 + rounds * S * options times.
        start: the state to start from, int64 [S] in [0, options).
        options: how many options a slot has.
        rounds: how many sweeps.
        group: the group of each slot [S].
    """
    slots = torch.arange(len(start), device=start.device)
    first = value(start)
    best = Found(start, first, first)
    for slot in [slot for _ in range(rounds) for slot in range(len(start))]:
        held = best.state
        rivals = (group == group[slot]) & (slots != slot)
        for option in range(options):
            other = torch.where(slots == slot, option, held)
            taken = (rivals & (held == option)).any() if option else rivals.new_zeros(())
            best = _larger(best, other, torch.where(taken, -torch.inf, value(other)))
    return best


def _larger(best: Found, state: Tensor, value: Tensor) -> Found:
    better = value > best.value
    return Found(
        torch.where(better, state, best.state), torch.where(better, value, best.value), best.start
    )

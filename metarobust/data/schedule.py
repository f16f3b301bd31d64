"""Episodes that share no image: which classes take part in which, for as long as images last."""

from collections.abc import Sequence

import torch

Turn = tuple[int, int]


def capacity(turns: Sequence[int], ways: int) -> int:
    """The most episodes of `ways` distinct classes, when class c can take part `turns[c]` times.

    The largest E with sum over c of min(turns[c], E) >= ways * E (Gale, 1957; Ryser, 1957).

    >>> capacity([1, 1, 1, 1, 1], 2), capacity([9, 1, 1], 2), capacity([2, 2, 2], 2)
    (2, 2, 3)
    """
    low, high = 0, sum(turns) // ways
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(count, middle) for count in turns) >= ways * middle:
            low = middle
        else:
            high = middle - 1
    return low


def disjoint_schedule(
    turns: Sequence[int], ways: int, draws: torch.Generator
) -> list[tuple[Turn, ...]]:
    """As many episodes as possible, each of `ways` classes, each turn of a class used once.

    Every episode takes the classes with the most turns left, ties broken at random, which reaches
    `capacity`; classes within an episode, and episodes, are then shuffled.

    Args:
        turns: how often each class can take part.
        ways: classes per episode.
        draws: where the random ties and orders come from.

    Returns:
        For each episode its (class position, turn of that class) pairs.
    """
    left = torch.tensor(turns)
    episodes = []
    for _ in range(capacity(turns, ways)):
        ties = torch.randperm(len(turns), generator=draws)
        fullest = ties[torch.argsort(left[ties], descending=True, stable=True)[:ways]]
        order = torch.randperm(ways, generator=draws)
        left[fullest] -= 1
        episodes.append(tuple((int(c), int(left[c])) for c in fullest[order]))
    shuffled = torch.randperm(len(episodes), generator=draws)
    return [episodes[e] for e in shuffled]

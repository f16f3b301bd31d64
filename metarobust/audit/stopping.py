"""Stopping early: as soon as the accuracy of every cell is known as precisely as was asked for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import SAME, t_interval
from metarobust.stats.sequential import FIRST, precise_enough, sequential_interval

FloatArray = npt.NDArray[np.float64]

HALF_WIDTH, EPISODES = "half-width", "episodes"
"""Why a run stopped: every interval is narrow enough, or its episodes are used up."""


class Precision:
    """Watches the accuracy of every cell while its blocks come in, in whatever order.

    The rule is looked at after each row of blocks, the same episodes of every cell, and on these
    and earlier episodes alone. So all cells keep the same episodes, as paired comparisons need,
    and where a run stops depends on neither its workers nor its interruptions. A cell with a failed
    block is left out, for it can never be precise.

    Args:
        half_width: what every cell's accuracy is to be known within, in (0, 1).
        blocks: cell, first episode and number of episodes of every planned block.

    Attributes:
        episodes: how many episodes it took; None as long as the rule is not met.
    """

    def __init__(self, half_width: float, blocks: Sequence[tuple[str, int, int]]) -> None:
        self.episodes: int | None = None
        self._half_width = half_width
        self._cells = list(dict.fromkeys(cell for cell, _, _ in blocks))
        self._rows = sorted({(start, start + count) for _, start, count in blocks})
        self._known: dict[tuple[str, int], FloatArray | None] = {}
        self._seen = 0

    def add(self, cell: str, start: int, accuracies: npt.NDArray[Any] | None) -> None:
        """Tell the accuracy of each episode of a block; None is a block that failed."""
        self._known[cell, start] = accuracies
        while self.episodes is None and self._row_is_whole():
            self._seen += 1
            if self._precise():
                self.episodes = self._rows[self._seen - 1][1]

    def _row_is_whole(self) -> bool:
        if self._seen == len(self._rows):
            return False
        start = self._rows[self._seen][0]
        return all((cell, start) in self._known for cell in self._cells)

    def _precise(self) -> bool:
        starts = [start for start, _ in self._rows[: self._seen]]
        watched = []
        for cell in self._cells:
            parts = [part for s in starts if (part := self._known[cell, s]) is not None]
            if len(parts) == len(starts):
                watched.append(np.concatenate(parts))
        return bool(watched) and all(known_within(x, self._half_width) for x in watched)


def known_within(accuracies: FloatArray, half_width: float) -> bool:
    """Whether episodes' accuracies say what their mean is, to within a half-width.

    By the asymptotic confidence sequence, over 50 episodes or more. Where every episode is right,
    or every one wrong, it has no spread to go by; the exact interval of equal episodes then
    decides. That one may be looked at as often as one likes: if p is the chance of an episode that
    differs, `none differed by E` gets rarer with E, so the first E at which (1 - p)^E < a is the
    only look that matters.

    Args:
        accuracies: one share per episode, in the order of evaluation, [E].
        half_width: the precision that is asked for.
    """
    if accuracies.size < FIRST or np.ptp(accuracies) > SAME:
        return precise_enough(accuracies, half_width)
    exact = t_interval(accuracies, bounds=(0, 1))
    if exact.low is None or exact.high is None:
        return False
    return exact.high - exact.low <= half_width


def stopped_interval(accuracies: FloatArray) -> Estimate:
    """The mean accuracy with an interval that allows for having looked after every block.

    Args:
        accuracies: one share per episode, in the order of evaluation, [E].
    """
    estimate = sequential_interval(accuracies, bounds=(0, 1))
    return t_interval(accuracies, bounds=(0, 1)) if estimate.low is None else estimate

"""Whether a search had come to an end, and forgot nothing, read off its path of losses."""

from typing import NamedTuple

import torch
from torch import Tensor

UNKNOWN = -1.0
"""What stands where a quantity has no meaning."""

LAST, FEWEST = 10, 4


class Convergence(NamedTuple):
    """How the first search of an episode ended; each a share [], or -1 where it has no meaning.

    The climb of a unit is E - min l, with E its largest loss and min l its least. Only units that
    withstood the search count in the first and the last: how far a lost one was pushed beyond the
    boundary is nobody's concern.

    Attributes:
        late_improvement: share of the climb that would be missing, had every restart ended w =
            min(10, half of its steps) earlier; paths of fewer than 4 steps do not tell.
        silent_success: share of the units whose loss said misclassified at some point of the path,
            and which came back correct.
        restart_spread: how far apart the restarts' largest losses lie, as a share of the climb.
    """

    late_improvement: Tensor
    silent_success: Tensor
    restart_spread: Tensor


def convergence(
    path: Tensor, score: Tensor, *, restarts: int = 1, wrong: float | None = None
) -> Convergence:
    """Judge a path (after Pintor et al., NeurIPS 2022, indicators of silent and late success).

    Args:
        path: losses [1 + restarts * steps, U], the clean point first; of another length, it is
            taken for a single restart.
        score: of the point the search returned [U]; above 0 is misclassified.
        restarts: how many independent starts the path holds, one after the other.
        wrong: loss above which a unit is misclassified for certain; None where a unit is a whole
            set of queries, of which the score tells no such thing.
    """
    clean, climbs = path[:1], path[1:]
    if len(climbs) % restarts:
        restarts = 1
    steps = len(climbs) // restarts
    unknown = path.new_full((), UNKNOWN)
    if steps == 0:
        return Convergence(unknown, unknown, unknown)
    tops = (
        torch.cat([clean.expand(restarts, 1, -1), climbs.view(restarts, steps, -1)], dim=1)
        .cummax(1)
        .values
    )
    ends = tops[:, -1]
    end, least = ends.amax(0), path.amin(0)
    climb = end - least
    held = torch.ones_like(score, dtype=torch.bool) if wrong is None else score <= 0

    def mean_share(missing: Tensor) -> Tensor:
        counts = held & (climb > 0)
        share = torch.where(counts, missing / climb.clamp(min=1e-30), 0.0)
        return share.sum() / counts.sum().clamp(min=1)

    late, silent, spread = unknown, unknown, unknown
    if steps >= FEWEST:
        late = mean_share(end - tops[:, -1 - min(LAST, steps // 2)].amax(0))
    if wrong is not None:
        # The slack is for rounding, where a loss sits on the boundary.
        seen = (path > wrong + 1e-4 * (1 + abs(wrong))).any(0)
        silent = (seen & (score <= 0)).to(path.dtype).mean()
    if restarts > 1:
        spread = mean_share(end - ends.amin(0))
    return Convergence(late, silent, spread)

"""The episodes that go worst: conditional value at risk."""

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt


def cvar(
    values: npt.NDArray[Any],
    share: float = 0.1,
    *,
    worst: Literal["lowest", "highest"] = "lowest",
    axis: int = -1,
) -> npt.NDArray[np.float64]:
    """Conditional value at risk: the mean of the ceil(share * E) worst episodes.

    Rockafellar & Uryasev 2000; for few-shot learners see Fu et al. 2022 (arXiv:2203.06574). Say E
    beside it and ask for 600 episodes: its standard deviation is twice that of the mean, and the
    minimum over episodes, which it replaces, has no limit at all (it keeps falling with E). To
    know what a threat does to the worst episodes, take it of the paired drops, `worst="highest"`.

    >>> accuracies = np.array([0.9, 0.4, 0.8, 1.0, 0.6])
    >>> cvar(accuracies, 0.4).round(3).item()
    0.5
    >>> cvar(1 - accuracies, 0.4, worst="highest").round(3).item()
    0.5

    Args:
        values: one number per episode along `axis`.
        share: the share of episodes in the tail, in (0, 1].
        worst: whether a low value is bad (an accuracy) or a high one (a drop, a loss).
        axis: the axis of the episodes.

    Returns:
        Float64, the shape of `values` without `axis`.

    Raises:
        ValueError: there is no episode, or `share` is not in (0, 1].
    """
    ordered = np.moveaxis(np.sort(np.asarray(values, dtype=np.float64), axis=axis), axis, -1)
    episodes = ordered.shape[-1]
    if not episodes or not 0 < share <= 1:
        raise ValueError(
            f"expected a share in (0, 1] of at least one episode, got {share} of {episodes}"
        )
    count = math.ceil(round(share * episodes, 9))
    ends = ordered[..., :count] if worst == "lowest" else ordered[..., -count:]
    means: npt.NDArray[np.float64] = ends.mean(axis=-1)
    return means

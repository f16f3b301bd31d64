"""One set of bootstrap resamples of the episodes, for all statistics that can be reweighted."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import ONE_EPISODE, Bounds
from metarobust.stats.pooled import reaching

RESAMPLES = 300


@dataclass(frozen=True)
class EpisodeResamples:
    """Which episodes each resample holds; the first row is the data itself.

    A statistic that takes all resamples at once, or follows from sums over episodes, which are one
    matrix product of `weights`, is far cheaper so than by `pooled_interval`, which calls it once
    for each.

    >>> resamples = EpisodeResamples.draw(6, np.random.default_rng(0))
    >>> lost, had = np.array([1, 0, 2, 1, 0, 3]), np.array([4, 3, 4, 4, 2, 4])
    >>> estimate = resamples.estimate((resamples.weights @ lost) / (resamples.weights @ had))
    >>> round(estimate.value, 2), round(estimate.low, 2), round(estimate.high, 2)
    (0.33, 0.09, 0.57)

    Attributes:
        rows: indices of the episodes of each resample, int64 [1 + R, E]; the first is 0 to E - 1.
    """

    rows: npt.NDArray[np.int64]

    @classmethod
    def draw(
        cls, episodes: int, rng: np.random.Generator, resamples: int = RESAMPLES
    ) -> "EpisodeResamples":
        """Draw resamples with replacement.

        Args:
            episodes: E, at least 1.
            rng: where they are drawn from.
            resamples: how many, R.
        """
        drawn = rng.integers(episodes, size=(resamples, episodes))
        return cls(np.vstack([np.arange(episodes), drawn]))

    @property
    def weights(self) -> npt.NDArray[np.int64]:
        """How often each resample holds each episode, int64 [1 + R, E]; the first row is ones."""
        count, episodes = self.rows.shape
        place = self.rows + episodes * np.arange(count)[:, None]
        counts: npt.NDArray[np.int64] = np.bincount(place.ravel(), minlength=place.size)
        shaped: npt.NDArray[np.int64] = counts.reshape(place.shape)
        return shaped

    def estimate(
        self,
        values: npt.NDArray[Any],
        *,
        bounds: Bounds = (-math.inf, math.inf),
        level: float = 0.95,
        undefined: str = "the statistic is undefined on these episodes",
    ) -> Estimate:
        """The statistic of the data, with the interval of `pooled_interval`.

        Args:
            values: the statistic of each row, [1 + R]; not finite where undefined.
            bounds: the ends of the scale; the interval is cut there.
            level: nominal coverage.
            undefined: the reason to give where the data have no value.
        """
        value = float(values[0])
        if not math.isfinite(value):
            return Estimate(None, reason=undefined)
        if self.rows.shape[1] == 1:
            return Estimate(value, reason=ONE_EPISODE)
        return reaching(value, np.asarray(values[1:], dtype=np.float64), bounds, level)

"""What a regression leaves as evidence, and the noise that a learner without one is given."""

import math
from typing import Any

import numpy.typing as npt
import torch

from metarobust.assembly.threat import Outcome
from metarobust.core.device import as_array
from metarobust.core.episode import Episode
from metarobust.core.errors import DataError
from metarobust.core.seeds import derive_seed
from metarobust.data.base import Dataset
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.learners.base import Learner

EPISODES = 100
LEAST = 1e-3
"""The smallest noise; a learner that is exact up to rounding would have none."""


def regression_arrays(block: Episode, outcome: Outcome) -> dict[str, npt.NDArray[Any]]:
    """Means as `logits` [E, Q, 1], `targets` and, where they are stated, `deviations` [E, Q]."""
    outputs = as_array(outcome.logits)
    arrays = {"logits": outputs[..., :1], "targets": as_array(block.query_y)}
    return arrays | ({"deviations": outputs[..., 1]} if outputs.shape[-1] == 2 else {})


def function_points(episode: Episode, dataset: Dataset) -> dict[str, npt.NDArray[Any]]:
    """All points P of an episode's function: `function_x` [P, *input] in [0, 1], `function_y` [P].

    Raises:
        DataError: the data set holds classes, not functions.
    """
    if dataset.targets is None:
        raise DataError(f"{dataset.name}: expected a regression, got a data set of classes")
    rows = dataset.class_rows[int(episode.class_ids[0])]
    return {"function_x": dataset.inputs(rows), "function_y": dataset.targets[rows]}


@torch.no_grad()
def fitted_noise(learner: Learner, dataset: Dataset, protocol: Protocol, seed: int) -> float:
    """The standard deviation of a learner's errors on clean meta-val episodes (two digits).

    The maximum-likelihood scale of one Gaussian for all its errors. Two digits, so that another
    machine's rounding does not change the keys of the cells.

    Raises:
        DataError: meta-val has too few functions or points.
    """
    shape = Protocol(**{**vars(protocol), "split": "val", "replacement": "classes"})
    sampler = EpisodeSampler(dataset, shape, derive_seed(seed, "scale"))
    squares = []
    for number in range(EPISODES):
        episode = sampler[number]
        means = learner(episode.support_x, episode.support_y, episode.query_x, 1)[:, 0]
        squares.append((means - episode.query_y).double().square().mean())
    return float(f"{max(math.sqrt(torch.stack(squares).mean()), LEAST):.2g}")

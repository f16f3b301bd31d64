"""What meta-training minimises, one task at a time."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metarobust.core.engine import stack_episodes
from metarobust.core.episode import Episode
from metarobust.core.seeds import generator
from metarobust.data.base import Dataset
from metarobust.data.sampler import EpisodeSampler
from metarobust.learners.base import Learner


class Objective(Protocol):
    """A stream of tasks and their loss."""

    @property
    def module(self) -> nn.Module:
        """Holds the parameters to be trained: the learner, perhaps with a head thrown away."""
        ...

    def batch(self, iteration: int) -> Any:
        """The tasks of one iteration, stacked on a leading axis; a pure function of its index."""
        ...

    def loss(self, task: Any) -> Tensor:
        """The loss of one task, a scalar differentiable in the module's parameters."""
        ...


@dataclass(frozen=True)
class Episodic:
    """The learner's own loss on clean episodes, cross-entropy of the queries for most of them.

    Attributes:
        learner: what is trained.
        sampler: episodes of meta-train classes.
        tasks: episodes of one iteration.
    """

    learner: Learner
    sampler: EpisodeSampler
    tasks: int

    @property
    def module(self) -> Learner:
        """See `Objective.module`."""
        return self.learner

    def batch(self, iteration: int) -> Episode:
        """See `Objective.batch`."""
        first = iteration * self.tasks
        return stack_episodes([self.sampler[first + i] for i in range(self.tasks)])

    def loss(self, task: Episode) -> Tensor:
        """See `Objective.loss`."""
        return self.learner.meta_loss(
            task.support_x, task.support_y, task.query_x, task.query_y, ways=task.ways
        )


class PretrainingHead(nn.Module):
    """A learner and the layer that classifies all meta-train classes while it trains."""

    def __init__(self, learner: Learner, classes: int, seed: int) -> None:
        super().__init__()
        self.learner = learner
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = learner.pretraining_head(classes)


class Classification:
    """Ordinary classification of all meta-train classes: the pre-training of transfer baselines.

    Args:
        learner: its backbone is trained.
        dataset: images of the meta-train split are used.
        batch_size: images of one iteration.
        seed: root of the draws.
    """

    def __init__(self, learner: Learner, dataset: Dataset, batch_size: int, seed: int) -> None:
        classes = np.asarray(dataset.splits["train"])
        self.module = PretrainingHead(learner, len(classes), seed)
        self._dataset = dataset
        self._rows = np.flatnonzero(np.isin(dataset.labels, classes))
        self._position = np.full(len(dataset.class_names), -1)
        self._position[classes] = np.arange(len(classes))
        self._batch_size = batch_size
        self._seed = seed

    def batch(self, iteration: int) -> tuple[Tensor, Tensor]:
        """See `Objective.batch`: one task of `batch_size` images and their class positions."""
        source = generator(self._seed, "images", iteration)
        picks = torch.randint(len(self._rows), (self._batch_size,), generator=source)
        rows = self._rows[picks.numpy()]
        images = torch.from_numpy(np.asarray(self._dataset.images[rows])).float() / 255
        labels = torch.from_numpy(self._position[self._dataset.labels[rows]])
        return images.unsqueeze(0), labels.unsqueeze(0)

    def loss(self, task: tuple[Tensor, Tensor]) -> Tensor:
        """See `Objective.loss`."""
        images, labels = task
        learner = self.module.learner
        features = learner.embed(images, learner.batch_or_running())
        return F.cross_entropy(self.module.head(features), labels)

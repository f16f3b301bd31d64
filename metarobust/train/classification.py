"""Ordinary classification of all meta-train classes, the pre-training of transfer baselines."""

import numpy as np
import torch
from torch import Tensor, nn

from metarobust.core.seeds import generator
from metarobust.data.base import Dataset
from metarobust.learners.base import Learner
from metarobust.train.ranks import Ranks
from metarobust.train.stream import Batch


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
        names = [dataset.groups[c] if dataset.groups else "" for c in classes]
        self._groups = torch.from_numpy(np.unique(names, return_inverse=True)[1])
        self._batch_size = batch_size
        self._seed = seed

    def batches(self, iteration: int, ranks: Ranks) -> list[Batch]:
        """See `TaskStream.batches`: one task of `batch_size` images and their class positions."""
        source = generator(self._seed, "images", iteration)
        picks = torch.randint(len(self._rows), (self._batch_size,), generator=source)
        rows = self._rows[picks.numpy()]
        images = torch.from_numpy(self._dataset.inputs(rows))
        labels = torch.from_numpy(self._position[self._dataset.labels[rows]])
        return [Batch((images.unsqueeze(0), labels.unsqueeze(0)), self.loss, 1.0)]

    def loss(self, task: tuple[Tensor, Tensor]) -> Tensor:
        """The learner's loss of the images, for most cross-entropy over all meta-train classes."""
        images, labels = task
        learner = self.module.learner
        features = learner.embed(images, learner.batch_or_running())
        groups = self._groups.to(labels.device)
        return learner.pretraining_loss(self.module.head, features, labels, groups)

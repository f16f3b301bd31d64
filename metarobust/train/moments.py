"""Running moments of batch normalisation, measured over many meta-train images after the fact."""

import numpy as np
import torch

from metarobust.core.device import device_of
from metarobust.core.normalisation import Moments, Normalisation, RecordedStatistics
from metarobust.core.seeds import generator
from metarobust.data.base import Dataset
from metarobust.learners.base import Learner


@torch.no_grad()
def measure_running_moments(
    learner: Learner, dataset: Dataset, seed: int, *, batches: int = 8, batch_size: int = 128
) -> None:
    """Set the learner's running moments to those of random meta-train images.

    The average over batches of the mean and the second moment at each layer, for the weights as
    they are now (Wu & Johnson 2021, "Rethinking 'Batch' in BatchNorm", PreciseBN), instead of a
    moving average over the weights of the past.
    """
    rows = np.flatnonzero(np.isin(dataset.labels, dataset.splits["train"]))
    device = device_of(learner)
    recorded: list[Moments] = []
    for i in range(batches):
        picks = torch.randint(len(rows), (batch_size,), generator=generator(seed, "moments", i))
        images = torch.from_numpy(dataset.inputs(rows[picks.numpy()]))
        statistics = RecordedStatistics()
        learner.embed(images.to(device), statistics)
        recorded.append(statistics.moments)
    for layer in learner.backbone.modules():
        if isinstance(layer, Normalisation):
            means = torch.stack([moments[layer.slot][0] for moments in recorded])
            variances = torch.stack([moments[layer.slot][1] for moments in recorded])
            layer.mean.copy_(means.mean(0))
            layer.variance.copy_((variances + means.square()).mean(0) - layer.mean.square())

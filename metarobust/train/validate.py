"""Clean accuracy on meta-validation episodes, the only thing training is selected by."""

import math

import torch
from torch import Tensor

from metarobust.core.engine import Backend, map_episodes, stack_episodes
from metarobust.core.episode import Episode
from metarobust.data.sampler import EpisodeSampler
from metarobust.learners.base import Learner


@torch.no_grad()
def clean_accuracy(
    learner: Learner, sampler: EpisodeSampler, episodes: int, backend: Backend, block: int = 20
) -> tuple[float, float | None]:
    """Mean accuracy over episodes 0, 1, ... of a sampler, and its standard error by episode.

    One episode has no standard error.
    """
    device = next(learner.parameters()).device

    def accuracy(episode: Episode) -> Tensor:
        logits = learner(episode.support_x, episode.support_y, episode.query_x, episode.ways)
        hits: Tensor = logits.argmax(1) == episode.query_y
        return hits.double().mean()

    values = []
    for first in range(0, episodes, block):
        numbers = range(first, min(first + block, episodes))
        stacked = stack_episodes([sampler[number] for number in numbers])
        on_device = Episode(*(tensor.to(device) for tensor in stacked))
        values.append(map_episodes(accuracy, on_device, backend=backend).cpu())
    scores = torch.cat(values)
    error = float(scores.std()) / math.sqrt(len(scores)) if len(scores) > 1 else None
    return float(scores.mean()), error

"""Trains a MAML for a few steps in float64 among N processes, and writes each one's weights.

Run as `python rank_driver.py FOLDER N`.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.utils._pytree import tree_map

from metarobust.config.objective import ObjectiveConfig
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.train.mixture import make_mixture
from metarobust.train.ranks import join
from metarobust.train.step import outer_step
from metarobust.train.stream import Episodic


class DoubleEpisodes(Episodic):
    """Episodes whose images are float64."""

    def batches(self, iteration, ranks):
        def double(leaf):
            return leaf.double() if leaf.is_floating_point() else leaf

        found = super().batches(iteration, ranks)
        return [batch._replace(tasks=tree_map(double, batch.tasks)) for batch in found]


def main(folder, processes):
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.support.training import flat_learner, quadrants

    ranks = join(processes, "cpu")
    learner = flat_learner("maml", inner_steps=3)
    sampler = EpisodeSampler(quadrants(), Protocol(ways=3, shots=2, queries=2, split="train"), 0)
    stream = DoubleEpisodes(learner, sampler, 4, make_mixture(ObjectiveConfig(name="episodic"), 0))
    optimiser = torch.optim.Adam(learner.parameters(), 1e-2)
    for iteration in range(5):
        outer_step(stream, optimiser, iteration, ranks=ranks, backend="loop", clip=1.0)
    weights = {key: value.detach() for key, value in learner.named_parameters()}
    save_file(weights, folder / f"{ranks.count}-{ranks.index}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

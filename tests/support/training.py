"""A small data set in memory, small learners, and the configuration of a short training."""

from typing import Any

import numpy as np
import torch

from metarobust.backbones.mlp import MLP
from metarobust.config.train import TrainConfig
from metarobust.data.base import Dataset
from metarobust.learners.catalogue import LEARNERS
from metarobust.learners.gradient_learner import GradientLearner

SHAPE = (1, 8, 8)


def quadrants(*, images: int = 12, noise: float = 0.1) -> Dataset:
    """Sixteen classes: each quadrant is dark or bright, which an attack of 0.1 cannot turn round.

    A faint pattern of each class lies over it, and noise: what a learner can also use, and an
    attack can turn round.
    """
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(16), images)
    bright = np.array([[(c >> bit) & 1 for bit in range(4)] for c in range(16)]).reshape(
        -1, 1, 2, 2
    )
    faint = rng.uniform(-0.08, 0.08, (16, *SHAPE))
    means = 0.35 + 0.3 * np.kron(bright, np.ones((4, 4))) + faint
    pixels = means[labels] + rng.normal(0, noise, (len(labels), *SHAPE))
    train, val, test = np.split(rng.permutation(16), [8, 12])
    return Dataset(
        name="quadrants",
        images=np.rint(255 * pixels.clip(0, 1)).astype(np.uint8),
        labels=labels,
        class_names=tuple(f"class {c}" for c in range(16)),
        groups=None,
        splits={
            "train": tuple(train.tolist()),
            "val": tuple(val.tolist()),
            "test": tuple(test.tolist()),
        },
        digest="0" * 64,
    )


def flat_learner(name: str, *, ways: int = 3, norm_mode: str | None = None, **options: Any):
    """A float64 learner of one hidden layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = MLP(SHAPE, width=8, depth=1)
    if issubclass(LEARNERS[name], GradientLearner):
        options = {"ways": ways, "inner_steps": 2, "inner_rate": 0.4, **options}
    return LEARNERS[name](backbone, norm_mode=norm_mode, **options).double()


def training(**changes: Any) -> TrainConfig:
    """A training of a few steps; the data set is not loaded by its name."""
    settings = {
        "name": "tiny",
        "dataset": "quadrants",
        "learner": {"name": "protonet", "backbone": {"name": "mlp", "width": 8, "depth": 1}},
        "protocol": {"ways": 3, "shots": 2, "queries": 2},
        "iterations": 6,
        "tasks": 2,
        "optimiser": {"rate": 1e-2},
        "validation": {"every": 3, "episodes": 4},
        "device": "cpu",
        "checkpoint_every": 1,
        **changes,
    }
    return TrainConfig.model_validate(settings)

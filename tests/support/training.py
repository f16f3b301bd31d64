"""A small data set in memory, small learners, and the configuration of a short training."""

from typing import Any

import numpy as np
import torch

from metarobust.backbones.mlp import MLP
from metarobust.config.train import TrainConfig
from metarobust.data.base import Dataset
from metarobust.learners.catalogue import LEARNERS

SHAPE = (1, 8, 8)


def faint_patterns(
    *, classes: tuple[int, int, int] = (8, 5, 5), images: int = 12, noise: float = 0.1
) -> Dataset:
    """Classes that share most of their pixels: robust features and fragile ones."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(sum(classes)), images)
    strong = np.zeros((sum(classes), *SHAPE))
    for c in range(sum(classes)):
        # A bright block, which survives an attack, among 64 faint pixels, which do not.
        strong[c, 0, 2 * (c % 4) : 2 * (c % 4) + 2, 2 * (c // 4 % 4) : 2 * (c // 4 % 4) + 2] = 0.5
    faint = rng.uniform(-0.06, 0.06, (sum(classes), *SHAPE))
    pixels = 0.3 + strong[labels] + faint[labels] + rng.normal(0, noise, (len(labels), *SHAPE))
    ends = np.cumsum(classes)[:-1]
    train, val, test = np.split(np.arange(sum(classes)), ends)
    return Dataset(
        name="faint patterns",
        images=np.rint(255 * pixels.clip(0, 1)).astype(np.uint8),
        labels=labels,
        class_names=tuple(f"class {c}" for c in range(sum(classes))),
        groups=None,
        splits={"train": tuple(train), "val": tuple(val), "test": tuple(test)},
        digest="0" * 64,
    )


def flat_learner(name: str, *, ways: int = 3, norm_mode: str | None = None, **options: Any):
    """A float64 learner of one hidden layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = MLP(SHAPE, width=8, depth=1)
    if name == "maml":
        options = {"ways": ways, "inner_steps": 2, "inner_rate": 0.4, **options}
    return LEARNERS[name](backbone, norm_mode=norm_mode, **options).double()


def training(**changes: Any) -> TrainConfig:
    """A training of a few steps; the data set is not loaded by its name."""
    settings = {
        "name": "tiny",
        "dataset": "faint patterns",
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

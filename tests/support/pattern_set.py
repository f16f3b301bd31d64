"""A data set in memory: a faint random pattern for each class, under noise."""

import numpy as np

from metarobust.data.base import SPLITS, Dataset


def pattern_set(
    *,
    shape: tuple[int, ...] = (1, 16, 16),
    classes: tuple[int, int, int] = (6, 4, 6),
    images: int = 10,
    noise: float = 0.12,
    seed: int = 0,
) -> Dataset:
    """Classes that a learner can tell apart, not perfectly; rows are in a random order.

    Args:
        shape: of one image.
        classes: how many are meta-train, meta-val and meta-test.
        images: of each class.
        noise: standard deviation of a pixel around its class pattern.
        seed: of everything.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(sum(classes)), images))
    patterns = rng.uniform(0.3, 0.7, (sum(classes), *shape))
    pixels = (patterns[labels] + rng.normal(0, noise, (len(labels), *shape))).clip(0, 1)
    parts = np.split(np.arange(sum(classes)), np.cumsum(classes)[:-1])
    return Dataset(
        name="patterns",
        images=np.rint(255 * pixels).astype(np.uint8),
        labels=labels.astype(np.int64),
        class_names=tuple(f"class {c}" for c in range(sum(classes))),
        groups=None,
        splits={name: tuple(ids.tolist()) for name, ids in zip(SPLITS, parts, strict=True)},
        digest=f"{seed:064d}",
    )

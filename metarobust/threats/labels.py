"""Label noise on a support set."""

import torch
from torch import Tensor


def symmetric_flip(
    labels: Tensor, ways: int, fraction: float, generator: torch.Generator
) -> Tensor:
    """Give a fraction of the support images a wrong label, uniform over the other classes.

    round(fraction * S) images are drawn without replacement, so every episode has the same number
    of wrong labels. Class counts may change and a class may lose all its images: this is "flip",
    not the class-count-preserving "replace" of the image-swap protocols.

    Args:
        labels: int64 [S] in [0, ways).
        ways: number of classes N, at least 2.
        fraction: share of mislabelled images, in [0, 1].
        generator: source of randomness.

    Returns:
        The noisy labels [S]; the input is not changed.
    """
    count = round(fraction * len(labels))
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    offset = torch.randint(1, ways, (count,), generator=generator)
    noisy = labels.clone()
    noisy[chosen] = (labels[chosen] + offset) % ways
    return noisy


def poison_mask(
    labels: Tensor,
    ways: int,
    shot_fraction: float,
    class_fraction: float,
    generator: torch.Generator,
) -> Tensor:
    """Which support images an attacker may touch: a fraction of the shots of a fraction of classes.

    At least one class and one shot of each chosen class are touched; classes and shots are drawn.

    Args:
        labels: int64 [S] in [0, ways).
        ways: number of classes N.
        shot_fraction: share of each chosen class's shots, in (0, 1].
        class_fraction: share of the classes, in (0, 1].
        generator: source of randomness.

    Returns:
        bool [S].
    """
    mask = torch.zeros(len(labels), dtype=torch.bool)
    classes = torch.randperm(ways, generator=generator)[: max(1, round(class_fraction * ways))]
    for label in classes.tolist():
        members = (labels == label).nonzero().squeeze(1)
        count = max(1, round(shot_fraction * len(members)))
        mask[members[torch.randperm(len(members), generator=generator)[:count]]] = True
    return mask

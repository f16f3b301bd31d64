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


def pair_flip(labels: Tensor, ways: int, fraction: float, generator: torch.Generator) -> Tensor:
    """Give a fraction of the support images the label after their own, (y + 1) mod N.

    Each class is confused with one other, as when annotators mistake one thing for its like: at
    equal fractions harder than `symmetric_flip`, whose wrong labels are spread over all classes.

    Args:
        labels: int64 [S] in [0, ways).
        ways: number of classes N, at least 2.
        fraction: share of mislabelled images, in [0, 1]; round(fraction * S) are drawn.
        generator: source of randomness.

    Returns:
        The noisy labels [S]; the input is not changed.
    """
    count = round(fraction * len(labels))
    chosen = torch.randperm(len(labels), generator=generator)[:count]
    noisy = labels.clone()
    noisy[chosen] = (labels[chosen] + 1) % ways
    return noisy


def exchange_labels(
    labels: Tensor, ways: int, fraction: float, generator: torch.Generator
) -> Tensor:
    """Exchange round(fraction * K) images of each class with the other classes, evenly.

    Every label keeps its K images, and every class its K images among all labels: of K images that
    bear a label, round(fraction * K) show other classes. None of those shows up more often under a
    label than the true class does, so the right answer stays a plurality, perhaps tied.

    In distribution this is replacing those images by fresh ones of other classes of the episode
    (Liang et al. 2022, "symmetric label swap"), for images of a class are exchangeable.

    Args:
        labels: int64 [S] in [0, ways), K of each.
        ways: number of classes N, at least 2.
        fraction: share of each class's images, in [0, 1].
        generator: source of randomness.

    Returns:
        The noisy labels [S]; the input is not changed.

    Raises:
        ValueError: so many wrong images cannot leave the true class a plurality.
    """
    shots = len(labels) // ways
    count = round(fraction * shots)
    if count > most_exchanged(ways, shots):
        raise ValueError(
            f"expected at most {most_exchanged(ways, shots)} of {shots} images exchanged among "
            f"{ways} classes, got {count}"
        )
    # The classes stand in a circle in random order. The j-th image taken from each goes offset_j
    # places on, so that every class gives and gets one image for every j.
    circle = torch.randperm(ways, generator=generator)
    offsets = torch.arange(1, ways).repeat(shots - count)
    offsets = offsets[torch.randperm(len(offsets), generator=generator)[:count]]
    noisy = labels.clone()
    for place, label in enumerate(circle.tolist()):
        members = (labels == label).nonzero().squeeze(1)
        taken = members[torch.randperm(len(members), generator=generator)[:count]]
        noisy[taken] = circle[(place + offsets) % ways]
    return noisy


def most_exchanged(ways: int, shots: int) -> int:
    """How many of K images can show N - 1 other classes, none more often than the true one.

    The largest m with m <= (N - 1) (K - m).

    >>> most_exchanged(ways=5, shots=5), most_exchanged(ways=2, shots=1)
    (4, 0)
    """
    return (ways - 1) * shots // ways


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

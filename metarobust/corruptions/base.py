"""What a corruption is, and the registry that holds them all."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, TypeVar

import torch
from torch import Tensor

from metarobust.core.registry import Registry

Group = Literal["common", "extra", "mnist-c", "c-bar"]
"""Where a corruption comes from.

`common`: the 15 of CIFAR-C, Tiny-ImageNet-C and ImageNet-C, over which their means are taken;
`extra`: the 4 that these benchmarks set aside for validation; `mnist-c`: MNIST-C's own; `c-bar`:
the 10 of CIFAR-10-C-bar, chosen to be unlike the common ones and so fit to be held out.
"""


class Corruption(ABC):
    """One common corruption, written for a batch of images and free of hidden randomness.

    A subclass says its parameters, in the order of its severity table, in its docstring.

    Attributes:
        name: as written in recipes and reports.
        summary: what it does to an image, in a few words.
        group: the benchmark it comes from; suites and held-out sets select by it.
        channels: the numbers of channels it is defined for.
        version: raised whenever the same arguments would give other pixels, table included.
        differentiable: gradients with respect to the images are those of the formula.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    group: ClassVar[Group]
    channels: ClassVar[tuple[int, ...]] = (1, 3)
    version: ClassVar[int] = 1
    differentiable: ClassVar[bool] = True

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """All random numbers for ONE image of `shape` [C, H, W], on the CPU; none by default.

        Their shape depends on the image's shape alone, so that the draws of a batch stack.
        """
        return torch.empty(0)

    @abstractmethod
    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Corrupt a batch.

        Args:
            images: [n, C, H, W] in [0, 1], C one of `channels`, any H and W; left unchanged.
            draws: one `draw` per image, stacked along a leading axis n.
            parameters: one level of the severity table.

        Returns:
            [n, C, H, W]. It may leave [0, 1]: `corrupt` clamps, once, for every corruption.
        """


CORRUPTIONS: Registry[Corruption] = Registry("corruption")

Kind = TypeVar("Kind", bound=type[Corruption])


def register(kind: Kind) -> Kind:
    """Class decorator: file one instance of a corruption under its name."""
    CORRUPTIONS.register(kind.name)(kind())
    return kind

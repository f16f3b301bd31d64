"""The severities of MNIST-C's own corruptions and of the ten of C-bar.

Sources: `mnist-c/corruptions.py` (Mu & Gilmer, "MNIST-C", 2019); `cifar10_c_bar.csv` and
`imagenet_c_bar.csv` (Mintun, Kirillov & Xie, "On Interaction Between Augmentations and Corruptions
in Natural Corruption Robustness", NeurIPS 2021).
"""

from collections.abc import Mapping
from types import MappingProxyType

from metarobust.corruptions.published import Levels, Published, single

_ONE_STRENGTH: Levels = ((), (), (), (), ())


def _mnist_c(levels: Levels) -> Published:
    return Published(levels, levels, levels, levels, benchmark="mnist-c")


def _c_bar(*cifar: float, imagenet: tuple[float, ...] | None = None) -> Published:
    """CIFAR-10-C-bar's levels; above 112 pixels ImageNet-C-bar's, for the five that it has too."""
    small, large = single(*cifar), single(*(imagenet or cifar))
    return Published(small, small, large, small, benchmark="c-bar")


MNIST_C: Mapping[str, Published] = MappingProxyType(
    {
        "shear": _mnist_c(single(0.2, 0.4, 0.6, 0.8, 1)),
        "rotate": _mnist_c(single(0.2, 0.4, 0.6, 0.8, 1)),
        "scale": _mnist_c(single(0.9, 0.8, 0.7, 0.6, 0.5)),
        "translate": _mnist_c(single(1, 2, 3, 4, 5)),
        "quantize": _mnist_c(single(5, 4, 3, 2, 1)),
        "stripe": _mnist_c(_ONE_STRENGTH),
        "inverse": _mnist_c(_ONE_STRENGTH),
        "dotted-line": _mnist_c(_ONE_STRENGTH),
        "zigzag": _mnist_c(_ONE_STRENGTH),
        "canny-edges": _mnist_c(_ONE_STRENGTH),
    }
)

C_BAR: Mapping[str, Published] = MappingProxyType(
    {
        "blue-noise-sample": _c_bar(0.7, 1.4, 2.1, 3.5, 4.2, imagenet=(0.8, 1.6, 2.4, 4, 5.6)),
        "brownish-noise": _c_bar(2.5, 4, 5.5, 6.5, 7, imagenet=(1, 2, 3, 4, 5)),
        "checkerboard-cutout": _c_bar(1, 2, 3, 4, 5, imagenet=(2, 3, 4, 5, 6)),
        "circular-motion-blur": _c_bar(2.8, 3.6, 4.4, 5.2, 6),
        "inverse-sparkles": _c_bar(1, 1.5, 2.5, 4.5, 5, imagenet=(1, 2, 4, 9, 10)),
        "lines": _c_bar(0.5, 1, 1.5, 2, 2.5),
        "pinch-and-twirl": _c_bar(5.5, 6, 6.5, 8.5, 10),
        "ripple": _c_bar(5.5, 6, 6.5, 7.5, 8),
        "sparkles": _c_bar(0.7, 3.5, 5.6, 6.3, 7, imagenet=(1, 2, 3, 5, 6)),
        "transverse-chromatic-aberration": _c_bar(1, 2, 5, 9, 10),
    }
)

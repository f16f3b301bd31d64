"""The severities of the 15 + 4 common corruptions, as in their authors' generators.

Sources: `make_cifar_c.py`, `make_tinyimagenet_c.py` and `make_imagenet_c.py` (Hendrycks &
Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations", ICLR
2019) and `mnist-c/corruptions.py` (Mu & Gilmer, "MNIST-C", 2019). What the parameters of a level
are is said by the class of each corruption.
"""

from collections.abc import Mapping
from types import MappingProxyType

from metarobust.corruptions.published import Published, single

_SPATTER_IMAGENET = (
    (0.65, 0.3, 4, 0.69, 0.6, 0),
    (0.65, 0.3, 3, 0.68, 0.6, 0),
    (0.65, 0.3, 2, 0.68, 0.5, 0),
    (0.65, 0.3, 1, 0.65, 1.5, 1),
    (0.67, 0.4, 1, 0.65, 1.5, 1),
)
_ZOOM_CIFAR = ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01))

COMMON: Mapping[str, Published] = MappingProxyType(
    {
        "gaussian-noise": Published(
            cifar=single(0.04, 0.06, 0.08, 0.09, 0.10),
            tiny=single(0.04, 0.08, 0.12, 0.15, 0.18),
            imagenet=single(0.08, 0.12, 0.18, 0.26, 0.38),
        ),
        "shot-noise": Published(
            cifar=single(500, 250, 100, 75, 50),
            tiny=single(250, 100, 50, 30, 15),
            imagenet=single(60, 25, 12, 5, 3),
        ),
        "impulse-noise": Published(
            cifar=single(0.01, 0.02, 0.03, 0.05, 0.07),
            tiny=single(0.01, 0.02, 0.05, 0.08, 0.14),
            imagenet=single(0.03, 0.06, 0.09, 0.17, 0.27),
        ),
        "speckle-noise": Published(
            cifar=single(0.06, 0.1, 0.12, 0.16, 0.2),
            tiny=single(0.15, 0.2, 0.25, 0.3, 0.35),
            imagenet=single(0.15, 0.2, 0.35, 0.45, 0.6),
        ),
        "gaussian-blur": Published(
            cifar=single(0.4, 0.6, 0.7, 0.8, 1),
            tiny=single(0.5, 0.75, 1, 1.25, 1.5),
            imagenet=single(1, 2, 3, 4, 6),
            lengths=(0,),
        ),
        "defocus-blur": Published(
            cifar=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
            tiny=((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
            imagenet=((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
            lengths=(0,),
        ),
        "glass-blur": Published(
            cifar=((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
            tiny=((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
            imagenet=((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
            lengths=(0, 1),
        ),
        "motion-blur": Published(
            cifar=((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
            tiny=((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
            imagenet=((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
            lengths=(0, 1),
        ),
        "zoom-blur": Published(
            cifar=_ZOOM_CIFAR,
            tiny=_ZOOM_CIFAR,
            imagenet=((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
        ),
        "snow": Published(
            cifar=(
                (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
                (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
                (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
                (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
                (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
            ),
            tiny=(
                (0.1, 0.2, 1, 0.6, 8, 3, 0.8),
                (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
                (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
                (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
                (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
            ),
            imagenet=(
                (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
                (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
                (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
                (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
                (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
            ),
            lengths=(4, 5),
        ),
        "frost": Published(
            cifar=((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
            tiny=((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)),
            imagenet=((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
        ),
        "fog": Published(
            cifar=((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
            tiny=((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
            imagenet=((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
        ),
        "brightness": Published(
            cifar=single(0.05, 0.1, 0.15, 0.2, 0.3),
            tiny=single(0.1, 0.2, 0.3, 0.4, 0.5),
            imagenet=single(0.1, 0.2, 0.3, 0.4, 0.5),
        ),
        "contrast": Published(
            cifar=single(0.75, 0.5, 0.4, 0.3, 0.15),
            tiny=single(0.4, 0.3, 0.2, 0.1, 0.05),
            imagenet=single(0.4, 0.3, 0.2, 0.1, 0.05),
        ),
        "elastic-transform": Published(
            cifar=(
                (0, 0, 0.08),
                (0.05, 0.2, 0.07),
                (0.08, 0.06, 0.06),
                (0.1, 0.04, 0.05),
                (0.1, 0.03, 0.03),
            ),
            tiny=(
                (0, 0, 0.08),
                (0.05, 0.3, 0.06),
                (0.1, 0.08, 0.06),
                (0.1, 0.03, 0.03),
                (0.16, 0.03, 0.02),
            ),
            imagenet=(
                (2, 0.7, 0.1),
                (2, 0.08, 0.2),
                (0.05, 0.01, 0.02),
                (0.07, 0.01, 0.02),
                (0.12, 0.01, 0.02),
            ),
        ),
        "pixelate": Published(
            cifar=single(0.95, 0.9, 0.85, 0.75, 0.65),
            tiny=single(0.9, 0.8, 0.7, 0.6, 0.5),
            imagenet=single(0.6, 0.5, 0.4, 0.3, 0.25),
        ),
        "jpeg-compression": Published(
            cifar=single(80, 65, 58, 50, 40),
            tiny=single(65, 58, 50, 40, 25),
            imagenet=single(25, 18, 15, 10, 7),
        ),
        "saturate": Published(
            cifar=((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
            tiny=((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
            imagenet=((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
        ),
        "spatter": Published(
            cifar=(
                (0.62, 0.1, 0.7, 0.7, 0.5, 0),
                (0.65, 0.1, 0.8, 0.7, 0.5, 0),
                (0.65, 0.3, 1, 0.69, 0.5, 0),
                (0.65, 0.1, 0.7, 0.69, 0.6, 1),
                (0.65, 0.1, 0.5, 0.68, 0.6, 1),
            ),
            tiny=(
                (0.62, 0.1, 0.7, 0.7, 0.6, 0),
                (0.65, 0.1, 0.8, 0.7, 0.6, 0),
                (0.65, 0.3, 1, 0.69, 0.6, 0),
                (0.65, 0.1, 0.7, 0.68, 0.6, 1),
                (0.65, 0.1, 0.5, 0.67, 0.6, 1),
            ),
            imagenet=_SPATTER_IMAGENET,
            mnist=tuple((*level[:-1], 1) for level in _SPATTER_IMAGENET),
            lengths=(2,),
        ),
    }
)

"""The published severity tables, and which of them fits an image of a given size.

The numbers are those of the authors' generators: `make_cifar_c.py`, `make_tinyimagenet_c.py` and
`make_imagenet_c.py` (Hendrycks & Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations", ICLR 2019), and `mnist-c/corruptions.py` (Mu & Gilmer, "MNIST-C",
2019), whose levels are the ImageNet-C ones wherever both define a corruption. Severity is not
monotone by design: a higher level need not be harder for every corruption and every model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from metarobust.core.errors import ConfigError, did_you_mean

Level = tuple[float, ...]

TABLES = ("cifar-c", "tiny-imagenet-c", "imagenet-c", "mnist-c")
SEVERITY_LEVELS = (1, 2, 3, 4, 5)

_TINY_SIDE = 64


@dataclass(frozen=True)
class Published:
    """The five levels of one corruption in each table; a level is the tuple of its parameters.

    Attributes:
        cifar: at 32 x 32.
        tiny: at 64 x 64.
        imagenet: at 224 x 224, and for MNIST-C at 28 x 28.
        lengths: positions of the parameters that are lengths in pixels.
    """

    cifar: tuple[Level, ...]
    tiny: tuple[Level, ...]
    imagenet: tuple[Level, ...]
    lengths: tuple[int, ...] = ()

    def levels(self, table: str) -> tuple[Level, ...]:
        """The five levels in one of `TABLES`.

        Raises:
            ConfigError: there is no such table.
        """
        if table not in TABLES:
            raise ConfigError(f"unknown severity table '{table}': {did_you_mean(table, TABLES)}")
        columns = (self.cifar, self.tiny, self.imagenet, self.imagenet)
        return columns[TABLES.index(table)]


def _single(*values: float) -> tuple[Level, ...]:
    return tuple((value,) for value in values)


SEVERITIES: Mapping[str, Published] = MappingProxyType(
    {
        "gaussian-noise": Published(
            cifar=_single(0.04, 0.06, 0.08, 0.09, 0.10),
            tiny=_single(0.04, 0.08, 0.12, 0.15, 0.18),
            imagenet=_single(0.08, 0.12, 0.18, 0.26, 0.38),
        ),
        "gaussian-blur": Published(
            cifar=_single(0.4, 0.6, 0.7, 0.8, 1),
            tiny=_single(0.5, 0.75, 1, 1.25, 1.5),
            imagenet=_single(1, 2, 3, 4, 6),
            lengths=(0,),
        ),
        "contrast": Published(
            cifar=_single(0.75, 0.5, 0.4, 0.3, 0.15),
            tiny=_single(0.4, 0.3, 0.2, 0.1, 0.05),
            imagenet=_single(0.4, 0.3, 0.2, 0.1, 0.05),
        ),
        "pixelate": Published(
            cifar=_single(0.95, 0.9, 0.85, 0.75, 0.65),
            tiny=_single(0.9, 0.8, 0.7, 0.6, 0.5),
            imagenet=_single(0.6, 0.5, 0.4, 0.3, 0.25),
        ),
    }
)


def choose_table(height: int, width: int, channels: int) -> str:
    """The name of the severity table for images of a size, by their longer side.

    >>> choose_table(28, 28, 1), choose_table(32, 32, 3), choose_table(84, 84, 3)
    ('mnist-c', 'cifar-c', 'tiny-imagenet-c')
    """
    if (height, width, channels) == (28, 28, 1):
        return "mnist-c"
    side = max(height, width)
    if side <= 40:
        return "cifar-c"
    return "tiny-imagenet-c" if side <= 112 else "imagenet-c"


def parameters(name: str, severity: int, *, height: int, width: int, channels: int) -> Level:
    """The parameters of a corruption at a severity, for images of a size.

    Lengths of the Tiny-ImageNet-C table are multiplied by side / 64; the other tables are used as
    published (CIFAR-C's lengths are not ImageNet-C's scaled to 32 pixels, so neither scale).

    >>> parameters("gaussian-blur", 3, height=96, width=96, channels=3)
    (1.5,)

    Raises:
        ConfigError: the corruption has no table, or the severity is not 1 to 5.
    """
    if name not in SEVERITIES:
        raise ConfigError(f"no severity table for '{name}': {did_you_mean(name, SEVERITIES)}")
    if severity not in SEVERITY_LEVELS:
        raise ConfigError(f"{name}: expected a severity of 1 to 5, got {severity}")
    published = SEVERITIES[name]
    table = choose_table(height, width, channels)
    level = published.levels(table)[severity - 1]
    if table != "tiny-imagenet-c":
        return level
    scale = max(height, width) / _TINY_SIDE
    return tuple(v * scale if i in published.lengths else v for i, v in enumerate(level))

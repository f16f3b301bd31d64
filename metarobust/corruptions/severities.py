"""Which published severity table fits an image of a given size.

Severity is not monotone by design: a higher level need not be harder for every corruption and every
model.
"""

from collections.abc import Mapping
from types import MappingProxyType

from metarobust.core.errors import ConfigError, did_you_mean
from metarobust.corruptions.published import TABLES as TABLES
from metarobust.corruptions.published import Level, Published
from metarobust.corruptions.published_common import COMMON
from metarobust.corruptions.published_sets import C_BAR, MNIST_C

SEVERITY_LEVELS = (1, 2, 3, 4, 5)

SEVERITIES: Mapping[str, Published] = MappingProxyType({**COMMON, **MNIST_C, **C_BAR})

_TINY_SIDE = 64


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


def table_of(name: str, *, height: int, width: int, channels: int) -> str:
    """The name of the table that a corruption's levels come from, for images of a size.

    `choose_table` for the common corruptions; the one benchmark that defines it for the others.

    >>> table_of("contrast", height=32, width=32, channels=3)
    'cifar-c'
    >>> table_of("ripple", height=32, width=32, channels=3)
    'c-bar'

    Raises:
        ConfigError: the corruption has no table.
    """
    return _published(name).benchmark or choose_table(height, width, channels)


def parameters(name: str, severity: int, *, height: int, width: int, channels: int) -> Level:
    """The parameters of a corruption at a severity, for images of a size.

    Lengths of the Tiny-ImageNet-C table are multiplied by side / 64; the other tables are used as
    published (CIFAR-C's lengths are not ImageNet-C's scaled to 32 pixels, so neither scale).

    >>> parameters("gaussian-blur", 3, height=96, width=96, channels=3)
    (1.5,)

    Raises:
        ConfigError: the corruption has no table, or the severity is not 1 to 5.
    """
    published = _published(name)
    if severity not in SEVERITY_LEVELS:
        raise ConfigError(f"{name}: expected a severity of 1 to 5, got {severity}")
    table = choose_table(height, width, channels)
    level = published.levels(table)[severity - 1]
    if table != "tiny-imagenet-c":
        return level
    scale = max(height, width) / _TINY_SIDE
    return tuple(v * scale if i in published.lengths else v for i, v in enumerate(level))


def _published(name: str) -> Published:
    if name not in SEVERITIES:
        raise ConfigError(f"no severity table for '{name}': {did_you_mean(name, SEVERITIES)}")
    return SEVERITIES[name]

"""What a published severity table is: five levels for every size of image."""

from dataclasses import dataclass
from typing import Literal

from metarobust.core.errors import ConfigError, did_you_mean

Level = tuple[float, ...]
Levels = tuple[Level, ...]

TABLES = ("cifar-c", "tiny-imagenet-c", "imagenet-c", "mnist-c")


@dataclass(frozen=True)
class Published:
    """The five levels of one corruption in each table; a level is the tuple of its parameters.

    Attributes:
        cifar: at 32 x 32.
        tiny: at 64 x 64.
        imagenet: at 224 x 224.
        mnist: at 28 x 28; None where MNIST-C takes over the levels of ImageNet-C.
        lengths: positions of the parameters that are lengths in pixels.
        benchmark: the one benchmark that defines the corruption, for those that are not in all of
            the tables; its levels do not depend on the size, or only as stated there.
    """

    cifar: Levels
    tiny: Levels
    imagenet: Levels
    mnist: Levels | None = None
    lengths: tuple[int, ...] = ()
    benchmark: Literal["mnist-c", "c-bar"] | None = None

    def levels(self, table: str) -> Levels:
        """The five levels in one of `TABLES`.

        Raises:
            ConfigError: there is no such table.
        """
        if table not in TABLES:
            raise ConfigError(f"unknown severity table '{table}': {did_you_mean(table, TABLES)}")
        columns = (self.cifar, self.tiny, self.imagenet, self.mnist or self.imagenet)
        return columns[TABLES.index(table)]


def single(*values: float) -> Levels:
    """Levels of one parameter."""
    return tuple((value,) for value in values)

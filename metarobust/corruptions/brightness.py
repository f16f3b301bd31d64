"""Brightness: a longer exposure."""

from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.colour import cone


@register
class Brightness(Corruption):
    """The value of HSV raised by a constant, hue and saturation kept; x + c on grey images.

    Parameters: (c,), in units of the [0, 1] range.
    """

    name = "brightness"
    summary = "raises the value of every pixel"
    group = "common"

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Raise the value."""
        (raised,) = parameters
        pixels = cone(images)
        return pixels._replace(value=(pixels.value + raised).clamp(0, 1)).images()

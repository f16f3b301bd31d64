"""Saturate: colours bleached or inflamed."""

from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.colour import cone


@register
class Saturate(Corruption):
    """The saturation of HSV scaled and shifted: s * factor + shift, cut to [0, 1].

    Parameters: (factor, shift). Levels 1 and 2 bleach and 3 to 5 inflame, so that severity is not
    an order.

    Grey pixels of colour images stay grey; the published generators turn them red wherever shift is
    above 0, because scikit-image gives them the hue of red. An image of one channel has no
    saturation: there value is scaled and shifted, x * factor + shift, which is what MNIST-C's
    `saturate` comes to (it treats all three coordinates so and returns to grey, which makes levels
    4 and 5 darker by 4 and 2 %).
    """

    name = "saturate"
    summary = "scales the saturation; on grey images the value"
    group = "extra"

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Scale and shift."""
        factor, shift = parameters
        if images.shape[1] == 1:
            return images * factor + shift
        pixels = cone(images)
        saturation = (pixels.saturation * factor + shift).clamp(0, 1)
        return pixels._replace(saturation=saturation).images()

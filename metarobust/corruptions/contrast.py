"""Contrast: the image drawn towards its own mean, as in haze or flat light."""

from torch import Tensor

from metarobust.corruptions.base import Corruption, register


@register
class Contrast(Corruption):
    """(x - mean) * c + mean, with the mean of each channel of each image.

    Parameters: (c,), the share of contrast that is left.
    """

    name = "contrast"
    summary = "shrinks every channel towards its mean"
    group = "common"

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Scale the deviations from the mean."""
        (left,) = parameters
        mean = images.mean((-2, -1), keepdim=True)
        return (images - mean) * left + mean

"""Gaussian blur: an image low-pass filtered, as by a lens slightly out of focus."""

from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.separable import gaussian_matrix, separable


@register
class GaussianBlur(Corruption):
    """Convolution with a normal kernel, cut at 4 sigma, border pixels repeated.

    Parameters: (sigma,), in pixels. The MNIST-C generator hands its two-dimensional image to
    scikit-image as if the last axis were colour, and so blurs along the height alone; here, as in
    the other generators, both axes are blurred.
    """

    name = "gaussian-blur"
    summary = "smooths with a normal kernel"
    group = "extra"

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Filter the height and the width."""
        (sigma,) = parameters
        height, width = images.shape[-2:]
        return separable(images, gaussian_matrix(height, sigma), gaussian_matrix(width, sigma))

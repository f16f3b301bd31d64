"""JPEG compression: blocks and ringing of a low quality setting."""

from io import BytesIO

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from metarobust.corruptions.base import Corruption, register


@register
class JpegCompression(Corruption):
    """Written as a JPEG file and read again, by Pillow, with its default chroma subsampling.

    Parameters: (quality,), 1 to 95.

    The real codec on the CPU, on 8-bit values (rounded), wherever the images are: exact and faster
    than a differentiable imitation. It has no gradient.
    """

    name = "jpeg-compression"
    summary = "writes and reads a JPEG file of low quality"
    group = "common"
    differentiable = False

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Compress image by image."""
        (quality,) = parameters
        pixels = (images.detach() * 255).round().to(torch.uint8).movedim(1, -1).cpu().numpy()
        decoded = np.stack([_round_trip(image, int(quality)) for image in pixels])
        return (torch.from_numpy(decoded).movedim(-1, 1).to(images) / 255).contiguous()


def _round_trip(pixels: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    file = BytesIO()
    grey = pixels.shape[-1] == 1
    Image.fromarray(pixels[..., 0] if grey else pixels).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file)).reshape(pixels.shape)

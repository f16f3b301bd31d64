"""Images read between their pixels: bilinear sampling at coordinates of one's own."""

import torch
from torch import Tensor

from metarobust.corruptions.borders import Border, fold


def pixel_grid(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Row and column of every pixel, float64 [H, 1] and [1, W]; they broadcast to [H, W]."""
    rows = torch.arange(height, dtype=torch.float64, device=device)
    columns = torch.arange(width, dtype=torch.float64, device=device)
    return rows[:, None], columns[None, :]


def pick(images: Tensor, rows: Tensor, columns: Tensor, border: Border) -> Tensor:
    """The pixels at whole coordinates.

    Args:
        images: [n, C, H, W].
        rows: int64 [n, H', W'], anywhere.
        columns: likewise.
        border: what lies beyond the image.

    Returns:
        [n, C, H', W'].
    """
    channels, height, width = images.shape[1:]
    index = fold(rows, height, border) * width + fold(columns, width, border)
    flat = index.flatten(1)[:, None].expand(-1, channels, -1)
    values = images.flatten(2).gather(2, flat).view(len(images), channels, *rows.shape[1:])
    if border != "zero":
        return values
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return values * inside[:, None]


def bilinear(images: Tensor, rows: Tensor, columns: Tensor, border: Border) -> Tensor:
    """Images at fractional coordinates, between the four nearest pixels.

    Beyond a border of zeros the image fades to 0 within one pixel, as in `scipy.ndimage`'s
    "grid-constant" and in scikit-image's warp.

    Args:
        images: [n, C, H, W].
        rows: float64 [n or 1, H', W' or 1]; 0 is the centre of the first row of pixels.
        columns: float64 [n or 1, H' or 1, W'].
        border: what lies beyond the image.

    Returns:
        [n, C, H', W'] in the dtype of the images, linear in them.
    """
    shape = (len(images), rows.shape[-2], columns.shape[-1])
    rows, columns = rows.expand(shape), columns.expand(shape)
    top, left = rows.floor(), columns.floor()
    down, right = (rows - top).to(images), (columns - left).to(images)
    row, column = top.long(), left.long()
    upper = torch.lerp(
        pick(images, row, column, border), pick(images, row, column + 1, border), right[:, None]
    )
    lower = torch.lerp(
        pick(images, row + 1, column, border),
        pick(images, row + 1, column + 1, border),
        right[:, None],
    )
    return torch.lerp(upper, lower, down[:, None])

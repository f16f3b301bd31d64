"""Square patches of an image: where they lie, and the pattern that fills one under an l2 budget."""

import torch
from torch import Tensor


def patch_mask(u: Tensor, v: Tensor, side: int, height: int, width: int) -> Tensor:
    """Which pixels a patch covers, bool [*leading, height, width].

    Args:
        u: uniform number in [0, 1) that places it from top to bottom, [*leading].
        v: likewise from left to right.
        side: its side, at most the smaller of height and width.
        height: of the image.
        width: of the image.

    >>> patch_mask(torch.tensor(0.99), torch.tensor(0.0), 1, 2, 2)
    tensor([[False, False],
            [ True, False]])
    """
    return _covered(u, side, height).unsqueeze(-1) & _covered(v, side, width).unsqueeze(-2)


def patch_pattern(
    row: Tensor, column: Tensor, turned: Tensor, side: int, height: int, width: int
) -> Tensor:
    """The pattern eta of one patch on an empty image, of Euclidean length 1.

    Two bumps of opposite signs, one above the other (Andriushchenko et al. 2020, equation 3 and
    figure 4): neighbouring weights of a first convolution have the same signs.

    Args:
        row: of the patch's first pixel, [*leading].
        column: likewise.
        turned: whether the bumps lie side by side instead, bool [*leading].
        side: of the patch.
        height: of the image.
        width: of the image.

    Returns:
        [*leading, height, width].
    """
    upright = _two_bumps(side, row.device)
    rows = torch.arange(height, device=row.device) - row.unsqueeze(-1)
    columns = torch.arange(width, device=row.device) - column.unsqueeze(-1)
    inside = _within(rows, side).unsqueeze(-1) & _within(columns, side).unsqueeze(-2)
    i = rows.long().clamp(0, side - 1).unsqueeze(-1)
    j = columns.long().clamp(0, side - 1).unsqueeze(-2)
    pattern = torch.where(turned[..., None, None], upright[j, i], upright[i, j])
    return torch.where(inside, pattern, 0.0)


def tile_grid(height: int, width: int) -> list[tuple[int, int, int]]:
    """The (row, column, side) of each tile of the first l2 perturbation: about five by five.

    >>> tile_grid(10, 5)[:3]
    [(0, 0, 2), (0, 2, 2), (2, 0, 2)]
    """
    side = max(height // 5, 1)
    top = max((height - 5 * side) // 2, 0)
    return [
        (row, column, side)
        for row in range(top, height - side + 1, side)
        for column in range(top, width - side + 1, side)
    ]


def _covered(uniform: Tensor, side: int, size: int) -> Tensor:
    first = (uniform * (size - side + 1)).floor().unsqueeze(-1)
    return _within(torch.arange(size, device=uniform.device) - first, side)


def _within(offset: Tensor, side: int) -> Tensor:
    return (offset >= 0) & (offset < side)


def _two_bumps(side: int, device: torch.device) -> Tensor:
    upper = _bump(side // 2, side)
    lower = _bump(side - side // 2, side)
    both = torch.cat([upper, -lower]).to(device)
    return _unit(both)


def _bump(height: int, width: int) -> Tensor:
    """Rectangles around the middle of [height, width], each weighing 1 / (m + 1)^2; length 1."""
    pattern = torch.zeros(height, width)
    row, column = height // 2, width // 2
    for m in range(max(row, column) + 1):
        rows = slice(max(row - m, 0), row + m + 1)
        columns = slice(max(column - m, 0), column + m + 1)
        pattern[rows, columns] += 1 / (m + 1) ** 2
    return _unit(pattern)


def _unit(pattern: Tensor) -> Tensor:
    return pattern / pattern.square().sum().sqrt().clamp(min=1e-12)

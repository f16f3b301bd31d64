"""A gradient against differences of the function itself."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor


def assert_slope(
    value: Callable[[], Tensor], leaves: Sequence[Tensor], *, step: float = 1e-6, rel: float = 1e-5
) -> None:
    """The gradient of a scalar equals its central difference, along the gradient and a bit aside.

    `gradcheck` would do the same with an absolute tolerance, under which small gradients pass
    whatever they are; in its fast mode that tolerance even grows with the number of inputs.

    Args:
        value: computes the scalar from the leaves as they are now.
        leaves: float64, of which it is differentiated.
        step: length of the step to both sides.
        rel: largest relative error.
    """
    gradient = torch.autograd.grad(value(), leaves)
    source = torch.Generator().manual_seed(0)
    aside = [torch.randn(g.shape, generator=source, dtype=g.dtype) for g in gradient]
    directions = [a + b for a, b in zip(_unit(gradient), _unit(aside), strict=True)]
    expected = sum(float((g * d).sum()) for g, d in zip(gradient, directions, strict=True))
    assert expected > 0, "a gradient of zero tells nothing"
    ends = []
    for sign in (1, -2):
        with torch.no_grad():
            for leaf, direction in zip(leaves, directions, strict=True):
                leaf.add_(sign * step * direction)
        ends.append(value().item())
    with torch.no_grad():
        for leaf, direction in zip(leaves, directions, strict=True):
            leaf.add_(step * direction)
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(expected, rel=rel)


def _unit(parts: Sequence[Tensor]) -> list[Tensor]:
    length = torch.stack([part.square().sum() for part in parts]).sum().sqrt()
    return [part / length for part in parts]

"""The set of admissible perturbations: a norm ball per image, cut with the data range [0, 1]."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Norm = Literal["linf", "l2"]
NORMS: tuple[Norm, ...] = ("linf", "l2")


@dataclass(frozen=True)
class Ball:
    """{x : ||x - centre||_p <= radius for each image, x in [0, 1]}.

    The norm is taken over one image, whatever axes lead. A radius of zero, which a poison mask
    gives to untouched images, admits the centre alone.

    Attributes:
        norm: `linf` or `l2`.
        radius: [*leading, 1, ..., 1], broadcastable to the inputs; in pixel units of [0, 1].
        image_axes: how many trailing axes make one image (3 for [C, H, W]).
    """

    norm: Norm
    radius: Tensor
    image_axes: int = 3

    def project(self, x: Tensor, centre: Tensor) -> Tensor:
        """The point of the ball's range that replaces `x`.

        For linf this is the Euclidean projection. For l2 it is the projection on the ball followed
        by clamping to [0, 1], which cannot leave the ball because the centre lies in [0, 1].

        >>> ball = Ball("linf", torch.tensor([[0.1]]), image_axes=1)
        >>> ball.project(torch.tensor([[0.9, 0.52]]), torch.tensor([[0.5, 0.5]]))
        tensor([[0.6000, 0.5200]])
        """
        if self.norm == "linf":
            inside = torch.minimum(torch.maximum(x, centre - self.radius), centre + self.radius)
        else:
            delta = x - centre
            length = self.norm_of(delta)
            # The tiny denominator only matters where delta is zero and so is the numerator.
            shrink = torch.where(length > self.radius, self.radius / length.clamp(min=1e-30), 1.0)
            inside = centre + delta * shrink
        return inside.clamp(0.0, 1.0)

    def ascend(self, gradient: Tensor, rate: float) -> Tensor:
        """The step of length `rate` radii along which the linearised objective grows fastest.

        sign(g) for linf; g / ||g||_2 per image for l2; zero where the gradient is zero.
        """
        if self.norm == "linf":
            return rate * self.radius * gradient.sign()
        length = self.norm_of(gradient)
        unit = torch.where(length > 0, gradient / length.clamp(min=1e-30), 0.0)
        return rate * self.radius * unit

    def spread(self, draws: Tensor) -> Tensor:
        """Turn standard draws into a random perturbation of the ball.

        Args:
            draws: uniform on [-1, 1] for linf (uniform in the box); normal for l2 (uniform on the
                sphere). See `standard_draws`.
        """
        if self.norm == "linf":
            return self.radius * draws
        return self.radius * draws / self.norm_of(draws).clamp(min=1e-30)

    def norm_of(self, delta: Tensor) -> Tensor:
        """The norm of each image's perturbation, [*leading, 1, ..., 1]."""
        axes = tuple(range(-self.image_axes, 0))
        if self.norm == "linf":
            return delta.abs().amax(axes, keepdim=True)
        return delta.square().sum(axes, keepdim=True).sqrt()


def standard_draws(norm: Norm, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """The random numbers that `Ball.spread` expects, drawn on the CPU."""
    if norm == "linf":
        return torch.rand(shape, generator=generator) * 2 - 1
    return torch.randn(shape, generator=generator)

"""The set of admissible perturbations: a norm ball per image, cut with the data range [0, 1]."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from metarobust.threats.sparse import leading_sign, project_l1_in_box, sparse_sign

Norm = Literal["linf", "l2", "l1"]
NORMS: tuple[Norm, ...] = ("linf", "l2", "l1")


def longest(norm: Norm, size: int) -> float:
    """The norm of the longest perturbation between two images of `size` values in [0, 1].

    >>> [longest(norm, 784) for norm in NORMS]
    [1.0, 28.0, 784.0]
    """
    return {"linf": 1.0, "l2": math.sqrt(size), "l1": float(size)}[norm]


L1_STEP_SHARE = 0.01
"""Share of an image's entries that one l1 step moves: the 99th percentile of Tramèr & Boneh."""


@dataclass(frozen=True)
class Ball:
    """{x : ||x - centre||_p <= radius for each image, x in [0, 1]}.

    The norm is taken over one image, whatever axes lead. A radius of zero, which a poison mask
    gives to untouched images, admits the centre alone.

    Attributes:
        norm: `linf`, `l2` or `l1`.
        radius: [*leading, 1, ..., 1], broadcastable to the inputs; in pixel units of [0, 1].
        image_axes: how many trailing axes make one image (3 for [C, H, W]).
    """

    norm: Norm
    radius: Tensor
    image_axes: int = 3

    def project(self, x: Tensor, centre: Tensor) -> Tensor:
        """The point of the ball's range that replaces `x`.

        For linf and l1 this is the Euclidean projection on ball and range together. For l2 it is
        the projection on the ball followed by clamping to [0, 1], which cannot leave the ball
        because the centre lies in [0, 1].

        >>> ball = Ball("linf", torch.tensor([[0.1]]), image_axes=1)
        >>> ball.project(torch.tensor([[0.9, 0.52]]), torch.tensor([[0.5, 0.5]]))
        tensor([[0.6000, 0.5200]])
        """
        delta = x - centre
        if self.norm == "linf":
            inside = torch.minimum(torch.maximum(x, centre - self.radius), centre + self.radius)
        elif self.norm == "l2":
            length = self.norm_of(delta)
            # The tiny denominator only matters where delta is zero and so is the numerator.
            shrink = torch.where(length > self.radius, self.radius / length.clamp(min=1e-30), 1.0)
            inside = centre + delta * shrink
        else:
            room = torch.where(delta > 0, 1 - centre, centre)
            radius = self.radius.expand_as(self.norm_of(delta))
            flat = project_l1_in_box(self._flat(delta), self._flat(room), self._flat(radius))
            inside = centre + flat.view(delta.shape)
        return inside.clamp(0.0, 1.0)

    def ascend(
        self,
        gradient: Tensor,
        rate: float | Tensor,
        at: Tensor | None = None,
        entries: Tensor | None = None,
    ) -> Tensor:
        """The step of length `rate` radii along which the linearised objective grows fastest.

        sign(g) for linf; g / ||g||_2 per image for l2; zero where the gradient is zero. For l1 the
        step is spread over the largest 1 % of the entries (see `sparse_sign`).

        Args:
            gradient: like the inputs.
            rate: a number, or one for each image, broadcastable like `radius`.
            at: where the step starts. An l1 step moves few entries, and skips those that already
                lie at the wall of [0, 1] which they head for.
            entries: how many entries of each image an l1 step moves, broadcastable like `radius`;
                by default the share above.
        """
        if self.norm == "linf":
            return rate * self.radius * gradient.sign()
        if self.norm == "l2":
            length = self.norm_of(gradient)
            unit = torch.where(length > 0, gradient / length.clamp(min=1e-30), 0.0)
            return rate * self.radius * unit
        if at is not None:
            walled = ((at >= 1) & (gradient > 0)) | ((at <= 0) & (gradient < 0))
            gradient = gradient.masked_fill(walled, 0.0)
        flat = self._flat(gradient)
        if entries is None:
            unit = sparse_sign(flat, L1_STEP_SHARE)
        else:
            unit = leading_sign(flat, self._flat(entries))
        return rate * self.radius * unit.view(gradient.shape)

    def spread(self, draws: Tensor) -> Tensor:
        """Turn standard draws into a random perturbation of the ball.

        Args:
            draws: uniform on [-1, 1] for linf (uniform in the box); normal for l2 and Laplace for
                l1 (uniform on the sphere). See `standard_draws`.
        """
        if self.norm == "linf":
            return self.radius * draws
        return self.radius * draws / self.norm_of(draws).clamp(min=1e-30)

    def norm_of(self, delta: Tensor) -> Tensor:
        """The norm of each image's perturbation, [*leading, 1, ..., 1]."""
        axes = tuple(range(-self.image_axes, 0))
        if self.norm == "linf":
            return delta.abs().amax(axes, keepdim=True)
        if self.norm == "l2":
            return delta.square().sum(axes, keepdim=True).sqrt()
        return delta.abs().sum(axes, keepdim=True)

    def _flat(self, tensor: Tensor) -> Tensor:
        return tensor.flatten(-self.image_axes)


def standard_draws(norm: Norm, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """The random numbers that `Ball.spread` expects, drawn on the CPU."""
    if norm == "l2":
        return torch.randn(shape, generator=generator)
    uniform = torch.rand(shape, generator=generator) * 2 - 1
    if norm == "linf":
        return uniform
    # The inverse distribution function of Laplace; 1 - |u| is in (0, 1].
    return uniform.sign() * -torch.log1p(-uniform.abs())

"""Backdoor triggers: a small patch, the same on every image that bears it."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from metarobust.core.errors import ConfigError

Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right", "centre"]
Pattern = Literal["solid", "checkerboard"]

CORNERS: tuple[Corner, ...] = ("top-left", "top-right", "bottom-left", "bottom-right", "centre")
PATTERNS: tuple[Pattern, ...] = ("solid", "checkerboard")


@dataclass(frozen=True)
class Trigger:
    """A square patch (Gu et al. 2017, BadNets).

    Attributes:
        size: its side, in pixels.
        position: where it lies; one pixel is left free at the borders.
        pattern: one value, or alternating with its complement 1 - value from pixel to pixel.
        value: of its pixels, in [0, 1]; of the upper left one of a checkerboard.

    Raises:
        ConfigError: a value is none of these.
    """

    size: int = 4
    position: Corner = "bottom-right"
    pattern: Pattern = "checkerboard"
    value: float = 1.0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ConfigError(f"trigger: expected size of 1 pixel or more, got {self.size}")
        if self.position not in CORNERS:
            raise ConfigError(
                f"trigger: expected position {', '.join(CORNERS)}, got '{self.position}'"
            )
        if self.pattern not in PATTERNS:
            raise ConfigError(
                f"trigger: expected pattern {' or '.join(PATTERNS)}, got '{self.pattern}'"
            )
        if not 0 <= self.value <= 1:
            raise ConfigError(f"trigger: expected value in [0, 1], got {self.value:g}")

    def misfit(self, shape: tuple[int, ...]) -> str:
        """Why the patch does not fit images of this shape; empty if it does."""
        if len(shape) != 3:
            return f"a trigger is a patch of an image [C, H, W], got inputs {list(shape)}"
        room = min(shape[1:]) - 2
        if self.size > room:
            return (
                f"a trigger of {self.size} pixels does not fit images of {shape[1]} x {shape[2]}; "
                f"set options.size to at most {room}"
            )
        return ""

    def stamp(self, images: Tensor) -> Tensor:
        """The images [n, C, H, W] with the patch on them, and nothing else changed."""
        height, width = images.shape[-2:]
        top = {"t": 1, "b": height - self.size - 1, "c": (height - self.size) // 2}
        left = {"left": 1, "right": width - self.size - 1, "centre": (width - self.size) // 2}
        row = top[self.position[0]]
        column = left[self.position.rpartition("-")[2]]
        marked = images.clone()
        marked[..., row : row + self.size, column : column + self.size] = self._patch(images)
        return marked

    def _patch(self, like: Tensor) -> Tensor:
        steps = torch.arange(self.size, device=like.device)
        odd = (steps.unsqueeze(0) + steps.unsqueeze(1)) % 2 == 1
        patch = torch.full((self.size, self.size), self.value, dtype=like.dtype, device=like.device)
        return torch.where(odd, 1 - patch, patch) if self.pattern == "checkerboard" else patch

"""An exponential moving average of a module's parameters."""

import torch
from torch import nn


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, decay: float, updates: int) -> None:
    """Move an average towards a module, once after each step.

    a <- d a + (1 - d) w, with d = min(decay, (1 + t) / (10 + t)) at update t = 0, 1, ...: the
    warm-up forgets the initial weights, which a constant decay keeps for 1 / (1 - decay) steps.

    Args:
        average: a copy of the module; its parameters are written, its buffers are not.
        module: what is trained.
        decay: d in the long run, in (0, 1).
        updates: how many updates came before.
    """
    d = min(decay, (1 + updates) / (10 + updates))
    for mean, value in zip(average.parameters(), module.parameters(), strict=True):
        mean.lerp_(value, 1 - d)

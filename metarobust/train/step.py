"""One outer step: the meta-gradient of an iteration's tasks, clipped, and the optimiser."""

import math

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from metarobust.core.engine import Backend, mean_gradient
from metarobust.train.ranks import Ranks
from metarobust.train.stream import TaskStream

UNSOLVABLE = torch.linalg.LinAlgError  # type: ignore[attr-defined]  # public, but not exported
"""What a closed form raises when features have overflowed."""

LOSS = ""
"""The loss rides along with the gradients; no parameter has an empty name."""


def outer_step(
    stream: TaskStream,
    optimiser: torch.optim.Optimizer,
    iteration: int,
    *,
    ranks: Ranks,
    backend: Backend,
    clip: float | None = None,
) -> float:
    """Step once along the mean gradient of an iteration's tasks; their mean loss.

    Args:
        stream: where the tasks come from, and the module that is trained.
        optimiser: over the module's parameters.
        iteration: its index.
        ranks: the processes that share the tasks; the module is on this one's device.
        backend: how to map over the tasks.
        clip: largest l2 norm of the gradient.

    Returns:
        The loss; NaN, without a step, where a closed form could not be solved, as happens once
        features are no longer finite.
    """
    try:
        gradient, loss = meta_gradient(stream, iteration, ranks=ranks, backend=backend)
    except UNSOLVABLE:
        return math.nan
    if clip is not None:
        gradient = clipped(gradient, clip)
    named: dict[str, nn.Parameter] = dict(stream.module.named_parameters())
    for key, value in gradient.items():
        named[key].grad = value
    optimiser.step()
    optimiser.zero_grad()
    return loss


def meta_gradient(
    stream: TaskStream, iteration: int, *, ranks: Ranks, backend: Backend
) -> tuple[dict[str, Tensor], float]:
    """Gradient of the mean loss of an iteration's tasks, by parameter, and that loss."""
    total: dict[str, Tensor] = {}
    for batch in stream.batches(iteration, ranks):
        tasks = tree_map(lambda leaf: leaf.to(ranks.device), batch.tasks)
        found, losses = mean_gradient(stream.module, batch.loss, tasks, backend=backend)
        for key, value in {**found, LOSS: losses.mean()}.items():
            part = batch.share * value
            total[key] = total[key] + part if key in total else part
    total = ranks.total(total)
    return total, float(total.pop(LOSS))


def clipped(gradient: dict[str, Tensor], largest: float) -> dict[str, Tensor]:
    """A gradient scaled to the l2 norm `largest` where it is longer (Pascanu et al. 2013).

    >>> clipped({"a": torch.tensor([3.0]), "b": torch.tensor([4.0])}, 1.0)
    {'a': tensor([0.6000]), 'b': tensor([0.8000])}
    """
    norm = torch.stack([value.norm() for value in gradient.values()]).norm()
    shrink = torch.where(norm > largest, largest / norm, 1.0)
    return {key: value * shrink for key, value in gradient.items()}

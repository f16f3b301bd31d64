"""The inner loop of gradient-based learners: descend a support loss, one rule a step."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._pytree import tree_map

from metarobust.core.engine import gradient

Weights = dict[str, dict[str, Tensor]]
"""What the inner loop moves: tensors by the part of the network and their name in it."""

Loss = Callable[[Weights], Tensor]
"""A support loss as a function of the weights, a scalar."""

Rule = Callable[[Weights, Weights, int], Weights]
"""`(weights, their gradients, step) -> new weights`."""


def gradient_descent(rate: float) -> Rule:
    """The rule of plain gradient descent, theta - rate * gradient."""

    def update(weights: Weights, grads: Weights, step: int) -> Weights:
        new: Weights = tree_map(lambda value, grad: value - rate * grad, weights, grads)
        return new

    return update


def descend(
    losses: Sequence[Loss], weights: Weights, rule: Rule, *, first_order: bool = False
) -> list[Weights]:
    """Take one step down each loss.

    Args:
        losses: the loss of each step.
        weights: where to start.
        rule: how a gradient moves the weights.
        first_order: take each gradient at constants, so that no second derivative with respect to
            the weights passes through it. It stays differentiable in everything else.

    Returns:
        The weights at the start and after each step; differentiable where gradients are enabled.
    """
    trajectory = [weights]
    for step, loss in enumerate(losses):
        at = tree_map(Tensor.detach, weights) if first_order else weights
        grads, _ = gradient(loss, at, create_graph=torch.is_grad_enabled())
        weights = rule(weights, grads, step)
        trajectory.append(weights)
    return trajectory


def linear(features: Tensor, head: dict[str, Tensor]) -> Tensor:
    """Logits [n, N] of features [n, d] by a head of `weight` [N, d] and `bias` [N]."""
    return F.linear(features, head["weight"], head["bias"])

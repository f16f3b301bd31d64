"""Reptile: an initialisation close to where many tasks end."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_map

from metarobust.core.errors import ConfigError
from metarobust.core.option_checks import check_at_least, check_choice
from metarobust.learners.base import LEARNERS
from metarobust.learners.gradient_learner import GradientLearner
from metarobust.learners.inner_loop import Rule, Weights

_DECAY = 0.999
_EPSILON = 1e-8


def adam_without_momentum(rate: float) -> Rule:
    """Adam with beta1 = 0 and beta2 = 0.999, as Reptile's inner loop uses it.

    Its epsilon stands under the root, where a gradient of zero still has derivatives.
    """
    average: Weights | None = None

    def update(weights: Weights, grads: Weights, step: int) -> Weights:
        nonlocal average
        squares = tree_map(lambda grad: (1 - _DECAY) * grad.square(), grads)
        if average is not None:
            squares = tree_map(lambda old, new: _DECAY * old + new, average, squares)
        average = squares
        correction = 1 - _DECAY ** (step + 1)

        def moved(value: Tensor, grad: Tensor, square: Tensor) -> Tensor:
            return value - rate * grad * torch.rsqrt(square / correction + _EPSILON**2)

        new: Weights = tree_map(moved, weights, grads, squares)
        return new

    return update


@LEARNERS.register("reptile")
class Reptile(GradientLearner):
    """Reptile (Nichol, Achiam & Schulman 2018, algorithm 2 and appendix A).

    theta <- theta + rate * mean over tasks of (theta_k - theta), where theta_k is the end of
    `train_steps` inner steps. That outer step is gradient descent on half the squared distance to
    theta_k held constant (section 5.2), which is the meta-loss here; train it by plain `sgd` with
    `momentum: 0`. There are no queries in training: an episode's images are dealt out evenly, class
    by class, as the mini-batches of the inner steps.

    Args:
        backbone: the embedding network.
        inner_steps: steps on a support set at test time, all of it at each step.
        inner_rate: rate of the inner optimiser.
        train_steps: inner steps in training, each on its own mini-batch.
        inner_optimiser: `adam` without momentum, as in the paper, or `sgd`. Adam's second moments
            start anew with every task.
        options: the others of `GradientLearner`.

    Raises:
        ConfigError: an unknown inner optimiser, or no training step.
    """

    family = "initialisation"
    paper = "Nichol, Achiam & Schulman, 2018"

    def __init__(
        self,
        backbone: nn.Module,
        *,
        inner_steps: int = 10,
        inner_rate: float = 1e-3,
        train_steps: int = 5,
        inner_optimiser: str = "adam",
        **options: Any,
    ) -> None:
        super().__init__(backbone, inner_steps=inner_steps, inner_rate=inner_rate, **options)
        check_choice("inner_optimiser", inner_optimiser, ("adam", "sgd"))
        check_at_least("train_steps", train_steps, 1)
        self.train_steps = train_steps
        self.inner_optimiser = inner_optimiser

    def rule(self) -> Rule:
        """See `GradientLearner.rule`."""
        if self.inner_optimiser == "adam":
            return adam_without_momentum(self.inner_rate)
        return super().rule()

    def meta_loss(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        query_y: Tensor,
        *,
        ways: int,
    ) -> Tensor:
        """See `Learner.meta_loss`: 1/2 ||theta - theta_k||^2, whose gradient is Reptile's step."""
        self.check_ways(ways)
        batches = self.deal(
            torch.cat([_by_class(support_x, ways), _by_class(query_x, ways)], dim=1),
            torch.cat([_by_class(support_y, ways), _by_class(query_y, ways)], dim=1),
        )
        with torch.no_grad():
            end = self.trajectory(batches)[-1]
        here, there = tree_flatten(self.start())[0], tree_flatten(end)[0]
        squares = [(a - b).square().sum() for a, b in zip(here, there, strict=True)]
        return 0.5 * torch.stack(squares).sum()

    def deal(self, x: Tensor, y: Tensor) -> list[tuple[Tensor, Tensor]]:
        """One mini-batch for each training step, of as many images of each class.

        Args:
            x: inputs by class [N, images, *input].
            y: their labels [N, images].

        Raises:
            ConfigError: there are fewer images of a class than steps.
        """
        each = x.shape[1] // self.train_steps
        if not each:
            raise ConfigError(
                f"reptile: {self.train_steps} train_steps need as many images of each class, got "
                f"{x.shape[1]}; raise protocol.shots or protocol.queries"
            )
        parts = [slice(step * each, (step + 1) * each) for step in range(self.train_steps)]
        return [(x[:, part].flatten(0, 1), y[:, part].flatten(0, 1)) for part in parts]


def _by_class(rows: Tensor, ways: int) -> Tensor:
    """Rows in class-major order [N * K, ...] as [N, K, ...]."""
    return rows.view(ways, -1, *rows.shape[1:])

"""What iterations cost, how many there are, and the learning rate of each."""

import math
from collections.abc import Callable

from metarobust.config.train import OptimiserConfig, TrainConfig
from metarobust.core.errors import ConfigError
from metarobust.train.mixture import make_mixture


def iteration_costs(config: TrainConfig) -> Callable[[int], int]:
    """Gradients of the learner that an iteration costs, by its index.

    One gradient is that of one episode, adaptation and all, or of one batch of images under
    `classification`.
    """
    if config.objective.name == "classification":
        return lambda iteration: 1
    mixture = make_mixture(config.objective, config.seed)
    ways = config.protocol.ways
    return lambda iteration: mixture.gradient_evaluations(iteration, config.tasks, ways)


def planned_iterations(config: TrainConfig) -> int:
    """Outer steps in all: those given, or as many whole ones as the budget pays for.

    Raises:
        ConfigError: the budget does not pay for one.
    """
    if config.iterations is not None:
        return config.iterations
    total = config.budget.gradient_evaluations if config.budget else 0
    cost = iteration_costs(config)
    iterations, spent = 0, cost(0)
    while spent <= total:
        iterations += 1
        spent += cost(iterations)
    if not iterations:
        raise ConfigError(
            f"budget.gradient_evaluations: expected at least {cost(0)}, the cost of one iteration, "
            f"got {total}"
        )
    return iterations


def rate_at(config: OptimiserConfig, iteration: int, iterations: int) -> float:
    """The learning rate of an iteration: constant, or a half cosine that falls to zero."""
    if config.schedule == "constant":
        return config.rate
    return config.rate * 0.5 * (1 + math.cos(math.pi * iteration / iterations))

"""Which objective each task draws, and what an iteration costs."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

import torch

from metarobust.assembly.data_threats import Corrupted, LabelNoise
from metarobust.config.objective import ObjectiveConfig
from metarobust.config.training_attack import AttackConfig
from metarobust.core.seeds import derive_seed, generator
from metarobust.corruptions import CORRUPTIONS
from metarobust.train.adversaries import query_attack, support_attack
from metarobust.train.objectives import (
    ADML,
    RMAML,
    AdversarialQuery,
    AdversarialSupport,
    Augmented,
    Clean,
    EpisodeObjective,
)


@dataclass(frozen=True)
class Mixture:
    """Objectives of one episode, of which each task draws one.

    Attributes:
        objectives: the parts.
        weights: how often each is drawn, relative to the others.
        seed: root of the draws.
    """

    objectives: tuple[EpisodeObjective, ...]
    weights: tuple[float, ...]
    seed: int

    def task_seed(self, iteration: int, task: int) -> int:
        """The seed of everything that is drawn for a task."""
        return derive_seed(self.seed, "train", iteration, task)

    def drawn(self, iteration: int, tasks: int) -> list[int]:
        """Which objective each task of an iteration has, a pure function of its index."""
        if len(self.objectives) == 1:
            return [0] * tasks
        ends = list(accumulate(self.weights))
        return [
            bisect_right(ends, self._point(iteration, task) * ends[-1]) for task in range(tasks)
        ]

    def _point(self, iteration: int, task: int) -> float:
        source = generator(self.task_seed(iteration, task), "part")
        return float(torch.rand((), generator=source, dtype=torch.float64))

    def gradient_evaluations(self, iteration: int, tasks: int, ways: int) -> int:
        """Gradients of the learner that an iteration of episodes of N ways costs."""
        places = self.drawn(iteration, tasks)
        return sum(self.objectives[place].gradient_evaluations(ways) for place in places)


def make_mixture(config: ObjectiveConfig, seed: int) -> Mixture:
    """The objectives that a configuration names: one, or the parts of a mixture.

    Raises:
        ConfigError: a corruption is unknown.
    """
    if not config.parts:
        return Mixture((_make(config),), (1.0,), seed)
    weights = tuple(part.weight for part in config.parts)
    return Mixture(tuple(_make(part) for part in config.parts), weights, seed)


def _make(config: ObjectiveConfig) -> EpisodeObjective:
    if config.attack is not None:
        return _adversarial(config, config.attack)
    if config.fraction is not None:
        return Augmented(LabelNoise(config.fraction))
    if config.corruption is not None and config.severity is not None:
        known = CORRUPTIONS[config.corruption].name
        return Augmented(Corrupted(known, config.severity, config.surface))
    return Clean()


def _adversarial(config: ObjectiveConfig, attack: AttackConfig) -> EpisodeObjective:
    query = AdversarialQuery(query_attack(attack), config.labels)
    support = AdversarialSupport(support_attack(attack), config.labels)
    makers: dict[str, EpisodeObjective] = {
        "aq": query,
        "as": support,
        "adml": ADML(query, support),
        "r-maml": _r_maml(config, attack),
    }
    return makers[config.name]


def _r_maml(config: ObjectiveConfig, attack: AttackConfig) -> RMAML:
    """The attack climbs the very term that is minimised: TRADES' divergence, or the loss."""
    threat = query_attack(attack, ("kl",) if config.term == "kl" else None)
    return RMAML(threat, config.labels, config.term, config.beta)

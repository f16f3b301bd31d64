"""Worst cases that are not perturbations: wrong labels, and real images, chosen by search."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from metarobust.assembly.data_threats import no_images
from metarobust.assembly.image_pool import ImagePool, check_room
from metarobust.assembly.threat import (
    Outcome,
    Prepared,
    Threat,
    adapter,
    changed_share,
    judge,
    untouched,
)
from metarobust.core.episode import Episode
from metarobust.core.errors import AttackError, ConfigError
from metarobust.core.seeds import generator
from metarobust.data.base import Dataset
from metarobust.data.sampler import Protocol
from metarobust.learners.base import Learner
from metarobust.threats.greedy import coordinate_rounds, steepest_changes
from metarobust.threats.losses import cross_entropy, margin_loss

Goal = Literal["worst", "best"]

_NO_QUERIES = (
    "a search needs queries of the attacker's own, disjoint from the scored ones, got none; set "
    "protocol.attacker_queries to at least 1"
)


@dataclass(frozen=True)
class WorstLabels(Threat):
    """Greedy label flips: always the one that raises the attacker's loss most.

    The loss is the cross-entropy of the attacker's own queries after adaptation. Every flip that is
    left is tried in every round, so an episode costs about fraction S^2 (N - 1) adaptations.

    Attributes:
        fraction: share of the support labels that may be flipped, in [0, 1]; fewer are, if more
            would lower the loss.
    """

    fraction: float

    def objection(self, learner: Learner, protocol: Protocol) -> str:
        """See `Threat.objection`."""
        if protocol.attacker_queries == 0:
            return _NO_QUERIES
        return no_images(self.fraction, protocol.ways * protocol.shots, "support images")

    def adaptations(self, protocol: Protocol) -> int:
        """See `Threat.adaptations`, and `steepest_changes`."""
        slots = protocol.ways * protocol.shots
        return 1 + round(self.fraction * slots) * slots * (protocol.ways - 1)

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`; nothing is drawn."""
        return untouched(episode)

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode = prepared.episode

        def value(labels: Tensor) -> Tensor:
            logits = _attacker_logits(learner, episode, episode.support_x, labels)
            return cross_entropy(logits / scale, episode.attacker_y).mean()

        count = round(self.fraction * len(episode.support_y))
        found = steepest_changes(value, episode.support_y, episode.ways, count)
        return judge(
            learner,
            episode._replace(support_y=found.state),
            episode.support_x,
            episode.query_x,
            poisoned=True,
            changed=changed_share(episode.support_y, found.state),
            objective_start=found.start,
            objective_end=found.value,
        )

    def without_budget(self) -> Threat:
        """No flips."""
        return WorstLabels(0.0)


@dataclass(frozen=True)
class NaturalSupport(Threat):
    """Support images chosen among unaltered ones of the same class (Agarwal et al. 2021).

    Rounds over the slots of the support set: each takes the image, its own or one of a pool of
    its class, with which the attacker's queries fare worst: most errors, then the largest mean
    margin. No image is taken twice; none of the pool is a query, anyone's, of the episode.

    Attributes:
        rounds: how many.
        candidates: images in the pool of each class.
        goal: `worst`, or `best` for the luckiest draw instead.
        pool: where they come from; None before `with_data`.

    Raises:
        ConfigError: the goal is neither, or there are no candidates.
    """

    rounds: int
    candidates: int = 4
    goal: Goal = "worst"
    pool: ImagePool | None = None

    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.goal not in ("worst", "best"):
            raise ConfigError(f"natural: expected goal worst or best, got '{self.goal}'")
        if self.candidates < 0:
            raise ConfigError(f"natural: expected candidates of 0 or more, got {self.candidates}")

    def with_data(self, dataset: Dataset, protocol: Protocol) -> Threat:
        """See `Threat.with_data`."""
        check_room(dataset, protocol, self.candidates)
        return replace(self, pool=ImagePool(dataset, tuple(dataset.splits[protocol.split])))

    def objection(self, learner: Learner, protocol: Protocol) -> str:
        """See `Threat.objection`."""
        if protocol.attacker_queries == 0:
            return _NO_QUERIES
        if protocol.replacement == "disjoint":
            return (
                "it takes images beyond the episode's own, which disjoint sampling gives to other "
                "episodes; set protocol.replacement to classes"
            )
        return ""

    def adaptations(self, protocol: Protocol) -> int:
        """See `Threat.adaptations`, and `coordinate_rounds`."""
        return 1 + self.rounds * protocol.ways * protocol.shots * (1 + self.candidates)

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`: draws the pool of each class.

        Raises:
            AttackError: the threat knows no data yet.
        """
        if self.pool is None:
            raise AttackError("natural: expected a threat with data; call with_data first")
        source = generator(seed, "natural-pool", int(episode.number))
        pools = self.pool.same_class(episode, self.candidates, source)
        return untouched(episode)._replace(draws=(pools,))

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode, (pools,) = prepared.episode, prepared.draws
        sign = 1.0 if self.goal == "worst" else -1.0
        options = torch.cat([episode.support_x.unsqueeze(1), pools[episode.support_y]], dim=1)
        slots = torch.arange(len(options), device=options.device)

        def value(state: Tensor) -> Tensor:
            chosen = options[slots, state]
            logits = _attacker_logits(learner, episode, chosen, episode.support_y)
            return sign * _errors(logits / scale, episode.attacker_y)

        found = coordinate_rounds(
            value, torch.zeros_like(slots), options.shape[1], self.rounds, episode.support_y
        )
        support = options[slots, found.state]
        return judge(
            learner,
            episode,
            support,
            episode.query_x,
            poisoned=True,
            changed=changed_share(episode.support_x, support),
            objective_start=found.start,
            objective_end=found.value,
        )

    def without_budget(self) -> Threat:
        """A pool of nothing: every slot keeps its own image."""
        return replace(self, candidates=0)


@torch.no_grad()
def _attacker_logits(learner: Learner, episode: Episode, x: Tensor, y: Tensor) -> Tensor:
    return adapter(learner, episode._replace(support_y=y))(x)(episode.attacker_x)


def _errors(logits: Tensor, labels: Tensor) -> Tensor:
    """Number of errors, plus the mean margin squashed into (0, 1): a scalar."""
    margins = margin_loss(logits, labels)
    return (margins > 0).sum() + margins.mean().sigmoid()

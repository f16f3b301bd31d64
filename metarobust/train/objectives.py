"""What meta-training minimises on one episode: clean, adversarial, or augmented.

The loss L(S, Q, y) of support set, queries and their labels is the learner's own: for most learners
cross-entropy of the queries after adaptation (`Learner.meta_loss`). Attacked inputs S' and Q' are
constants.

An objective prepares an episode, drawing everything random on the CPU, and then is a pure function
of the learner and of what it prepared, which the engine may map and differentiate.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from metarobust.assembly.attack_threats import QueryAttack, SupportAttack
from metarobust.assembly.threat import Prepared, Threat, adapter
from metarobust.core.episode import Episode
from metarobust.data.base import Task
from metarobust.learners.base import Learner
from metarobust.learners.task_loss import REGRESSION
from metarobust.threats.losses import divergence
from metarobust.train.adversaries import Labels, attacked_queries, attacked_support


class EpisodeObjective(ABC):
    """The loss of one episode."""

    @property
    def threats(self) -> tuple[Threat, ...]:
        """What episodes are attacked or changed by."""
        return ()

    def gradient_evaluations(self, ways: int) -> int:
        """Gradients of the learner that one episode of N ways costs, adaptation and all.

        Each step of an attack counts once, and so does each set of queries that a loss is a
        function of.
        """
        return 1

    def prepare(self, episode: Episode, seed: int) -> Any:
        """Draw everything random; a tree of tensors whose shapes do not depend on the data."""
        return episode

    def objection(self, learner: Learner, task: Task) -> str:
        """Why this learner cannot be trained so on such a task, and what to do; else empty."""
        return ""

    @abstractmethod
    def loss(self, learner: Learner, task: Any) -> Tensor:
        """The loss of what was prepared, a scalar differentiable in the learner's parameters."""


@dataclass(frozen=True)
class Clean(EpisodeObjective):
    """The learner's own loss, for most of them cross-entropy of the queries after adaptation."""

    def loss(self, learner: Learner, task: Episode) -> Tensor:
        """See `EpisodeObjective.loss`."""
        return _own_loss(learner, task, task.support_x, task.query_x)


@dataclass(frozen=True)
class Augmented(EpisodeObjective):
    """The clean loss of an episode whose labels were flipped or whose images were corrupted.

    Attributes:
        threat: a threat that does all its work when it prepares.
    """

    threat: Threat

    @property
    def threats(self) -> tuple[Threat, ...]:
        """See `EpisodeObjective.threats`."""
        return (self.threat,)

    def prepare(self, episode: Episode, seed: int) -> Episode:
        """See `EpisodeObjective.prepare`."""
        return self.threat.prepare(episode, seed).episode

    def loss(self, learner: Learner, task: Episode) -> Tensor:
        """See `EpisodeObjective.loss`."""
        return _own_loss(learner, task, task.support_x, task.query_x)


class _Attacked(EpisodeObjective):
    """One attack, and a loss of what it left."""

    threat: QueryAttack | SupportAttack

    @property
    def threats(self) -> tuple[Threat, ...]:
        """See `EpisodeObjective.threats`."""
        return (self.threat,)

    def gradient_evaluations(self, ways: int) -> int:
        """Those of the attack, and one of the loss."""
        return self.threat.gradient_calls(ways) + 1

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `EpisodeObjective.prepare`."""
        return self.threat.prepare(episode, seed)


@dataclass(frozen=True)
class AdversarialQuery(_Attacked):
    """Adversarial querying (Goldblum, Fowl & Goldstein 2020).

    The loss is L(S, Q', y), with Q' attacked against the adapted weights; S is clean.

    Attributes:
        threat: how the queries are attacked.
        labels: what the attacker believes.
    """

    threat: QueryAttack
    labels: Labels = "given"

    def loss(self, learner: Learner, task: Prepared) -> Tensor:
        """See `EpisodeObjective.loss`."""
        episode = task.episode
        query_x = attacked_queries(self.threat, learner, task, self.labels)
        return _own_loss(learner, episode, episode.support_x, query_x)


@dataclass(frozen=True)
class AdversarialSupport(_Attacked):
    """Training against support poisoning (Oldewage, Bronskill & Turner 2021).

    The loss is L(S', Q, y), with S' found by ascent through adaptation; the outer gradient passes
    through adaptation to S'.

    Attributes:
        threat: how the support set is attacked.
        labels: what the attacker believes of its queries.
    """

    threat: SupportAttack
    labels: Labels = "given"

    def objection(self, learner: Learner, task: Task) -> str:
        """See `EpisodeObjective.objection`."""
        if learner.differentiable:
            return ""
        return f"{type(learner).__name__} is not differentiable through adaptation; use aq"

    def loss(self, learner: Learner, task: Prepared) -> Tensor:
        """See `EpisodeObjective.loss`."""
        support_x = attacked_support(self.threat, learner, task, self.labels)
        return _own_loss(learner, task.episode, support_x, task.episode.query_x)


@dataclass(frozen=True)
class ADML(EpisodeObjective):
    """Adversarial meta-learning with crossed arms (Yin et al. 2018).

    The loss is (L(S', Q, y) + L(S, Q', y)) / 2. The support set is attacked through adaptation,
    which is stronger than the paper's one step on each image's own loss.

    Attributes:
        query: the arm of a clean support set and attacked queries.
        support: the arm of an attacked support set and clean queries.
    """

    query: AdversarialQuery
    support: AdversarialSupport

    @property
    def threats(self) -> tuple[Threat, ...]:
        """See `EpisodeObjective.threats`."""
        return (*self.query.threats, *self.support.threats)

    def gradient_evaluations(self, ways: int) -> int:
        """Those of both arms."""
        return self.query.gradient_evaluations(ways) + self.support.gradient_evaluations(ways)

    def prepare(self, episode: Episode, seed: int) -> tuple[Prepared, Prepared]:
        """See `EpisodeObjective.prepare`."""
        return self.query.prepare(episode, seed), self.support.prepare(episode, seed)

    def objection(self, learner: Learner, task: Task) -> str:
        """See `EpisodeObjective.objection`."""
        return self.support.objection(learner, task)

    def loss(self, learner: Learner, task: tuple[Prepared, Prepared]) -> Tensor:
        """See `EpisodeObjective.loss`."""
        return (self.query.loss(learner, task[0]) + self.support.loss(learner, task[1])) / 2


@dataclass(frozen=True)
class RMAML(_Attacked):
    """R-MAML (Wang et al. 2021): the inner loop is clean, the outer loss is regularised.

    The loss is L(S, Q, y) + beta * R, with R = L(S, Q', y) or, as TRADES (Zhang et al. 2019), the
    divergence KL(p(Q) || p(Q')), its gradient taken on both sides. The attack that finds Q' climbs
    the divergence too, and then looks at no labels.

    Attributes:
        threat: how the queries are attacked.
        labels: what the attacker believes.
        term: which R.
        beta: its weight.
    """

    threat: QueryAttack
    labels: Labels = "given"
    term: Literal["cross-entropy", "kl"] = "cross-entropy"
    beta: float = 1.0

    def gradient_evaluations(self, ways: int) -> int:
        """Those of the attack, and one for each set of queries that a term is a function of."""
        return super().gradient_evaluations(ways) + (2 if self.term == "kl" else 1)

    def objection(self, learner: Learner, task: Task) -> str:
        """See `EpisodeObjective.objection`."""
        if self.term == "kl" and task == REGRESSION:
            return "kl compares the probabilities of classes; use term: cross-entropy"
        return ""

    def loss(self, learner: Learner, task: Prepared) -> Tensor:
        """See `EpisodeObjective.loss`."""
        episode = task.episode
        query_x = attacked_queries(self.threat, learner, task, self.labels)
        clean = _own_loss(learner, episode, episode.support_x, episode.query_x)
        return clean + self.beta * self._regulariser(learner, episode, query_x)

    def _regulariser(self, learner: Learner, episode: Episode, query_x: Tensor) -> Tensor:
        if self.term == "cross-entropy":
            return _own_loss(learner, episode, episode.support_x, query_x)
        classify = adapter(learner, episode)(episode.support_x)
        return divergence(classify(query_x), classify(episode.query_x)).mean()


def _own_loss(learner: Learner, episode: Episode, support_x: Tensor, query_x: Tensor) -> Tensor:
    return learner.meta_loss(
        support_x, episode.support_y, query_x, episode.query_y, ways=episode.ways
    )

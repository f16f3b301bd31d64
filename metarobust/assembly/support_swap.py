"""Adversarial queries put into the support set, with their true labels."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from metarobust.assembly.attack_threats import QueryAttack
from metarobust.assembly.threat import Outcome, Prepared, Threat, adapter, changed_share, judge
from metarobust.core.episode import Episode
from metarobust.core.seeds import generator
from metarobust.data.sampler import Protocol
from metarobust.learners.base import Learner
from metarobust.threats.ball import Ball
from metarobust.threats.labels import poison_mask


@dataclass(frozen=True)
class SupportSwap(Threat):
    """The attacker's queries, attacked as queries, replace support images (Oldewage et al. 2021).

    They are perturbed against the classifier adapted to the clean support set, without a gradient
    through adaptation: cheaper than poisoning, for any learner whose classifier is differentiable.
    An inserted image keeps its own true label. The perturbation is bounded around the attacker's
    image, which the budget in the evidence is measured from; a budget of zero inserts nothing.

    Attributes:
        attack: what perturbs the attacker's queries.
        shot_fraction: share of the shots of a poisoned class that are replaced.
        class_fraction: share of the classes whose shots are.
    """

    attack: QueryAttack
    shot_fraction: float = 1.0
    class_fraction: float = 1.0

    def versions(self) -> dict[str, int | str]:
        """See `Threat.versions`."""
        return {**super().versions(), **self.attack.versions()}

    def gradient_calls(self, ways: int) -> int:
        """See `Threat.gradient_calls`; none goes through adaptation."""
        return self.attack.gradient_calls(ways)

    def objection(self, learner: Learner, protocol: Protocol) -> str:
        """See `Threat.objection`."""
        need = max(1, round(self.shot_fraction * protocol.shots))
        if protocol.attacker_queries < need:
            return (
                f"it replaces {need} shots of a class by queries of the attacker's own, got "
                f"{protocol.attacker_queries}; set protocol.attacker_queries to at least {need}"
            )
        return self.attack.objection(learner, protocol)

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`; the mask marks the images that are replaced."""
        draws = self.attack.prepare(_asked(episode), seed).draws
        mask = torch.zeros(len(episode.support_y), dtype=torch.bool)
        if self.attack.budget.eps > 0:
            source = generator(seed, "poison-mask", int(episode.number))
            mask = poison_mask(
                episode.support_y, episode.ways, self.shot_fraction, self.class_fraction, source
            )
        return Prepared(episode, draws, mask)

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode, mask = prepared.episode, prepared.mask
        attacked = self.attack.search(
            adapter(learner, episode, expectation=self.attack.expectation),
            prepared._replace(episode=_asked(episode)),
            scale=scale,
            joint=learner.transductive,
        )
        places = _places(episode.support_y, episode.attacker_y, mask)
        axes = episode.support_x.ndim - 1
        wide = mask.view(-1, *(1,) * axes)
        support = torch.where(wide, attacked.query_x[places], episode.support_x)
        moved = (attacked.query_x - episode.attacker_x)[places] * wide
        ball = Ball(self.attack.budget.norm, torch.zeros_like(moved), axes)
        return judge(
            learner,
            episode,
            support,
            episode.query_x,
            poisoned=True,
            changed=changed_share(episode.support_x, support),
            budget_used=ball.norm_of(moved).amax(),
            zero_gradients=attacked.zero_gradients,
            objective_start=attacked.objective_start,
            objective_end=attacked.objective_end,
        )

    def without_budget(self) -> Threat:
        """The same with a ball of radius zero, which inserts nothing."""
        budget = replace(self.attack.budget, eps=0.0)
        return replace(self, attack=replace(self.attack, budget=budget))


def _asked(episode: Episode) -> Episode:
    """The episode with the attacker's queries in place of the scored ones."""
    return episode._replace(query_x=episode.attacker_x, query_y=episode.attacker_y)


def _places(labels: Tensor, queries: Tensor, mask: Tensor) -> Tensor:
    """For each support image, one of the queries of its class, no two masked ones the same [S].

    The first masked image of a class gets the first query of that class, and so on.
    """
    same = labels.unsqueeze(1) == labels
    before = torch.ones_like(same).tril(-1)
    rank = (same & before & mask).sum(1)
    alike = queries.unsqueeze(1) == queries
    order = (alike & torch.ones_like(alike).tril(-1)).sum(1)
    match = (labels.unsqueeze(1) == queries) & (rank.unsqueeze(1) == order)
    return match.to(labels.dtype).argmax(1)

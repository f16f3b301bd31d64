"""Support poisoning first, then an attack on the queries of the poisoned classifier."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from metarobust.assembly.attack_threats import QueryAttack, SupportAttack
from metarobust.assembly.threat import Outcome, Prepared, Threat, adapter, changed_share, judge
from metarobust.core.episode import Episode
from metarobust.data.sampler import Protocol
from metarobust.learners.base import Learner


@dataclass(frozen=True)
class JointAttack(Threat):
    """Two attacks with one budget each, the second on what the first left.

    Its support images are those of the support attack alone, and its query attack starts where the
    query attack alone does, so that the three cells of a run are paired.

    Attributes:
        support: poisons the support set through adaptation.
        query: attacks the scored queries against the poisoned classifier.
    """

    support: SupportAttack
    query: QueryAttack

    version: ClassVar[int] = 1

    def versions(self) -> dict[str, int | str]:
        """See `Threat.versions`."""
        return {**super().versions(), **self.support.versions(), **self.query.versions()}

    def gradient_calls(self, ways: int) -> int:
        """See `Threat.gradient_calls`: those of both."""
        return self.support.gradient_calls(ways) + self.query.gradient_calls(ways)

    def objection(self, learner: Learner, protocol: Protocol) -> str:
        """See `Threat.objection`: the first of the two."""
        return self.support.objection(learner, protocol) or self.query.objection(learner, protocol)

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`: the draws of both, the support attack's first."""
        poison, attack = self.support.prepare(episode, seed), self.query.prepare(episode, seed)
        return poison._replace(draws=poison.draws + attack.draws)

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`; losses are those of the second attack."""
        episode, half = prepared.episode, len(prepared.draws) // 2
        poisoned = self.support.search(
            adapter(
                learner,
                episode,
                first_order=self.support.first_order,
                expectation=self.support.expectation,
            ),
            prepared._replace(draws=prepared.draws[:half]),
            scale=scale,
        )
        left = episode._replace(support_x=poisoned.support_x)
        attacked = self.query.search(
            adapter(learner, left, expectation=self.query.expectation),
            Prepared(left, prepared.draws[half:], prepared.mask),
            scale=scale,
            joint=learner.transductive,
        )
        shares = (
            changed_share(episode.support_x, poisoned.support_x),
            changed_share(episode.query_x, attacked.query_x),
        )
        return judge(
            learner,
            episode,
            poisoned.support_x,
            attacked.query_x,
            poisoned=True,
            changed=torch.stack(shares).mean(),
            budget_used=torch.maximum(poisoned.budget_used, attacked.budget_used),
            zero_gradients=(poisoned.zero_gradients + attacked.zero_gradients) / 2,
            objective_start=attacked.objective_start,
            objective_end=attacked.objective_end,
        )

    def without_budget(self) -> Threat:
        """The same two searches in balls of radius zero."""
        return JointAttack(
            replace(self.support, budget=replace(self.support.budget, eps=0.0)),
            replace(self.query, budget=replace(self.query.budget, eps=0.0)),
        )

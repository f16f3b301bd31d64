"""Threats that search a norm ball: attacks on the queries and poisoning of the support set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, ClassVar

import torch
from torch import Tensor

from metarobust.assembly.threat import (
    Outcome,
    Prepared,
    Threat,
    adapter,
    changed_share,
    judge,
    untouched,
)
from metarobust.attacks.base import Engine
from metarobust.attacks.external import torchattacks_attack
from metarobust.attacks.external_catalogue import attack_facts, torchattacks_arguments
from metarobust.attacks.harness import (
    AdaptFunction,
    Attacked,
    attack_queries,
    attack_queries_externally,
    attack_support,
)
from metarobust.core.episode import Episode
from metarobust.core.errors import MetarobustError
from metarobust.core.seeds import derive_seed, generator
from metarobust.data.sampler import Protocol
from metarobust.learners.base import Learner
from metarobust.threats.budget import Budget
from metarobust.threats.labels import poison_mask


def _draws(engine: Engine, budget: Budget, x: Tensor, seed: int, number: int, name: str) -> Tensor:
    """The engine's random numbers for one episode, one slice for each loss."""
    source = generator(seed, name, number)
    return torch.stack([engine.draw(tuple(x.shape), budget, source) for _ in budget.losses])


def _outcome(
    learner: Learner, episode: Episode, attacked: Attacked, changed: Tensor, *, poisoned: bool
) -> Outcome:
    return judge(
        learner,
        episode,
        attacked.support_x,
        attacked.query_x,
        poisoned=poisoned,
        changed=changed,
        budget_used=attacked.budget_used,
        zero_gradients=attacked.zero_gradients,
        objective_start=attacked.objective_start,
        objective_end=attacked.objective_end,
    )


@dataclass(frozen=True)
class QueryAttack(Threat):
    """An engine perturbs each query against the classifier adapted to the clean support set.

    Under batch statistics the queries see each other, and the whole set is attacked as one unit.
    """

    engine: Engine
    budget: Budget

    def versions(self) -> dict[str, int | str]:
        """See `Threat.versions`."""
        return {**super().versions(), type(self.engine).__name__: self.engine.version}

    @property
    def gradient_calls(self) -> int:  # type: ignore[override]
        """Gradients for one episode."""
        return len(self.budget.losses) * self.engine.gradient_calls(self.budget)

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`."""
        number = int(episode.number)
        draws = _draws(self.engine, self.budget, episode.query_x, seed, number, "query")
        return untouched(episode)._replace(draws=draws)

    def search(
        self, adapt: AdaptFunction, prepared: Prepared, *, scale: float, joint: bool
    ) -> Attacked:
        """Attack the queries of a prepared episode; see `attack_queries`."""
        episode, draws = prepared.episode, prepared.draws
        return attack_queries(
            self.engine,
            adapt,
            episode,
            self.budget,
            draws.unsqueeze(-episode.query_x.ndim - 1) if joint else draws,
            scale=scale,
            joint=joint,
        )

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode = prepared.episode
        attacked = self.search(
            adapter(learner, episode), prepared, scale=scale, joint=learner.transductive
        )
        changed = changed_share(episode.query_x, attacked.query_x)
        return _outcome(learner, episode, attacked, changed, poisoned=False)

    def without_budget(self) -> Threat:
        """The same search in a ball of radius zero."""
        return replace(self, budget=replace(self.budget, eps=0.0))


@dataclass(frozen=True)
class TorchattacksQueryAttack(Threat):
    """An attack of the torchattacks package perturbs each query of one episode at a time.

    Attributes:
        name: class name in torchattacks, e.g. `PGD`.
        budget: our budget; the package's own arguments are derived from it.
        options: further constructor arguments of that class.
    """

    name: str
    budget: Budget
    options: Mapping[str, Any]

    mappable: ClassVar[bool] = False

    def versions(self) -> dict[str, int | str]:
        """See `Threat.versions`: the package's own, whose attacks change with it."""
        return {**super().versions(), "torchattacks": version("torchattacks")}

    def objection(self, learner: Learner, protocol: Protocol) -> str:
        """See `Threat.objection`: asks the package's constructor, without computing anything."""
        try:
            torchattacks_arguments(
                self.name,
                ways=protocol.ways,
                eps=self.budget.eps,
                steps=self.budget.steps,
                norm=self.budget.norm,
                options=self.options,
                step_size=self.budget.step_size,
                restarts=self.budget.restarts,
            )
        except MetarobustError as problem:
            return str(problem)
        if learner.transductive and not attack_facts(self.name).joint:
            return (
                f"torchattacks {self.name} drops queries one by one, which changes what a learner "
                "with norm_mode batch says of the others; use pgd, which attacks them together"
            )
        return ""

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`: the seed handed to the package."""
        number = int(episode.number)
        drawn = derive_seed(seed, "torchattacks", self.name, number) % 2**31
        return untouched(episode)._replace(draws=torch.tensor([drawn]))

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode = prepared.episode

        def attack(classify: Callable[[Tensor], Tensor]) -> Tensor:
            return torchattacks_attack(
                self.name,
                classify,
                learner,
                episode.query_x,
                episode.query_y,
                ways=episode.ways,
                eps=self.budget.eps,
                steps=self.budget.steps,
                norm=self.budget.norm,
                options=self.options,
                seed=int(prepared.draws[0]),
                scale=scale,
                step_size=self.budget.step_size,
                restarts=self.budget.restarts,
            )

        attacked = attack_queries_externally(
            attack,
            adapter(learner, episode),
            episode,
            self.budget,
            scale=scale,
            joint=learner.transductive,
        )
        changed = changed_share(episode.query_x, attacked.query_x)
        return _outcome(learner, episode, attacked, changed, poisoned=False)

    def without_budget(self) -> Threat:
        """The same attack in a ball of radius zero."""
        return replace(self, budget=replace(self.budget, eps=0.0))


@dataclass(frozen=True)
class SupportAttack(Threat):
    """An engine poisons support images through adaptation, against the attacker's own queries.

    Attributes:
        shot_fraction: share of the shots of a poisoned class that may be touched.
        class_fraction: share of the classes that may be touched.
        first_order: the attacker ignores second derivatives of the inner loop.
    """

    engine: Engine
    budget: Budget
    shot_fraction: float = 1.0
    class_fraction: float = 1.0
    first_order: bool = False

    def versions(self) -> dict[str, int | str]:
        """See `Threat.versions`."""
        return {**super().versions(), type(self.engine).__name__: self.engine.version}

    @property
    def gradient_calls(self) -> int:  # type: ignore[override]
        """Gradients for one episode, each through adaptation."""
        return len(self.budget.losses) * self.engine.gradient_calls(self.budget)

    def objection(self, learner: Learner, protocol: Protocol) -> str:
        """See `Threat.objection`."""
        if self.engine.differentiates and not learner.differentiable:
            return (
                "a gradient attack on the support set needs a learner that is differentiable "
                f"through adaptation, {type(learner).__name__} is not; use a black-box threat"
            )
        if protocol.attacker_queries == 0:
            return (
                "poisoning needs queries of the attacker's own, disjoint from the scored ones, got "
                "none; set protocol.attacker_queries to at least 1"
            )
        return ""

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`."""
        number = int(episode.number)
        draws = _draws(self.engine, self.budget, episode.support_x, seed, number, "support")
        mask = poison_mask(
            episode.support_y,
            episode.ways,
            self.shot_fraction,
            self.class_fraction,
            generator(seed, "poison-mask", number),
        )
        return Prepared(episode, draws.unsqueeze(-episode.support_x.ndim - 1), mask)

    def search(self, adapt: AdaptFunction, prepared: Prepared, *, scale: float) -> Attacked:
        """Poison the support set of a prepared episode; see `attack_support`."""
        return attack_support(
            self.engine,
            adapt,
            prepared.episode,
            self.budget,
            prepared.draws,
            scale=scale,
            mask=prepared.mask,
        )

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode = prepared.episode
        adapt = adapter(learner, episode, first_order=self.first_order)
        attacked = self.search(adapt, prepared, scale=scale)
        changed = changed_share(episode.support_x, attacked.support_x)
        return _outcome(learner, episode, attacked, changed, poisoned=True)

    def without_budget(self) -> Threat:
        """The same search in a ball of radius zero."""
        return replace(self, budget=replace(self.budget, eps=0.0))

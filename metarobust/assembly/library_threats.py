"""Threats that hand an adapted classifier to an attack of another library."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, ClassVar

import torch
from torch import Tensor

from metarobust.assembly.attack_threats import outcome_of
from metarobust.assembly.threat import (
    Outcome,
    Prepared,
    Threat,
    adapter,
    beyond_the_box,
    changed_share,
    check_pixels,
    untouched,
)
from metarobust.attacks.external import library_attack
from metarobust.attacks.harness import attack_queries_externally
from metarobust.attacks.library import Library
from metarobust.core.episode import Episode
from metarobust.core.errors import MetarobustError
from metarobust.core.seeds import derive_seed
from metarobust.data.sampler import Protocol
from metarobust.learners.base import Learner
from metarobust.threats.budget import Budget

_THREAT_NAMES = {"torchattacks": "TorchattacksQueryAttack"}
"""What a threat was called when the first keys of its cells were made, which still name it."""


@dataclass(frozen=True)
class LibraryQueryAttack(Threat):
    """An attack of torchattacks or foolbox perturbs the queries of one episode at a time.

    Attributes:
        library: whose attack.
        name: its class, e.g. `PGD`.
        budget: our budget; the library's own arguments are derived from it.
        options: further constructor arguments of that class.
    """

    library: Library
    name: str
    budget: Budget
    options: Mapping[str, Any]

    mappable: ClassVar[bool] = False

    def versions(self) -> dict[str, int | str]:
        """See `Threat.versions`: the library's own, whose attacks change with it."""
        name = _THREAT_NAMES.get(self.library.name, type(self).__name__)
        return {name: self.version, self.library.name: version(self.library.name)}

    def objection(self, learner: Learner, protocol: Protocol) -> str:
        """See `Threat.objection`: asks the attack's constructor, without computing anything."""
        try:
            self.library.arguments(
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
        if learner.transductive and not self.library.facts(self.name).joint:
            return (
                f"{self.library.name} {self.name} drops queries one by one, which changes what a "
                "learner with norm_mode batch says of the others; use pgd, which attacks them all"
            )
        return ""

    def misfit(self, input_shape: tuple[int, ...]) -> str:
        """See `Threat.misfit`."""
        return beyond_the_box(self.budget, input_shape)

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`: the seed handed to the library."""
        check_pixels(episode.query_x, "queries")
        number = int(episode.number)
        drawn = derive_seed(seed, self.library.name, self.name, number) % 2**31
        return untouched(episode)._replace(draws=(torch.tensor(drawn),))

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode = prepared.episode

        def attack(classify: Callable[[Tensor], Tensor]) -> Tensor:
            return library_attack(
                self.library,
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
        return outcome_of(learner, episode, attacked, changed, poisoned=False)

    def without_budget(self) -> Threat:
        """The same attack in a ball of radius zero."""
        return replace(self, budget=replace(self.budget, eps=0.0))

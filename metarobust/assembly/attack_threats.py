"""Threats that search a norm ball: attacks on the queries and poisoning of the support set."""

from dataclasses import dataclass, replace

from torch import Tensor

from metarobust.assembly.threat import (
    Outcome,
    Prepared,
    Threat,
    adapter,
    beyond_the_box,
    changed_share,
    check_pixels,
    judge,
    untouched,
)
from metarobust.attacks.base import Engine, Ensemble
from metarobust.attacks.harness import (
    AdaptFunction,
    Attacked,
    attack_queries,
    attack_support,
)
from metarobust.attacks.search import (
    draw_all,
    gradient_calls,
    is_cascade,
    members,
    seeks_radius,
)
from metarobust.core.episode import Episode
from metarobust.core.seeds import generator
from metarobust.data.sampler import Protocol
from metarobust.learners.base import Learner
from metarobust.threats.budget import Budget
from metarobust.threats.labels import poison_mask
from metarobust.threats.losses import FEWEST_WAYS

AnyEngine = Engine | Ensemble


def engine_versions(engine: AnyEngine, budget: Budget) -> dict[str, int | str]:
    """The version of an engine and, if it is an ensemble, of every member."""
    every = (engine, *(one for one, _ in members(engine, budget)))
    return {type(one).__name__: one.version for one in every}


def _too_few_ways(engine: AnyEngine, budget: Budget, ways: int) -> str:
    """Says that a loss asked for by name does not exist for so few classes; else empty.

    An ensemble names its losses itself, and takes the margin where one does not exist.
    """
    losses = () if isinstance(engine, Ensemble) else budget.losses
    for loss in losses:
        if ways < FEWEST_WAYS.get(loss, 1):
            instead = "targeted-margin" if loss.startswith("targeted") else "margin"
            return (
                f"loss {loss} needs {FEWEST_WAYS[loss]} ways or more, got {ways}; "
                f"set 'loss' to {instead}"
            )
    return ""


def _units(draws: tuple[Tensor, ...], x: Tensor) -> tuple[Tensor, ...]:
    """Draws for images [n, *image] as draws for the one unit [1, n, *image]; see `Engine.draw`."""
    return tuple(draw.unsqueeze(-x.ndim - 1) for draw in draws)


def outcome_of(
    learner: Learner, episode: Episode, attacked: Attacked, changed: Tensor, *, poisoned: bool
) -> Outcome:
    """What the learner says after an attack, with the attack's record."""
    queries = len(episode.query_y)
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
        radius=attacked.radius.masked_fill(attacked.radius.isinf(), -1.0).expand(queries),
        **attacked.convergence._asdict(),
    )


@dataclass(frozen=True)
class Bounded(Threat):
    """A perturbation within a norm ball, found by an engine.

    Attributes:
        engine: the maximiser, or several.
        budget: bound on the perturbation.
    """

    engine: AnyEngine
    budget: Budget

    def versions(self) -> dict[str, int | str]:
        """See `Threat.versions`."""
        return {**super().versions(), **engine_versions(self.engine, self.budget)}

    def misfit(self, input_shape: tuple[int, ...]) -> str:
        """See `Threat.misfit`."""
        return beyond_the_box(self.budget, input_shape)

    def without_budget(self) -> Threat:
        """The same in a ball of radius zero."""
        return replace(self, budget=replace(self.budget, eps=0.0))


class _EngineAttack(Bounded):
    """A search in each episode, whatever it perturbs."""

    expectation: int

    @property
    def climbs(self) -> bool:  # type: ignore[override]
        """See `Threat`."""
        return any(one.differentiates for one, _ in members(self.engine, self.budget))

    def gradient_calls(self, ways: int) -> int:
        """See `Threat.gradient_calls`."""
        return self.expectation * gradient_calls(self.engine, self.budget, ways)


@dataclass(frozen=True)
class QueryAttack(_EngineAttack):
    """An engine perturbs each query against the classifier adapted to the clean support set.

    Under batch statistics the queries see each other, and the whole set is attacked as one unit.

    Attributes:
        expectation: over how many draws of a stochastic learner the loss is averaged.
    """

    expectation: int = 1

    @property
    def seeks_radius(self) -> bool:  # type: ignore[override]
        """See `Threat`; a cascade would seek it only for the queries that are hardest to break."""
        return seeks_radius(self.engine, self.budget) and not is_cascade(self.engine)

    def objection(self, learner: Learner, protocol: Protocol) -> str:
        """See `Threat.objection`."""
        if learner.transductive and seeks_radius(self.engine, self.budget):
            return (
                "it looks for the nearest point that changes one query's prediction, which under "
                "norm_mode batch depends on all the others; use pgd or apgd, which attack them "
                "together"
            )
        return _too_few_ways(self.engine, self.budget, protocol.ways)

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`."""
        check_pixels(episode.query_x, "queries")
        source, shape = generator(seed, "query", int(episode.number)), tuple(episode.query_x.shape)
        draws = draw_all(self.engine, self.budget, episode.ways, shape, source)
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
            _units(draws, episode.query_x) if joint else draws,
            scale=scale,
            joint=joint,
        )

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode = prepared.episode
        adapt = adapter(learner, episode, expectation=self.expectation)
        attacked = self.search(adapt, prepared, scale=scale, joint=learner.transductive)
        changed = changed_share(episode.query_x, attacked.query_x)
        return outcome_of(learner, episode, attacked, changed, poisoned=False)


@dataclass(frozen=True)
class SupportAttack(_EngineAttack):
    """An engine poisons support images through adaptation, against the attacker's own queries.

    Attributes:
        shot_fraction: share of the shots of a poisoned class that may be touched.
        class_fraction: share of the classes that may be touched.
        first_order: the attacker ignores second derivatives of the inner loop.
        expectation: over how many draws of a stochastic learner the loss is averaged.
    """

    shot_fraction: float = 1.0
    class_fraction: float = 1.0
    first_order: bool = False
    expectation: int = 1

    def objection(self, learner: Learner, protocol: Protocol) -> str:
        """See `Threat.objection`."""
        differentiates = any(e.differentiates for e, _ in members(self.engine, self.budget))
        if differentiates and not learner.differentiable:
            return (
                "a gradient attack on the support set needs a learner that is differentiable "
                f"through adaptation, {type(learner).__name__} is not; use a black-box threat"
            )
        if protocol.attacker_queries == 0:
            return (
                "poisoning needs queries of the attacker's own, disjoint from the scored ones, got "
                "none; set protocol.attacker_queries to at least 1"
            )
        return _too_few_ways(self.engine, self.budget, protocol.ways)

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`."""
        check_pixels(episode.support_x, "support images")
        number = int(episode.number)
        source, shape = generator(seed, "support", number), tuple(episode.support_x.shape)
        draws = draw_all(self.engine, self.budget, episode.ways, shape, source)
        mask = poison_mask(
            episode.support_classes,
            episode.ways,
            self.shot_fraction,
            self.class_fraction,
            generator(seed, "poison-mask", number),
        )
        return Prepared(episode, _units(draws, episode.support_x), mask)

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
        adapt = adapter(
            learner, episode, first_order=self.first_order, expectation=self.expectation
        )
        attacked = self.search(adapt, prepared, scale=scale)
        changed = changed_share(episode.support_x, attacked.support_x)
        return outcome_of(learner, episode, attacked, changed, poisoned=True)

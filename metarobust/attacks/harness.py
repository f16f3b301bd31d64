"""Runs an engine against one episode, and trusts nothing it returns.

The harness builds the objective, re-projects the result onto the budget and [0, 1], judges success
by the learner's own logits, keeps the worst point over the losses tried, the clean one included,
and records what was spent. All code here is for one episode; `core.engine` maps it over many.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from metarobust.attacks.base import Best, Engine, Judged, Objective, Perturbation
from metarobust.core.episode import Episode
from metarobust.threats.ball import Ball
from metarobust.threats.budget import Budget
from metarobust.threats.losses import LossName, attack_loss, margin_loss


class Attacked(NamedTuple):
    """An episode's inputs after a threat, and the record of what it took.

    Attributes:
        support_x: [S, *input].
        query_x: [Q, *input].
        budget_used: largest norm of an image's perturbation [].
        zero_gradients: share of gradients that were zero on a whole image [].
        objective_start: mean attack loss at the clean point [].
        objective_end: largest mean attack loss on the way [].
    """

    support_x: Tensor
    query_x: Tensor
    budget_used: Tensor
    zero_gradients: Tensor
    objective_start: Tensor
    objective_end: Tensor


AdaptFunction = Callable[[Tensor], Callable[[Tensor], Tensor]]
"""Support inputs [S, *input] to the adapted classifier, the support labels being fixed."""


def attack_queries(
    engine: Engine,
    adapt: AdaptFunction,
    episode: Episode,
    budget: Budget,
    draws: Tensor,
    *,
    scale: float,
    joint: bool,
) -> Attacked:
    """Perturb the queries of one episode against its adapted classifier, a constant.

    Args:
        engine: the maximiser.
        adapt: adapts the learner to support inputs.
        episode: the clean episode.
        budget: bound on each query's perturbation.
        draws: the engine's random numbers, one slice for each loss, [losses, ...].
        scale: the learner's logit scale; losses see logits / scale.
        joint: queries see each other (batch statistics), so that the whole set is one unit.
    """
    with torch.no_grad():
        classify = adapt(episode.support_x)
    centre, ball = _query_units(episode, budget, joint=joint)
    objectives = _query_objectives(classify, episode, budget, scale, joint=joint)
    found = _worst(engine, objectives, centre, ball, budget, draws)
    return _record(found, ball, centre, episode.support_x, found.x[0] if joint else found.x)


def attack_queries_externally(
    attack: Callable[[Callable[[Tensor], Tensor]], Tensor],
    adapt: AdaptFunction,
    episode: Episode,
    budget: Budget,
    *,
    scale: float,
    joint: bool,
) -> Attacked:
    """Let a third-party attack perturb the queries, then project, judge and record as for our own.

    Args:
        attack: takes the adapted classifier and returns perturbed queries [Q, *input].
        adapt: adapts the learner to support inputs.
        episode: the clean episode.
        budget: bound on each query's perturbation.
        scale: the learner's logit scale.
        joint: queries see each other, so that only the whole set can be accepted or refused.
    """
    with torch.no_grad():
        classify = adapt(episode.support_x)
        centre, ball = _query_units(episode, budget, joint=joint)
        objective = _query_objectives(classify, episode, budget, scale, joint=joint)[0]
        x = attack(classify)
        x = ball.project(x.unsqueeze(0) if joint else x, centre)
        before, after = objective(centre), objective(x)
        best = Best(centre, before.score).challenged_by(x, after.score)
        path = torch.stack([before.loss, after.loss])
        found = Perturbation(best.x, best.score, path, torch.zeros_like(best.score))
        return _record(found, ball, centre, episode.support_x, found.x[0] if joint else found.x)


def attack_support(
    engine: Engine,
    adapt: AdaptFunction,
    episode: Episode,
    budget: Budget,
    draws: Tensor,
    *,
    scale: float,
    mask: Tensor,
) -> Attacked:
    """Poison the support set of one episode through adaptation.

    The attacker maximises the loss on its OWN queries; the episode's scored queries stay unseen.

    Args:
        engine: the maximiser.
        adapt: adapts the learner to support inputs, differentiably.
        episode: the clean episode; `attacker_x` must not be empty.
        budget: bound on each support image's perturbation.
        draws: the engine's random numbers, one slice for each loss, [losses, ...].
        scale: the learner's logit scale; losses see logits / scale.
        mask: which support images may be touched, bool [S].
    """
    centre = episode.support_x.unsqueeze(0)
    axes = episode.support_x.ndim - 1
    radius = (budget.eps * mask.to(centre.dtype)).view(1, -1, *(1,) * axes)
    ball = Ball(budget.norm, radius, axes)

    def objective_for(loss: LossName) -> Objective:
        def objective(x: Tensor) -> Judged:
            logits = adapt(x[0])(episode.attacker_x) / scale
            return _judge(logits, episode.attacker_y, loss, budget, joint=True)

        return objective

    objectives = [objective_for(loss) for loss in budget.losses]
    found = _worst(engine, objectives, centre, ball, budget, draws)
    return _record(found, ball, centre, found.x[0], episode.query_x)


def _query_units(episode: Episode, budget: Budget, *, joint: bool) -> tuple[Tensor, Ball]:
    centre = episode.query_x.unsqueeze(0) if joint else episode.query_x
    axes = episode.query_x.ndim - 1
    radius = centre.new_full((*centre.shape[: centre.ndim - axes], *(1,) * axes), budget.eps)
    return centre, Ball(budget.norm, radius, axes)


def _query_objectives(
    classify: Callable[[Tensor], Tensor],
    episode: Episode,
    budget: Budget,
    scale: float,
    *,
    joint: bool,
) -> list[Objective]:
    def objective_for(loss: LossName) -> Objective:
        def objective(x: Tensor) -> Judged:
            logits = classify(x[0] if joint else x) / scale
            return _judge(logits, episode.query_y, loss, budget, joint=joint)

        return objective

    return [objective_for(loss) for loss in budget.losses]


def _judge(
    logits: Tensor, labels: Tensor, loss: LossName, budget: Budget, *, joint: bool
) -> Judged:
    value = attack_loss(logits, labels, loss, budget.targets)
    margins = margin_loss(logits, labels)
    if not joint:
        return Judged(value, margins)
    # One unit: more errors is worse; among equals, the larger mean margin, squashed below 1 error.
    errors = (margins > 0).sum().to(value.dtype)
    return Judged(value.mean().unsqueeze(0), (errors + margins.mean().sigmoid()).unsqueeze(0))


def _worst(
    engine: Engine,
    objectives: Sequence[Objective],
    centre: Tensor,
    ball: Ball,
    budget: Budget,
    draws: Tensor,
) -> Perturbation:
    found = [
        engine.maximise(objective, centre, ball, budget, draws[i])
        for i, objective in enumerate(objectives)
    ]
    with torch.no_grad():
        if engine.adversarial:
            best = Best(centre, objectives[0](centre).score)
            for objective, perturbation in zip(objectives, found, strict=True):
                x = ball.project(perturbation.x, centre)
                best = best.challenged_by(x, objective(x).score)
        else:
            x = ball.project(found[0].x, centre)
            best = Best(x, objectives[0](x).score)
    zeros = torch.stack([perturbation.zero_gradients for perturbation in found]).mean(0)
    return Perturbation(best.x, best.score, found[0].path, zeros)


def _record(
    found: Perturbation, ball: Ball, centre: Tensor, support_x: Tensor, query_x: Tensor
) -> Attacked:
    path = found.path.mean(1)
    return Attacked(
        support_x=support_x,
        query_x=query_x,
        budget_used=ball.norm_of(found.x - centre).amax(),
        zero_gradients=found.zero_gradients.mean(),
        objective_start=path[0],
        objective_end=path.amax(),
    )

"""Runs an engine against one episode, and trusts nothing it returns.

The harness builds the objective, re-projects the result onto the budget and [0, 1], judges success
by the learner's own logits, keeps the worst point over all searches, the clean one included, and
records what was spent. All code here is for one episode; `core.engine` maps it over many.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from metarobust.attacks.base import Best, Engine, Ensemble, Judged, Objective
from metarobust.attacks.convergence import UNKNOWN, Convergence, convergence
from metarobust.attacks.search import Search, is_cascade, searches
from metarobust.core.engine import inside_vmap
from metarobust.core.episode import Episode
from metarobust.threats.ball import Ball
from metarobust.threats.budget import Budget
from metarobust.threats.losses import (
    Aim,
    attack_loss,
    divergence,
    margin_loss,
    squared_error,
    surely_wrong,
)


class Attacked(NamedTuple):
    """An episode's inputs after a threat, and the record of what it took.

    Attributes:
        support_x: [S, *input].
        query_x: [Q, *input].
        budget_used: largest norm of an image's perturbation [].
        zero_gradients: share of gradients that were zero on a whole image [].
        objective_start: mean attack loss at the clean point, of the first search [].
        objective_end: largest mean attack loss on its way [].
        radius: norm of the smallest perturbation found that changes a unit's prediction, within
            the budget or beyond, [U]; infinite where none was found or sought.
        convergence: whether the first search had come to an end.
    """

    support_x: Tensor
    query_x: Tensor
    budget_used: Tensor
    zero_gradients: Tensor
    objective_start: Tensor
    objective_end: Tensor
    radius: Tensor
    convergence: Convergence


AdaptFunction = Callable[[Tensor], Callable[[Tensor], Tensor]]
"""Support inputs [S, *input] to the adapted classifier, the support labels being fixed."""


def attack_queries(
    engine: Engine | Ensemble,
    adapt: AdaptFunction,
    episode: Episode,
    budget: Budget,
    draws: Sequence[Tensor] | Tensor,
    *,
    scale: float,
    joint: bool,
) -> Attacked:
    """Perturb the queries of one episode against its adapted classifier, a constant.

    Args:
        engine: the maximiser, or several.
        adapt: adapts the learner to support inputs.
        episode: the clean episode.
        budget: bound on each query's perturbation.
        draws: the random numbers of each search, in order.
        scale: the learner's logit scale; losses see logits / scale.
        joint: queries see each other (batch statistics), so that the whole set is one unit.
    """
    with torch.no_grad():
        classify = adapt(episode.support_x)
    centre, ball = _query_units(episode, budget, joint=joint)
    with torch.no_grad():
        clean = classify(episode.query_x)

    def objective_for(aim: Aim, rows: Tensor | None) -> Objective:
        labels, before = episode.query_y, clean
        if rows is not None:
            labels, before = labels[rows], before.index_select(-2, rows)

        def objective(x: Tensor) -> Judged:
            logits = classify(x[0] if joint else x)
            return _judge(logits, before, labels, aim, budget, scale, joint=joint)

        return objective

    plan = searches(engine, budget, episode.ways)
    cascade = is_cascade(engine) and not joint
    ways = None if joint else episode.ways
    found = _worst(plan, objective_for, centre, ball, draws, cascade=cascade, ways=ways)
    return _record(
        found, ball, centre, episode.support_x, found.best.x[0] if joint else found.best.x
    )


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
        clean = classify(episode.query_x)

        def judged(x: Tensor) -> Judged:
            logits, aim = classify(x[0] if joint else x), Aim(budget.losses[0])
            return _judge(logits, clean, episode.query_y, aim, budget, scale, joint=joint)

        x = attack(classify)
        x = ball.project(x.unsqueeze(0) if joint else x, centre)
        before, after = judged(centre), judged(x)
        best = Best(centre, before.score).challenged_by(x, after.score)
        path, nothing = torch.stack([before.loss, after.loss]), torch.zeros_like(best.score)
        nowhere = torch.full_like(best.score, torch.inf)
        found = _Found(best, path, nothing, nothing, nowhere, _unknown(nothing))
        return _record(
            found, ball, centre, episode.support_x, found.best.x[0] if joint else found.best.x
        )


def attack_support(
    engine: Engine | Ensemble,
    adapt: AdaptFunction,
    episode: Episode,
    budget: Budget,
    draws: Sequence[Tensor] | Tensor,
    *,
    scale: float,
    mask: Tensor,
) -> Attacked:
    """Poison the support set of one episode through adaptation.

    The attacker maximises the loss on its OWN queries; the episode's scored queries stay unseen.

    Args:
        engine: the maximiser, or several.
        adapt: adapts the learner to support inputs, differentiably.
        episode: the clean episode; `attacker_x` must not be empty.
        budget: bound on each support image's perturbation.
        draws: the random numbers of each search, in order.
        scale: the learner's logit scale; losses see logits / scale.
        mask: which support images may be touched, bool [S].
    """
    centre = episode.support_x.unsqueeze(0)
    axes = episode.support_x.ndim - 1
    radius = (budget.eps * mask.to(centre.dtype)).view(1, -1, *(1,) * axes)
    ball = Ball(budget.norm, radius, axes)

    with torch.no_grad():
        clean = adapt(episode.support_x)(episode.attacker_x)

    def objective_for(aim: Aim, rows: Tensor | None) -> Objective:
        def objective(x: Tensor) -> Judged:
            logits = adapt(x[0])(episode.attacker_x)
            return _judge(logits, clean, episode.attacker_y, aim, budget, scale, joint=True)

        return objective

    plan = searches(engine, budget, episode.ways)
    found = _worst(plan, objective_for, centre, ball, draws, cascade=False)
    return _record(found, ball, centre, found.best.x[0], episode.query_x)


def _query_units(episode: Episode, budget: Budget, *, joint: bool) -> tuple[Tensor, Ball]:
    centre = episode.query_x.unsqueeze(0) if joint else episode.query_x
    axes = episode.query_x.ndim - 1
    radius = centre.new_full((*centre.shape[: centre.ndim - axes], *(1,) * axes), budget.eps)
    return centre, Ball(budget.norm, radius, axes)


def _judge(
    logits: Tensor,
    clean: Tensor,
    labels: Tensor,
    aim: Aim,
    budget: Budget,
    scale: float,
    *,
    joint: bool,
) -> Judged:
    if labels.is_floating_point() or aim.loss == "kl":
        # Neither has a wrong class to reach: the largest loss is the worst.
        if labels.is_floating_point():
            rows = squared_error(logits, labels)
        else:
            rows = divergence(logits / scale, clean / scale)
        unit = rows.mean().unsqueeze(0) if joint else rows
        return Judged(unit, unit)
    # A stochastic learner may answer with several draws [n, Q, N]: an attack climbs their mean
    # loss, and has succeeded where the majority is wrong.
    draws = logits if logits.ndim == 3 else logits.unsqueeze(0)
    before = clean.mean(0) if clean.ndim == 3 else clean
    scaled = [draw / scale for draw in draws]
    losses = [attack_loss(draw, labels, aim, budget.targets, before) for draw in scaled]
    value = torch.stack(losses).mean(0)
    margins = torch.stack([margin_loss(draw, labels) for draw in scaled]).median(0).values
    if not joint:
        return Judged(value, margins)
    # One unit: more errors is worse; among equals, the larger mean margin, squashed below 1 error.
    errors = (margins > 0).sum().to(value.dtype)
    return Judged(value.mean().unsqueeze(0), (errors + margins.mean().sigmoid()).unsqueeze(0))


class _Found(NamedTuple):
    """What several searches found together; see `Perturbation`.

    Attributes:
        best: the worst point of each unit and its score.
        path: loss along the first search [T, U].
        zero_gradients: sum over the searches that take gradients, of each one's share [U].
        searched: how many of those searches a unit went through [U].
        radius: smallest over the searches [U].
        convergence: of the first search.
    """

    best: Best
    path: Tensor
    zero_gradients: Tensor
    searched: Tensor
    radius: Tensor
    convergence: Convergence


def _worst(
    plan: Sequence[Search],
    objective_for: Callable[[Aim, Tensor | None], Objective],
    centre: Tensor,
    ball: Ball,
    draws: Sequence[Tensor] | Tensor,
    *,
    cascade: bool,
    ways: int | None = None,
) -> _Found:
    """Carry out a plan; `ways` is None where a unit is a whole set, not one query."""
    judge = objective_for(plan[0].aim, None)
    with torch.no_grad():
        clean = judge(centre)
    nothing = torch.zeros_like(clean.score)
    # What does not look at the learner is taken as it comes, even where the clean point is worse.
    start = clean.score if plan[0].engine.adversarial else torch.full_like(nothing, -torch.inf)
    best, path = Best(centre, start), clean.loss.unsqueeze(0)
    zeros, searched, radius = nothing, nothing, torch.full_like(nothing, torch.inf)
    ended = _unknown(nothing)
    for i, (engine, budget, aim) in enumerate(plan):
        still = best.score <= 0 if cascade and i > 0 else torch.ones_like(nothing, dtype=torch.bool)
        rows = None if inside_vmap() or not cascade else still.nonzero().squeeze(1)
        if rows is not None and len(rows) == 0:
            break
        pick = _all if rows is None else _picker(rows, centre.ndim)
        some, limit = pick(centre), Ball(ball.norm, pick(ball.radius), ball.image_axes)
        objective = objective_for(aim, rows)
        # A copy: an engine that works in place must not move the point it is measured from.
        found = engine.maximise(objective, some.clone(), limit, budget, pick(draws[i]))
        with torch.no_grad():
            x = limit.project(found.x, some)
            score = objective(x).score
        spread = _all if rows is None else _spreader(rows, len(centre))
        challenger = torch.where(still, spread(score), -torch.inf)
        best = best.challenged_by(spread(x), challenger)
        if i == 0:
            path, ended = found.path, _ended(plan[0], found.path, score, ways)
        if engine.differentiates:
            zeros = zeros + torch.where(still, spread(found.zero_gradients), 0.0)
            searched = searched + still
        if found.radius is not None:
            radius = torch.where(still, torch.minimum(radius, spread(found.radius)), radius)
    return _Found(best, path, zeros, searched, radius, ended)


def _ended(search: Search, path: Tensor, score: Tensor, ways: int | None) -> Convergence:
    """How a search that climbs inside the ball came to its end."""
    engine, budget, aim = search
    if not engine.differentiates or getattr(engine, "seeks_radius", False):
        return _unknown(score)
    wrong = None if ways is None else surely_wrong(aim, budget.targets, ways)
    return convergence(path, score, restarts=budget.restarts, wrong=wrong)


def _unknown(like: Tensor) -> Convergence:
    return Convergence(*(like.new_full((), UNKNOWN) for _ in Convergence._fields))


def _all(tensor: Tensor) -> Tensor:
    return tensor


def _picker(rows: Tensor, axes: int) -> Callable[[Tensor], Tensor]:
    """Picks some units of inputs, or of draws, whose unit axis is followed by an image's axes."""
    return lambda tensor: tensor.index_select(tensor.ndim - axes, rows)


def _spreader(rows: Tensor, units: int) -> Callable[[Tensor], Tensor]:
    """Puts values of some units back among all; zero elsewhere."""
    return lambda tensor: tensor.new_zeros(units, *tensor.shape[1:]).index_copy(0, rows, tensor)


def _record(
    found: _Found, ball: Ball, centre: Tensor, support_x: Tensor, query_x: Tensor
) -> Attacked:
    path = found.path.mean(1)
    return Attacked(
        support_x=support_x,
        query_x=query_x,
        budget_used=ball.norm_of(found.best.x - centre).amax(),
        zero_gradients=(found.zero_gradients / found.searched.clamp(min=1)).mean(),
        objective_start=path[0],
        objective_end=path.amax(),
        radius=found.radius,
        convergence=found.convergence,
    )

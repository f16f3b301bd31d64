"""One perturbation for all queries of all episodes, learned before any of them is seen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from metarobust.assembly.attack_threats import Bounded
from metarobust.assembly.threat import (
    Outcome,
    Prepared,
    adapter,
    changed_share,
    check_pixels,
    judge,
    untouched,
)
from metarobust.attacks.base import Engine, Judged
from metarobust.core.episode import Episode
from metarobust.core.errors import AttackError
from metarobust.core.seeds import generator
from metarobust.learners.base import Learner
from metarobust.threats.ball import Ball
from metarobust.threats.losses import Aim, attack_loss, margin_loss


class Learned(NamedTuple):
    """What came of learning.

    Attributes:
        delta: the perturbation, [*input].
        start: mean loss of the attack without it.
        end: largest mean loss on the way.
    """

    delta: Tensor
    start: float
    end: float


@dataclass(frozen=True)
class UniversalAttack(Bounded):
    """One perturbation added to every query of every episode (Moosavi-Dezfooli et al., CVPR 2017).

    It is learned by gradient ascent on the mean loss of all queries of some meta-val episodes at
    once, each against the learner adapted to its support set. The scored episodes stay unseen: this
    is what an attacker can do who knows the meta-learner, and neither the task nor the query.

    Attributes:
        engine: the one maximiser; it sees one unit, the perturbation.
        episodes: how many it is learned from.
        learned: what came of it; None before.
    """

    engine: Engine
    episodes: int = 10
    learned: Learned | None = None

    @property
    def rehearsals(self) -> int:  # type: ignore[override]
        """See `Threat`."""
        return self.episodes

    def learn(
        self, learner: Learner, episodes: Sequence[Episode], seed: int, scale: float
    ) -> "UniversalAttack":
        """See `Threat.learn`."""
        device = next(learner.parameters()).device
        tasks = [Episode(*(leaf.to(device) for leaf in episode)) for episode in episodes]
        with torch.no_grad():
            classifiers = [adapter(learner, task)(task.support_x) for task in tasks]
        image = tasks[0].query_x
        # Engines search inside [0, 1]: half the perturbation, around the middle, fits there.
        centre = torch.full_like(image[:1], 0.5)
        radius = centre.new_full((1,) * image.ndim, self.budget.eps / 2)
        ball = Ball(self.budget.norm, radius, image.ndim - 1)

        def judged(halved: Tensor, aim: Aim) -> Judged:
            losses, margins = [], []
            # Adapted classifiers differ in more than tensors, so no engine could map over them.
            for task, classify in zip(tasks, classifiers, strict=True):
                logits = classify(_added(task.query_x, 2 * (halved[0] - 0.5))) / scale
                losses.append(
                    attack_loss(logits, task.query_y, aim, self.budget.targets, logits.detach())
                )
                margins.append(margin_loss(logits, task.query_y))
            every = torch.cat(margins)
            wrong, mean = (every > 0).to(every.dtype).sum(), every.mean()
            # Among points that fool as many the larger mean margin, squashed below one query, and
            # slowly: a sigmoid would tie in float32.
            score = wrong + 0.5 + 0.5 * mean / (1 + mean.abs())
            return Judged(torch.cat(losses).mean().view(1), score.view(1))

        best, start, end = None, 0.0, 0.0
        for aim in map(Aim, self.budget.losses):
            source = generator(seed, "universal", aim.loss)
            draws = self.engine.draw(tuple(centre.shape), self.budget, source).to(centre)
            objective = partial(judged, aim=aim)
            found = self.engine.maximise(objective, centre, ball, self.budget, draws)
            if best is None:
                start, end = float(found.path[0].mean()), float(found.path.mean(1).amax())
            if best is None or found.score > best.score:
                best = found
        if best is None:
            raise AttackError("universal: expected a loss to climb, got none")
        return replace(self, learned=Learned(2 * (best.x[0] - 0.5), start, end))

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`."""
        check_pixels(episode.query_x, "queries")
        return untouched(episode)

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`.

        Raises:
            AttackError: nothing has been learned.
        """
        if self.learned is None:
            raise AttackError("universal: learn a perturbation from meta-val episodes first")
        episode = prepared.episode
        clean, (delta, start, end) = episode.query_x, self.learned
        radius = clean.new_full((1,) * clean.ndim, self.budget.eps)
        ball = Ball(self.budget.norm, radius, clean.ndim - 1)
        query_x = ball.project(_added(clean, delta.to(clean)), clean)
        return judge(
            learner,
            episode,
            episode.support_x,
            query_x,
            changed=changed_share(clean, query_x),
            budget_used=ball.norm_of(query_x - clean).amax(),
            objective_start=clean.new_tensor(start),
            objective_end=clean.new_tensor(end),
        )


def _added(images: Tensor, delta: Tensor) -> Tensor:
    return (images + delta).clamp(0.0, 1.0)

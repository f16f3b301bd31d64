"""Evidence beyond the queries' logits: answers to distractors, and how explanations move."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from metarobust.assembly.data_threats import Corrupted
from metarobust.assembly.threat import Outcome, Threat, adapter
from metarobust.audit.evidence import NOT_COMPARED
from metarobust.config.aspects import AspectsConfig
from metarobust.config.recipe import Recipe
from metarobust.core.device import as_array
from metarobust.core.engine import gradient, map_episodes, preferred_backend, stack_episodes
from metarobust.core.episode import Episode
from metarobust.data.sampler import Distractors, EpisodeSampler
from metarobust.learners.base import Classifier, Learner
from metarobust.metrics.explanation import rank_correlation, top_overlap

Array = npt.NDArray[Any]

EXPLANATION_GRADIENTS = 2
"""Gradients that the explanations of one episode cost: of the clean queries, before and after."""


def explains(aspects: AspectsConfig, recipe: Recipe | None, learner: Learner) -> bool:
    """Whether a cell compares explanations: it must touch the support set, and be differentiable.

    Under statistics of the whole batch a query has no explanation of its own.
    """
    touches = recipe is not None and recipe.surface in ("support", "both")
    return aspects.explanation and touches and learner.differentiable and not learner.transductive


def aspect_arrays(
    aspects: AspectsConfig,
    recipe: Recipe | None,
    threat: Threat,
    learner: Learner,
    sampler: EpisodeSampler,
    episodes: Sequence[Episode],
    outcome: Outcome,
) -> dict[str, Array]:
    """The arrays that an audit asks for beyond the outcome of a threat, by name.

    Nothing is asked of a transductive learner: each answer would depend on its neighbours.

    Args:
        aspects: what is asked for.
        recipe: the threat's recipe; None is the clean cell.
        threat: the threat itself.
        learner: left unchanged.
        sampler: where distractors are drawn from.
        episodes: the clean episodes.
        outcome: what became of them, with a leading episode axis.
    """
    arrays: dict[str, Array] = {}
    if aspects.distractors and not learner.transductive:
        asked = [sampler.distractors(episode, aspects.distractors) for episode in episodes]
        shown = [
            _as_shown(threat, episode, strangers, sampler.seed)
            for episode, strangers in zip(episodes, asked, strict=True)
        ]
        arrays["distractor_logits"] = _answers(learner, episodes, outcome, torch.stack(shown))
        arrays["distractor_ids"] = as_array(torch.stack([strangers.ids for strangers in asked]))
    if explains(aspects, recipe, learner):
        arrays |= _explanations(learner, episodes, outcome)
    return arrays


def _as_shown(threat: Threat, episode: Episode, strangers: Distractors, seed: int) -> Tensor:
    """The distractors as the learner sees them [D, *input].

    A corruption of the queries corrupts them too, for a camera does not know the classes. Nobody
    attacks them: a search needs a right answer to lead away from, and they have none.
    """
    if not isinstance(threat, Corrupted):
        return strangers.x
    nobody = torch.zeros(len(strangers.ids), dtype=torch.int64)
    asked = episode._replace(query_x=strangers.x, query_ids=strangers.ids, query_y=nobody)
    return threat.prepare(asked, seed).episode.query_x


def _answers(
    learner: Learner, episodes: Sequence[Episode], outcome: Outcome, shown: Tensor
) -> Array:
    """Logits [E, D, N] of distractors under what the threat left of the support set."""

    def answer(episode: Episode, left: Outcome, x: Tensor) -> Tensor:
        with torch.no_grad():
            return _after(learner, episode, left)(x)

    return as_array(_map(learner, answer, stack_episodes(list(episodes)), outcome, shown))


def _explanations(
    learner: Learner, episodes: Sequence[Episode], outcome: Outcome
) -> dict[str, Array]:
    """Agreement [E, Q] of the saliency maps of clean queries, before and after the threat.

    A map is gradient x input of the logit predicted from the clean support set (Shrikumar et al.
    2017). Ranks are those of the signed maps, the most salient pixels those of largest magnitude.
    """

    def maps(episode: Episode, left: Outcome) -> tuple[Tensor, Tensor, Tensor]:
        with torch.no_grad():
            before = adapter(learner, episode)(episode.support_x)
            after = _after(learner, episode, left)
            named = before(episode.query_x).argmax(1)
            kept = after(episode.query_x).argmax(1) == named
        clean, perturbed = (_gradient_x_input(c, episode.query_x, named) for c in (before, after))
        return clean, perturbed, kept

    found = _map(learner, maps, stack_episodes(list(episodes)), outcome)
    clean, perturbed = (pixels(as_array(saliency)) for saliency in found[:2])
    rank = rank_correlation(clean, perturbed)
    overlap = top_overlap(np.abs(clean), np.abs(perturbed))
    compared = as_array(found[2]) & np.isfinite(rank)
    return {
        "explanation_rank": np.where(compared, rank, NOT_COMPARED),
        "explanation_overlap": np.where(compared, overlap, NOT_COMPARED),
    }


def pixels(saliency: Array) -> Array:
    """Saliency [E, Q, *input] as one number a pixel, [E, Q, P]: the channels of images are added.

    >>> pixels(np.ones((1, 1, 3, 2, 2)))
    array([[[3., 3., 3., 3.]]])
    """
    summed = saliency.sum(axis=2) if saliency.ndim == 5 else saliency
    return summed.reshape(*summed.shape[:2], -1)


def _gradient_x_input(classify: Classifier, x: Tensor, named: Tensor) -> Tensor:
    def score(inputs: Tensor) -> Tensor:
        return classify(inputs).gather(1, named.unsqueeze(1)).sum()

    return gradient(score, x)[0] * x


def _after(learner: Learner, episode: Episode, left: Outcome) -> Classifier:
    """The classifier adapted to what the threat left of the support set."""
    return adapter(learner, episode._replace(support_y=left.support_y))(left.support_x)


def _map(learner: Learner, fn: Any, *blocks: Any) -> Any:
    device = next(learner.parameters()).device
    moved = tree_map(lambda leaf: leaf.to(device), blocks)
    return map_episodes(fn, *moved, backend=preferred_backend(device))

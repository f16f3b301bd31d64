"""The contract of a threat: what is done to an episode, and what the learner then says."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from metarobust.core.episode import Episode
from metarobust.data.base import Dataset
from metarobust.data.sampler import Protocol
from metarobust.learners.base import Learner


class Prepared(NamedTuple):
    """An episode ready for a threat: everything random has been drawn, on the CPU.

    Attributes:
        episode: what the threat starts from; labels may be flipped and images corrupted already.
        draws: the random numbers of each search; none for a threat without.
        mask: which support images may be touched, bool [S].
    """

    episode: Episode
    draws: tuple[Tensor, ...]
    mask: Tensor


class Outcome(NamedTuple):
    """What came of a threat to one episode; the rows of a cell's evidence.

    Attributes:
        logits: the learner's logits of the scored queries [Q, N].
        support_x: the support inputs it learned from [S, *input].
        support_y: the support labels it was given [S].
        query_x: the queries it was asked [Q, *input].
        budget_used: largest perturbation norm of an image [].
        changed: share of the surface's images (or labels) that changed [].
        zero_gradients: share of gradients that were zero on a whole image [].
        objective_start: mean attack loss at the clean point []; 0 without a search.
        objective_end: largest mean attack loss of the search []; 0 without a search.
        attacker_correct: accuracy on the attacker's own queries []; -1 without any.
        radius: norm of the smallest perturbation found that changes each query's prediction, within
            the budget or beyond [Q]; -1 where none was found or sought.
        backdoor_target: the label a backdoor leads to, int64 []; -1 without a backdoor.
        backdoor_prediction: the label of each query with the trigger on it, int64 [Q]; -1 likewise.
        trigger_prediction: the same by a learner whose support set was not poisoned, int64 [Q].
    """

    logits: Tensor
    support_x: Tensor
    support_y: Tensor
    query_x: Tensor
    budget_used: Tensor
    changed: Tensor
    zero_gradients: Tensor
    objective_start: Tensor
    objective_end: Tensor
    attacker_correct: Tensor
    radius: Tensor
    backdoor_target: Tensor
    backdoor_prediction: Tensor
    trigger_prediction: Tensor


class Threat(ABC):
    """A threat to one episode at a time.

    Attributes:
        version: raise it whenever the threat's numbers change; it is part of every cell's key.
        mappable: whether `run` may be mapped by `vmap`; third-party code may not.
        seeks_radius: whether its outcomes' `radius` says anything.
        has_backdoor: whether its outcomes' fields on backdoors say anything.
    """

    version: ClassVar[int] = 1
    mappable: ClassVar[bool] = True
    seeks_radius: bool = False
    has_backdoor: ClassVar[bool] = False

    @abstractmethod
    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """Draw everything random for one clean episode, on the CPU.

        The draws depend on the seed, the episode's number and the purpose alone: every learner
        meets the same ones, which is what makes comparisons paired.
        """

    @abstractmethod
    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """Carry the threat out against a learner. Pure; may run under `vmap`.

        Args:
            learner: left unchanged, buffers included.
            prepared: one episode, on the learner's device.
            scale: the learner's logit scale; attack losses see logits / scale.
        """

    def with_data(self, dataset: Dataset, protocol: Protocol) -> "Threat":
        """This threat on a data set, whose images beyond the episode's it may need; most do not.

        Raises:
            MetarobustError: there are too few such images, or they do not fit.
        """
        return self

    def gradient_calls(self, ways: int) -> int:
        """Gradients of the learner taken, at most, for one episode of N ways."""
        return 0

    def versions(self) -> dict[str, int | str]:
        """The versions of everything whose change would change this threat's numbers."""
        return {type(self).__name__: self.version}

    def without_budget(self) -> "Threat | None":
        """The same threat with a budget of zero, which must change nothing; None if it has none."""
        return None

    def objection(self, learner: Learner, protocol: Protocol) -> str:
        """Why this threat cannot be run on a learner under a protocol, and what to do; else empty.

        Asked before anything is computed.
        """
        return ""


def untouched(episode: Episode) -> Prepared:
    """An episode on which nothing is drawn."""
    size = len(episode.support_y)
    return Prepared(episode, (), torch.zeros(size, dtype=torch.bool))


def adapter(
    learner: Learner, episode: Episode, *, first_order: bool = False
) -> Callable[[Tensor], Callable[[Tensor], Tensor]]:
    """`support_x -> classifier`, with the episode's labels and ways fixed."""
    return lambda support_x: learner.adapt(
        support_x, episode.support_y, ways=episode.ways, first_order=first_order
    )


def judge(
    learner: Learner,
    episode: Episode,
    support_x: Tensor,
    query_x: Tensor,
    *,
    poisoned: bool = False,
    **record: Tensor,
) -> Outcome:
    """Adapt to what the threat left and classify what it left; constants, no gradient kept."""
    with torch.no_grad():
        classify = adapter(learner, episode)(support_x)
        logits = classify(query_x)
        nothing = logits.new_zeros(())
        attacker_correct = nothing - 1
        if poisoned:
            hits = classify(episode.attacker_x).argmax(1) == episode.attacker_y
            attacker_correct = hits.to(logits.dtype).mean()
    facts = dict.fromkeys(
        ("budget_used", "changed", "zero_gradients", "objective_start", "objective_end"), nothing
    )
    facts["radius"] = logits.new_full((len(logits),), -1.0)
    unasked = torch.full_like(episode.query_y, -1)
    facts["backdoor_target"] = unasked[0]
    facts["backdoor_prediction"] = facts["trigger_prediction"] = unasked
    return Outcome(
        logits=logits,
        support_x=support_x,
        support_y=episode.support_y,
        query_x=query_x,
        attacker_correct=attacker_correct,
        **{**facts, **record},
    )


def changed_share(before: Tensor, after: Tensor) -> Tensor:
    """Share of the leading axis whose entries differ at all []."""
    differs = (before != after).flatten(1) if before.ndim > 1 else (before != after).unsqueeze(1)
    return differs.any(1).float().mean()

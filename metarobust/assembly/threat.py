"""The contract of a threat: what is done to an episode, and what the learner then says."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from metarobust.attacks.convergence import UNKNOWN, Convergence
from metarobust.core.episode import Episode
from metarobust.core.errors import DataError
from metarobust.core.seeds import generator
from metarobust.data.base import Dataset
from metarobust.data.sampler import Protocol
from metarobust.learners.base import Classifier, Learner
from metarobust.threats.ball import longest
from metarobust.threats.budget import Budget
from metarobust.threats.losses import margin_loss

VOTES = 5
"""How often a stochastic learner is asked before a query counts as right or wrong."""


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
        logits: the learner's logits of the scored queries [Q, N]; of a regression, their predicted
            means [Q, 1], and beside them their standard deviations [Q, 2] where it states them.
        support_x: the support inputs it learned from [S, *input].
        support_y: the support labels it was given [S].
        query_x: the queries it was asked [Q, *input].
        budget_used: largest perturbation norm of an image [].
        changed: share of the surface's images (or labels) that changed [].
        zero_gradients: share of gradients that were zero on a whole image [].
        objective_start: mean attack loss at the clean point []; 0 without a search.
        objective_end: largest mean attack loss of the search []; 0 without a search.
        attacker_correct: accuracy on the attacker's own queries []; -1 without any, and of a
            regression.
        radius: norm of the smallest perturbation found that changes each query's prediction, within
            the budget or beyond [Q]; -1 where none was found or sought.
        late_improvement: see `attacks.convergence`, as for the next two []; -1 where unknown.
        silent_success: likewise [].
        restart_spread: likewise [].
        certified_poison: see `assembly.certificates`, as for the next [Q]; -1 where unknown.
        certified_radius: likewise [Q].
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
    late_improvement: Tensor
    silent_success: Tensor
    restart_spread: Tensor
    certified_poison: Tensor
    certified_radius: Tensor
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
        rehearsals: how many episodes it learns from before it meets a scored one; see `learn`.
        climbs: whether it follows gradients within its budget, so that its outcomes say how the
            search ended.
    """

    version: ClassVar[int] = 1
    mappable: ClassVar[bool] = True
    seeks_radius: bool = False
    has_backdoor: ClassVar[bool] = False
    rehearsals: int = 0
    climbs: bool = False

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

    def learn(
        self, learner: Learner, episodes: Sequence[Episode], seed: int, scale: float
    ) -> "Threat":
        """The threat once it has learned what it must of a learner; itself where that is nothing.

        Args:
            learner: left unchanged, buffers included.
            episodes: `rehearsals` of them, of classes that are never scored.
            seed: root of every draw.
            scale: the learner's logit scale.
        """
        return self

    def gradient_calls(self, ways: int) -> int:
        """Gradients of the learner taken, at most, for one episode of N ways."""
        return 0

    def adaptations(self, protocol: Protocol) -> int:
        """Adaptations of the learner that a search without gradients takes for one episode."""
        return 0

    def versions(self) -> dict[str, int | str]:
        """The versions of everything whose change would change this threat's numbers."""
        return {type(self).__name__: self.version}

    def without_budget(self) -> "Threat | None":
        """The same threat with a budget of zero, which must change nothing; None if it has none."""
        return None

    def certificates(self, learner: Learner) -> tuple[str, ...]:
        """The certificates in its outcomes with a learner: names of fields of `Outcome`."""
        return ()

    def objection(self, learner: Learner, protocol: Protocol) -> str:
        """Why this threat cannot be run on a learner under a protocol, and what to do; else empty.

        Asked before anything is computed.
        """
        return ""

    def misfit(self, input_shape: tuple[int, ...]) -> str:
        """Why this threat cannot be run on inputs of a shape, and what to do; else empty.

        Asked before anything is computed.
        """
        return ""


def untouched(episode: Episode) -> Prepared:
    """An episode on which nothing is drawn."""
    size = len(episode.support_y)
    return Prepared(episode, (), torch.zeros(size, dtype=torch.bool))


def adapter(
    learner: Learner, episode: Episode, *, first_order: bool = False, expectation: int = 1
) -> Callable[[Tensor], Callable[[Tensor], Tensor]]:
    """`support_x -> classifier`, with the episode's labels and ways fixed, as an attacker sees it.

    A stochastic learner is adapted with draws of the attacker's own, which are never those it is
    judged with. With an `expectation` of n > 1 it is adapted n times, and the classifier returns
    the logits of all [n, Q, N] (expectation over transformation, Athalye et al., ICML 2018).
    """

    def adapt(support_x: Tensor, source: torch.Generator | None = None) -> Classifier:
        return learner.adapt(
            support_x,
            episode.support_y,
            ways=episode.ways,
            generator=source,
            first_order=first_order,
        )

    def drawn(support_x: Tensor) -> Classifier:
        members = [adapt(support_x, one) for one in _draws(episode, "attack", expectation)]
        if expectation == 1:
            return members[0]
        return lambda x: torch.stack([member(x) for member in members])

    return drawn if learner.stochastic else adapt


def _draws(episode: Episode, purpose: str, count: int) -> list[torch.Generator]:
    """Generators that depend on the episode and the purpose alone: all threats meet the same."""
    identity = (int(episode.number), *episode.support_ids.tolist(), *episode.query_ids.tolist())
    return [generator(0, "learner", purpose, i, *identity) for i in range(count)]


def judge(
    learner: Learner,
    episode: Episode,
    support_x: Tensor,
    query_x: Tensor,
    *,
    poisoned: bool = False,
    **record: Tensor,
) -> Outcome:
    """Adapt to what the threat left and classify what it left; constants, no gradient kept.

    A stochastic learner is adapted `VOTES` times, and the majority counts: see `majority`.
    """
    with torch.no_grad():
        draws = _draws(episode, "judge", VOTES) if learner.stochastic else [None]
        voters = [
            learner.adapt(support_x, episode.support_y, ways=episode.ways, generator=one)
            for one in draws
        ]
        logits = majority([classify(query_x) for classify in voters], episode.query_y)
        nothing = logits.new_zeros(())
        attacker_correct = nothing - 1
        if poisoned and not episode.regression:
            answers = [classify(episode.attacker_x) for classify in voters]
            hits = majority(answers, episode.attacker_y).argmax(1) == episode.attacker_y
            attacker_correct = hits.to(logits.dtype).mean()
    facts = dict.fromkeys(
        ("budget_used", "changed", "zero_gradients", "objective_start", "objective_end"), nothing
    )
    facts |= dict.fromkeys(Convergence._fields, nothing + UNKNOWN)
    facts |= dict.fromkeys(
        ("radius", "certified_poison", "certified_radius"), logits.new_full((len(logits),), -1.0)
    )
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


def majority(answers: Sequence[Tensor], labels: Tensor) -> Tensor:
    """Of several draws' logits [Q, N], for each query those of the draw of median margin [Q, N].

    With an odd number of draws they are wrong exactly where the majority is.

    >>> right, wrong = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    >>> majority([right, wrong, right], torch.tensor([0]))
    tensor([[1., 0.]])
    """
    if len(answers) == 1:
        return answers[0]
    margins = torch.stack([margin_loss(logits, labels) for logits in answers])
    chosen = margins.median(0).indices.view(1, -1, 1)
    logits = torch.stack(list(answers))
    return logits.gather(0, chosen.expand(1, -1, logits.shape[2])).squeeze(0)


def beyond_the_box(budget: Budget, input_shape: tuple[int, ...]) -> str:
    """Says that no perturbation of such an input can be as long as the budget; else empty."""
    limit = longest(budget.norm, math.prod(input_shape))
    if budget.eps <= limit:
        return ""
    return (
        f"eps={budget.eps:g} exceeds {limit:g}, the {budget.norm} distance of the farthest two "
        f"images of shape {list(input_shape)} in [0, 1]; lower it"
    )


def check_pixels(x: Tensor, what: str) -> None:
    """Refuse images that an attack would silently clamp.

    Raises:
        DataError: a value lies outside [0, 1], or is not a number.
    """
    if x.numel() and not (x.min() >= 0 and x.max() <= 1):
        raise DataError(
            f"{what}: expected values in [0, 1], got {x.min():.3g} to {x.max():.3g}; divide bytes "
            "by 255, and put a normalisation inside the learner"
        )


def changed_share(before: Tensor, after: Tensor) -> Tensor:
    """Share of the leading axis whose entries differ at all []."""
    differs = (before != after).flatten(1) if before.ndim > 1 else (before != after).unsqueeze(1)
    return differs.any(1).float().mean()

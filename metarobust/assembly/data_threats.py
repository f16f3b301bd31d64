"""Threats that do not look at the learner: nothing, corruptions, label noise."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from metarobust.assembly.certificates import certified_poison, certifies
from metarobust.assembly.threat import Outcome, Prepared, Threat, changed_share, judge, untouched
from metarobust.core.episode import Episode
from metarobust.core.seeds import generator
from metarobust.corruptions import CORRUPTIONS, corrupt
from metarobust.learners.base import Learner
from metarobust.threats.labels import symmetric_flip

Surface = Literal["support", "query", "both"]


@dataclass(frozen=True)
class Clean(Threat):
    """No threat: the cell that every other is compared with."""

    version: ClassVar[int] = 1

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`."""
        return untouched(episode)

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode = prepared.episode
        found = judge(learner, episode, episode.support_x, episode.query_x)
        proven = certified_poison(learner, episode, found.logits)
        return found._replace(certified_poison=proven.to(found.certified_poison))

    def certificates(self, learner: Learner) -> tuple[str, ...]:
        """See `Threat.certificates`."""
        return ("certified_poison",) if certifies(learner) else ()


@dataclass(frozen=True)
class Corrupted(Threat):
    """A common corruption of the support images, the queries, or both.

    Attributes:
        corruption: its registered name.
        severity: 0 (identity) to 5.
        surface: which images are corrupted.
    """

    corruption: str
    severity: int
    surface: Surface

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`; an image is corrupted alike in every episode, on both surfaces."""

        def corrupted(x: Tensor, ids: Tensor) -> Tensor:
            return corrupt(self.corruption, x, ids, self.severity, seed)

        changes = {}
        if self.surface != "query":
            changes["support_x"] = corrupted(episode.support_x, episode.support_ids)
        if self.surface != "support":
            changes["query_x"] = corrupted(episode.query_x, episode.query_ids)
        altered = episode._replace(**changes)
        shares = [changed_share(getattr(episode, key), getattr(altered, key)) for key in changes]
        return untouched(altered)._replace(draws=(torch.stack(shares).mean(),))

    def versions(self) -> dict[str, int | str]:
        """See `Threat.versions`."""
        return {**super().versions(), self.corruption: CORRUPTIONS[self.corruption].version}

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode = prepared.episode
        changed = prepared.draws[0]
        return judge(learner, episode, episode.support_x, episode.query_x, changed=changed)

    def without_budget(self) -> Threat:
        """Severity 0."""
        return Corrupted(self.corruption, 0, self.surface)


@dataclass(frozen=True)
class LabelNoise(Threat):
    """Symmetric label flips in the support set; queries stay clean.

    Attributes:
        fraction: share of mislabelled support images, in [0, 1].
    """

    fraction: float

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`; the mask marks the flipped images."""
        source = generator(seed, "label-noise", int(episode.number))
        noisy = symmetric_flip(episode.support_y, episode.ways, self.fraction, source)
        flipped = noisy != episode.support_y
        return untouched(episode._replace(support_y=noisy))._replace(mask=flipped)

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode = prepared.episode
        changed = prepared.mask.to(episode.support_x.dtype).mean()
        return judge(learner, episode, episode.support_x, episode.query_x, changed=changed)

    def without_budget(self) -> Threat:
        """No flips."""
        return LabelNoise(0.0)

"""Threats that do not look at the learner: nothing, corruptions, label noise."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from metarobust.assembly.certificates import certified_poison, certifies
from metarobust.assembly.threat import Outcome, Prepared, Threat, changed_share, judge, untouched
from metarobust.core.episode import Episode
from metarobust.core.errors import ConfigError
from metarobust.core.seeds import generator
from metarobust.corruptions import CORRUPTIONS, corrupt
from metarobust.data.base import Dataset
from metarobust.data.sampler import Protocol
from metarobust.learners.base import Learner
from metarobust.threats.labels import (
    exchange_labels,
    most_exchanged,
    pair_flip,
    symmetric_flip,
)

Surface = Literal["support", "query", "both"]

DRAWN = "drawn"
"""In place of a corruption's name: another one for every episode."""


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
        query_corruption: on surface `both`, the queries' corruption if it is another one; `drawn`
            draws it for each episode from all that fit the images, the support set's own left out.

    Raises:
        ConfigError: a query corruption is unknown, is the support set's own, or the surface is not
            `both`.
    """

    corruption: str
    severity: int
    surface: Surface
    query_corruption: str | None = None

    def __post_init__(self) -> None:
        if self.query_corruption is None:
            return
        if self.surface != "both":
            raise ConfigError(
                f"query_corruption: expected surface both, got {self.surface}; remove the option"
            )
        if self.query_corruption == self.corruption:
            raise ConfigError(
                f"query_corruption: expected another corruption than '{self.corruption}', which "
                "the support set gets; remove the option to give both the same"
            )
        if self.query_corruption != DRAWN:
            CORRUPTIONS[self.query_corruption]

    def with_data(self, dataset: Dataset, protocol: Protocol) -> Threat:
        """See `Threat.with_data`: refuses a query corruption that these images cannot have."""
        shape, name = dataset.input_shape, self.query_corruption
        if name not in (None, DRAWN, *self._fitting(shape[0])):
            raise ConfigError(
                f"query_corruption: {name} is not defined for the inputs {list(shape)} of "
                f"{dataset.name}; choose another"
            )
        return self

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`; an image is corrupted alike in every episode, on both surfaces."""

        def corrupted(name: str, x: Tensor, ids: Tensor) -> Tensor:
            return corrupt(name, x, ids, self.severity, seed)

        changes = {}
        if self.surface != "query":
            changes["support_x"] = corrupted(
                self.corruption, episode.support_x, episode.support_ids
            )
        if self.surface != "support":
            changes["query_x"] = corrupted(
                self._on_queries(episode, seed), episode.query_x, episode.query_ids
            )
        altered = episode._replace(**changes)
        shares = [changed_share(getattr(episode, key), getattr(altered, key)) for key in changes]
        return untouched(altered)._replace(draws=(torch.stack(shares).mean(),))

    def versions(self) -> dict[str, int | str]:
        """See `Threat.versions`."""
        names = {self.corruption, self.query_corruption or self.corruption}
        if DRAWN in names:
            names = set(CORRUPTIONS)
        return {**super().versions(), **{name: CORRUPTIONS[name].version for name in sorted(names)}}

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode = prepared.episode
        changed = prepared.draws[0]
        return judge(learner, episode, episode.support_x, episode.query_x, changed=changed)

    def without_budget(self) -> Threat:
        """Severity 0."""
        return replace(self, severity=0)

    def _on_queries(self, episode: Episode, seed: int) -> str:
        """The name of the corruption that an episode's queries get."""
        if self.query_corruption != DRAWN:
            return self.query_corruption or self.corruption
        others = self._fitting(episode.query_x.shape[1])
        source = generator(seed, "query-corruption", int(episode.number))
        return others[int(torch.randint(len(others), (), generator=source))]

    def _fitting(self, channels: int) -> list[str]:
        """Every other corruption that is defined for images of so many channels."""
        return [
            name
            for name in sorted(CORRUPTIONS)
            if name != self.corruption and channels in CORRUPTIONS[name].channels
        ]


Confusion = Literal["symmetric", "pair", "exchange"]

_CONFUSIONS = {"symmetric": symmetric_flip, "pair": pair_flip, "exchange": exchange_labels}


@dataclass(frozen=True)
class LabelNoise(Threat):
    """Wrong labels in the support set; queries stay clean.

    Attributes:
        fraction: share of mislabelled support images, in [0, 1].
        confusion: which wrong labels: `symmetric`, any other class; `pair`, the class after;
            `exchange`, those of other images, so that every class keeps its number of shots.

    Raises:
        ConfigError: the confusion is none of these.
    """

    fraction: float
    confusion: Confusion = "symmetric"

    def __post_init__(self) -> None:
        if self.confusion not in _CONFUSIONS:
            raise ConfigError(
                f"label noise: expected confusion {', '.join(_CONFUSIONS)}, got '{self.confusion}'"
            )

    def objection(self, learner: Learner, protocol: Protocol) -> str:
        """See `Threat.objection`."""
        ways, shots = protocol.ways, protocol.shots
        if self.confusion == "exchange":
            if shots == 1:
                return (
                    "a class of one shot has no image to exchange that leaves it one of its own; "
                    "set protocol.shots to at least 2"
                )
            if round(self.fraction * shots) > (most := most_exchanged(ways, shots)):
                return (
                    f"of {shots} shots at most {most} can be exchanged among {ways} classes before "
                    f"a wrong class outnumbers the true one; set fraction to at most {most}/{shots}"
                )
            return no_images(self.fraction, shots, "shots of a class")
        return no_images(self.fraction, ways * shots, "support images")

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`; the mask marks the mislabelled images."""
        source = generator(seed, "label-noise", int(episode.number))
        confuse = _CONFUSIONS[self.confusion]
        noisy = confuse(episode.support_y, episode.ways, self.fraction, source)
        flipped = noisy != episode.support_y
        return untouched(episode._replace(support_y=noisy))._replace(mask=flipped)

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode = prepared.episode
        changed = prepared.mask.to(episode.support_x.dtype).mean()
        return judge(learner, episode, episode.support_x, episode.query_x, changed=changed)

    def without_budget(self) -> Threat:
        """No wrong labels."""
        return replace(self, fraction=0.0)


def no_images(fraction: float, count: int, what: str) -> str:
    """An objection to a share that rounds to no image at all; else empty."""
    if round(fraction * count):
        return ""
    return (
        f"a fraction of {fraction:g} of {count} {what} is no image, so that nothing would change; "
        f"set fraction to at least {1 / count:.2g}, or protocol.shots higher"
    )

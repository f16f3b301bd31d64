"""Backdoors: a trigger on some support images that leads any query bearing it to one label."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch

from metarobust.assembly.data_threats import no_images
from metarobust.assembly.threat import Outcome, Prepared, Threat, adapter, changed_share, judge
from metarobust.core.episode import Episode
from metarobust.core.errors import ConfigError
from metarobust.core.seeds import generator
from metarobust.data.base import Dataset
from metarobust.data.sampler import Protocol
from metarobust.learners.base import Learner
from metarobust.threats.trigger import Trigger

Labels = Literal["dirty", "clean"]


@dataclass(frozen=True)
class Backdoor(Threat):
    """Stamps a trigger on support images which then bear the target label (Gu et al. 2017).

    Scored queries stay clean, so that accuracy is the benign accuracy. The evidence also holds what
    the learner says of them with the trigger on, after the poisoned support set and after the clean
    one: a trigger may mislead by itself.

    Attributes:
        fraction: share of the support set (`dirty`) or of the target class's shots (`clean`).
        trigger: the patch.
        labels: `dirty` stamps images of other classes and relabels them; `clean` stamps the target
            class's own (Turner et al. 2018), and every label stays true.
        target: the label that the trigger leads to; None draws one for each episode.

    Raises:
        ConfigError: the labels are neither, or the target is negative.
    """

    fraction: float
    trigger: Trigger
    labels: Labels = "dirty"
    target: int | None = None

    version: ClassVar[int] = 1
    has_backdoor: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.labels not in ("dirty", "clean"):
            raise ConfigError(f"backdoor: expected labels dirty or clean, got '{self.labels}'")
        if self.target is not None and self.target < 0:
            raise ConfigError(f"backdoor: expected target of 0 or more, got {self.target}")

    def with_data(self, dataset: Dataset, protocol: Protocol) -> Threat:
        """See `Threat.with_data`: refuses a trigger that does not fit the images."""
        if misfit := self.trigger.misfit(dataset.input_shape):
            raise ConfigError(f"backdoor: {misfit}")
        return self

    def objection(self, learner: Learner, protocol: Protocol) -> str:
        """See `Threat.objection`."""
        if self.target is not None and self.target >= protocol.ways:
            return (
                f"its target is class {self.target}, an episode of {protocol.ways} ways has "
                f"classes 0 to {protocol.ways - 1}; set options.target lower, or leave it out"
            )
        if self.labels == "clean":
            return no_images(self.fraction, protocol.shots, "shots of the target class")
        total, others = protocol.ways * protocol.shots, (protocol.ways - 1) * protocol.shots
        if (count := round(self.fraction * total)) > others:
            return (
                f"a fraction of {self.fraction:g} is {count} support images, but only {others} are "
                f"not of the target class; set fraction to at most {others}/{total}"
            )
        return no_images(self.fraction, total, "support images")

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`; the mask marks the images that get the trigger."""
        source = generator(seed, "backdoor", int(episode.number))
        drawn = torch.randint(episode.ways, (), generator=source)
        target = drawn if self.target is None else torch.tensor(self.target)
        own = episode.support_y == target
        eligible = (own if self.labels == "clean" else ~own).nonzero().squeeze(1)
        total = len(eligible) if self.labels == "clean" else len(episode.support_y)
        order = torch.randperm(len(eligible), generator=source)
        mask = torch.zeros_like(own)
        mask[eligible[order[: round(self.fraction * total)]]] = True
        return Prepared(episode, (target,), mask)

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode, mask, target = prepared.episode, prepared.mask, prepared.draws[0]
        wide = mask.view(-1, *(1,) * (episode.support_x.ndim - 1))
        support = torch.where(wide, self.trigger.stamp(episode.support_x), episode.support_x)
        planted = episode._replace(
            support_x=support, support_y=torch.where(mask, target, episode.support_y)
        )
        triggered = self.trigger.stamp(episode.query_x)
        with torch.no_grad():
            after = adapter(learner, planted)(support)(triggered).argmax(1)
            before = adapter(learner, episode)(episode.support_x)(triggered).argmax(1)
        return judge(
            learner,
            planted,
            support,
            episode.query_x,
            changed=changed_share(episode.support_x, support),
            backdoor_target=target,
            backdoor_prediction=after,
            trigger_prediction=before,
        )

    def without_budget(self) -> Threat:
        """No image gets the trigger."""
        return replace(self, fraction=0.0)

"""Images that belong to no class of the episode, put into its support set under its labels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from metarobust.assembly.data_threats import no_images
from metarobust.assembly.dataset import load_dataset
from metarobust.assembly.image_pool import ImagePool
from metarobust.assembly.threat import Outcome, Prepared, Threat, changed_share, judge
from metarobust.core.episode import Episode
from metarobust.core.errors import AttackError, ConfigError
from metarobust.core.seeds import generator
from metarobust.data.base import SPLITS, Dataset
from metarobust.data.sampler import Protocol
from metarobust.learners.base import Learner
from metarobust.threats.labels import poison_mask


@dataclass(frozen=True)
class OutlierSupport(Threat):
    """A share of the shots of every class is replaced by outliers; labels and counts are kept.

    Attributes:
        fraction: share of each class's shots, in [0, 1].
        source: name of the data set the outliers come from; None for the classes of the audited
            split that are not in the episode.
        source_options: that data set's options.
        pool: where they come from; None before `with_data`.
    """

    fraction: float
    source: str | None = None
    source_options: Mapping[str, Any] | None = None
    pool: ImagePool | None = None

    def with_data(self, dataset: Dataset, protocol: Protocol) -> Threat:
        """See `Threat.with_data`."""
        if self.source is None:
            classes = tuple(dataset.splits[protocol.split])
            if len(classes) == protocol.ways:
                raise ConfigError(
                    f"outlier: all {len(classes)} classes of meta-{protocol.split} are in every "
                    "episode; lower protocol.ways or set options.dataset to another data set"
                )
            return replace(self, pool=ImagePool(dataset, classes))
        other = load_dataset(self.source, self.source_options or {})
        if other.input_shape != dataset.input_shape:
            raise ConfigError(
                f"outlier: expected images of shape {list(dataset.input_shape)} as in "
                f"{dataset.name}, {other.name} has {list(other.input_shape)}; set "
                "options.dataset_options, for example its size"
            )
        if other.digest == dataset.digest:
            raise ConfigError(
                f"outlier: {other.name} is the audited data set itself; remove options.dataset to "
                "take the classes that are not in the episode"
            )
        return replace(self, pool=ImagePool(other, sum((other.splits[s] for s in SPLITS), ())))

    def versions(self) -> dict[str, int | str]:
        """See `Threat.versions`: another data set's content decides the numbers too."""
        if self.source is None or self.pool is None:
            return super().versions()
        return {**super().versions(), self.source: self.pool.dataset.digest}

    def objection(self, learner: Learner, protocol: Protocol) -> str:
        """See `Threat.objection`."""
        if self.source is None and protocol.replacement == "disjoint":
            return (
                "it takes images of other classes of the split, which disjoint sampling gives to "
                "other episodes; set protocol.replacement to classes, or options.dataset"
            )
        return no_images(self.fraction, protocol.shots, "shots of a class")

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`; the mask marks the replaced images.

        Raises:
            AttackError: the threat knows no data yet.
        """
        if self.pool is None:
            raise AttackError("outlier: expected a threat with data; call with_data first")
        number, shots = int(episode.number), len(episode.support_y) // episode.ways
        mask = torch.zeros(len(episode.support_y), dtype=torch.bool)
        if round(self.fraction * shots):
            source = generator(seed, "outlier-mask", number)
            mask = poison_mask(episode.support_y, episode.ways, self.fraction, 1.0, source)
        episodes_own = episode.class_ids if self.source is None else None
        outliers = self.pool.other_classes(
            int(mask.sum()), generator(seed, "outliers", number), without=episodes_own
        )
        support = episode.support_x.clone()
        support[mask] = outliers.to(support.dtype)
        changed: Tensor = changed_share(episode.support_x, support)
        return Prepared(episode._replace(support_x=support), (changed,), mask)

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode = prepared.episode
        changed = prepared.draws[0]
        return judge(learner, episode, episode.support_x, episode.query_x, changed=changed)

    def without_budget(self) -> Threat:
        """No outliers."""
        return replace(self, fraction=0.0)

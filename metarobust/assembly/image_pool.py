"""Images beyond an episode's own, for threats that bring other images into the support set."""

from dataclasses import dataclass

import torch
from torch import Tensor

from metarobust.core.episode import Episode
from metarobust.core.errors import DataError
from metarobust.data.base import Dataset
from metarobust.data.sampler import Protocol, inputs_of


@dataclass(frozen=True)
class ImagePool:
    """The images of some classes of a data set.

    Attributes:
        dataset: where they are.
        classes: the global classes that may be drawn from.
    """

    dataset: Dataset
    classes: tuple[int, ...]

    def same_class(self, episode: Episode, each: int, source: torch.Generator) -> Tensor:
        """Unused images of each of an episode's classes [N, each, *input].

        None of them is in the episode: neither a support image nor anyone's query.

        Raises:
            DataError: a class has too few left; `check_room` says so before.
        """
        used = torch.cat([episode.support_ids, episode.query_ids, episode.attacker_ids])
        drawn = []
        for label in episode.class_ids.tolist():
            rows = torch.from_numpy(self.dataset.class_rows[label])
            free = rows[~torch.isin(rows, used)]
            if len(free) < each:
                raise DataError(
                    f"{self.dataset.name}: expected {each} unused images of "
                    f"{self.dataset.class_names[label]!r}, got {len(free)}"
                )
            drawn.append(free[torch.randperm(len(free), generator=source)[:each]])
        images = inputs_of(self.dataset, torch.cat(drawn)).to(episode.support_x.dtype)
        return images.view(len(drawn), each, *images.shape[1:])

    def other_classes(
        self, count: int, source: torch.Generator, *, without: Tensor | None = None
    ) -> Tensor:
        """Distinct images [count, *input], evenly over all images of the classes.

        Args:
            count: how many.
            source: of randomness.
            without: global classes to leave out, if they are of this data set.
        """
        left_out = set() if without is None else set(without.tolist())
        rows = torch.cat(
            [
                torch.from_numpy(self.dataset.class_rows[c])
                for c in self.classes
                if c not in left_out
            ]
        )
        return inputs_of(self.dataset, rows[torch.randperm(len(rows), generator=source)[:count]])


def check_room(dataset: Dataset, protocol: Protocol, each: int) -> None:
    """Refuse a data set whose classes have too few images beyond an episode's own.

    Raises:
        DataError: a class of the protocol's split has too few.
    """
    need = protocol.images_per_class + each
    least = min(dataset.splits[protocol.split], key=lambda c: len(dataset.class_rows[c]))
    if (have := len(dataset.class_rows[least])) < need:
        raise DataError(
            f"{dataset.name}: {each} images of each class beyond an episode's own "
            f"{protocol.images_per_class} are needed, {dataset.class_names[least]!r} has {have} in "
            "all; lower protocol.queries, protocol.attacker_queries, or what the threat asks for"
        )

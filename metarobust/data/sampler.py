"""Episodes of a data set, each a pure function of its index."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from metarobust.core.episode import Episode
from metarobust.core.errors import ConfigError, DataError
from metarobust.core.seeds import generator
from metarobust.data.base import SPLITS, Dataset, three_of
from metarobust.data.schedule import Turn, disjoint_schedule

Replacement = Literal["classes", "disjoint"]


@dataclass(frozen=True)
class Protocol:
    """The shape of an episode.

    Attributes:
        ways: classes per episode, at least 2; 1 where a task is one function to be regressed.
        shots: support images per class, at least 1.
        queries: scored queries per class, at least 1.
        attacker_queries: queries per class that only the attacker sees, at least 0.
        split: `train`, `val` or `test`.
        replacement: `classes`: each episode draws afresh, so that classes and images come back in
            later episodes; `disjoint`: no image is used in two episodes, and episodes run out.

    Raises:
        ConfigError: a value is out of range.
    """

    ways: int = 5
    shots: int = 5
    queries: int = 5
    attacker_queries: int = 5
    split: str = "test"
    replacement: Replacement = "classes"

    def __post_init__(self) -> None:
        least = {"ways": 1, "shots": 1, "queries": 1, "attacker_queries": 0}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in least and not (isinstance(value, int) and value >= least[item.name]):
                raise ConfigError(
                    f"protocol.{item.name}: expected a whole number of at least "
                    f"{least[item.name]}, got {value!r}"
                )
        if self.split not in SPLITS:
            raise ConfigError(
                f"protocol.split: expected one of {', '.join(SPLITS)}, got {self.split!r}"
            )
        if self.replacement not in ("classes", "disjoint"):
            raise ConfigError(
                f"protocol.replacement: expected classes or disjoint, got {self.replacement!r}"
            )

    @property
    def images_per_class(self) -> int:
        """Images that one class gives to one episode."""
        return self.shots + self.queries + self.attacker_queries


class Distractors(NamedTuple):
    """Queries of classes that are not in their episode.

    Attributes:
        x: inputs, float32 [D, *input] in [0, 1].
        ids: data-set row of each, int64 [D].
    """

    x: Tensor
    ids: Tensor


class EpisodeSampler:
    """The stream of episodes of a data set under a protocol: `sampler[index] -> Episode`.

    An episode depends on the data set's content, the protocol, the seed and the index; not on
    which episodes were asked for before, nor on the process. Its classes come in random order, its
    images class by class. Under `classes` two protocols that differ in `shots` alone share
    classes and queries, and the smaller support set is part of the larger, so that results over
    shots are paired.

    Args:
        dataset: where the images are.
        protocol: the shape of an episode.
        seed: root of every draw.

    Raises:
        DataError: the split has too few classes, or a class of it too few images.
    """

    def __init__(self, dataset: Dataset, protocol: Protocol, seed: int) -> None:
        self.dataset = dataset
        self.protocol = protocol
        self.seed = seed
        self._classes = tuple(dataset.splits[protocol.split])
        self._check()
        self._schedule: Sequence[Sequence[Turn]] | None = None
        if protocol.replacement == "disjoint":
            turns = [len(dataset.class_rows[c]) // protocol.images_per_class for c in self._classes]
            draws = generator(seed, "disjoint", protocol.split)
            self._schedule = disjoint_schedule(turns, protocol.ways, draws)

    @property
    def capacity(self) -> int | None:
        """How many episodes there are; None when they never run out."""
        return None if self._schedule is None else len(self._schedule)

    def __getitem__(self, index: int) -> Episode:
        """Episode `index`, on the CPU.

        Raises:
            ConfigError: the index is negative, or beyond `capacity`.
        """
        if index < 0 or (self.capacity is not None and index >= self.capacity):
            limit = "" if self.capacity is None else f" to {self.capacity - 1}"
            raise ConfigError(
                f"episode {index}: {self.dataset.name} has episodes 0{limit} "
                f"({self._describe()}); ask for fewer episodes"
            )
        chosen = (
            self._fresh(index)
            if self._schedule is None
            else self._from_partition(self._schedule[index])
        )
        q, a = self.protocol.queries, self.protocol.attacker_queries
        rows = torch.stack([images for _, images in chosen])
        query, attacker, support = rows[:, :q], rows[:, q : q + a], rows[:, q + a :]
        return Episode(
            support_x=self._inputs(support),
            support_y=self._answers(support),
            query_x=self._inputs(query),
            query_y=self._answers(query),
            attacker_x=self._inputs(attacker),
            attacker_y=self._answers(attacker),
            support_ids=support.reshape(-1),
            query_ids=query.reshape(-1),
            attacker_ids=attacker.reshape(-1),
            class_ids=torch.tensor([c for c, _ in chosen]),
            number=torch.tensor(index),
        )

    def distractors(self, episode: Episode, count: int) -> Distractors:
        """Queries for an episode that none of its classes can answer, on the CPU.

        They are drawn without replacement from all images of the split's other classes, by a stream
        of their own: the episode is the same with and without them. Under `disjoint` sampling an
        image may be another episode's too.

        Raises:
            ConfigError: the other classes have too few images.
        """
        inside = set(episode.class_ids.tolist())
        others = [self.dataset.class_rows[c] for c in self._classes if c not in inside]
        pool = torch.from_numpy(np.concatenate([*others, np.empty(0, dtype=np.int64)]))
        if len(pool) < count:
            raise ConfigError(
                f"{self.dataset.name}: {count} distractor queries asked for, but meta-"
                f"{self.protocol.split} has {len(pool)} images of classes outside an episode of "
                f"{self.protocol.ways} ways; lower aspects.distractors or protocol.ways"
            )
        draws = generator(self.seed, "distractors", self.protocol.split, int(episode.number))
        ids = pool[torch.randperm(len(pool), generator=draws)[:count]]
        return Distractors(self._inputs(ids), ids)

    def _fresh(self, index: int) -> list[tuple[int, Tensor]]:
        """Classes and their image rows, drawn for this episode alone."""
        draws = generator(self.seed, "episode", self.protocol.split, index)
        order = torch.randperm(len(self._classes), generator=draws)[: self.protocol.ways]
        chosen = []
        for c in (self._classes[place] for place in order.tolist()):
            rows = torch.from_numpy(self.dataset.class_rows[c])
            picked = torch.randperm(len(rows), generator=draws)[: self.protocol.images_per_class]
            chosen.append((c, rows[picked]))
        return chosen

    def _from_partition(self, turns: Sequence[Turn]) -> list[tuple[int, Tensor]]:
        """Classes and their image rows, from the fixed partition of all images."""
        need = self.protocol.images_per_class
        chosen = []
        for place, turn in turns:
            c = self._classes[place]
            rows = torch.from_numpy(self.dataset.class_rows[c])
            draws = generator(self.seed, "disjoint images", c)
            order = torch.randperm(len(rows), generator=draws)
            chosen.append((c, rows[order[turn * need : (turn + 1) * need]]))
        return chosen

    def _inputs(self, rows: Tensor) -> Tensor:
        return inputs_of(self.dataset, rows.reshape(-1))

    def _answers(self, rows: Tensor) -> Tensor:
        """Local labels, or the values of the episode's function."""
        if self.dataset.targets is None:
            ways, each = rows.shape
            return torch.arange(ways).repeat_interleave(each)
        return torch.from_numpy(self.dataset.targets[rows.reshape(-1).numpy()])

    def _describe(self) -> str:
        p = self.protocol
        parts = f"{p.shots} shots + {p.queries} queries + {p.attacker_queries} attacker's queries"
        return f"{p.ways} ways, {parts} per class, {p.replacement} sampling of meta-{p.split}"

    def _check(self) -> None:
        p, data = self.protocol, self.dataset
        if (p.ways == 1) != (data.task == "regression"):
            expected = "at least 2 classes" if p.ways == 1 else "1 function"
            raise ConfigError(
                f"protocol.ways: an episode of {data.name}, a {data.task}, has {expected}, got "
                f"{p.ways}"
            )
        if len(self._classes) < p.ways:
            raise DataError(
                f"{data.name}: meta-{p.split} has {len(self._classes)} classes, {p.ways}-way "
                "episodes need more; lower protocol.ways or choose another split"
            )
        small = [
            f"{data.class_names[c]!r} has {len(data.class_rows[c])}"
            for c in self._classes
            if len(data.class_rows[c]) < p.images_per_class
        ]
        if small:
            raise DataError(
                f"{data.name}: an episode needs {p.images_per_class} images per class "
                f"({p.shots} shots + {p.queries} queries + {p.attacker_queries} attacker's "
                f"queries), but of meta-{p.split} {three_of(small)}"
            )


def inputs_of(dataset: Dataset, rows: Tensor) -> Tensor:
    """The inputs of some rows [n] of a data set, float32 [n, *input] in [0, 1]."""
    return torch.from_numpy(dataset.inputs(rows.numpy()))

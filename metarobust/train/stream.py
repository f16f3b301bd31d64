"""The tasks of each iteration: what is handed to the engine, and the loss it minimises."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from metarobust.core.engine import stack_episodes
from metarobust.data.sampler import EpisodeSampler
from metarobust.learners.base import Learner
from metarobust.train.mixture import Mixture
from metarobust.train.ranks import Ranks


class Batch(NamedTuple):
    """Tasks of one iteration that share a loss.

    Attributes:
        tasks: a tree of tensors with a leading axis of tasks, on the CPU.
        loss: one task to its loss, a scalar.
        share: these tasks' part of the iteration, in (0, 1].
    """

    tasks: Any
    loss: Callable[[Any], Tensor]
    share: float


class TaskStream(Protocol):
    """An endless stream of tasks."""

    @property
    def module(self) -> nn.Module:
        """Holds the parameters to be trained: the learner, perhaps with a head thrown away."""
        ...

    def batches(self, iteration: int, ranks: Ranks) -> list[Batch]:
        """This process's tasks of one iteration, a pure function of its index.

        The shares of all processes sum to 1.
        """
        ...


@dataclass(frozen=True)
class Episodic:
    """Episodes of meta-train classes, each with the objective it draws.

    Attributes:
        learner: what is trained.
        sampler: the episodes.
        tasks: episodes of one iteration.
        mixture: the objectives.
    """

    learner: Learner
    sampler: EpisodeSampler
    tasks: int
    mixture: Mixture

    @property
    def module(self) -> Learner:
        """See `TaskStream.module`."""
        return self.learner

    def batches(self, iteration: int, ranks: Ranks) -> list[Batch]:
        """See `TaskStream.batches`: one batch for each objective that was drawn."""
        prepared: dict[int, list[Any]] = {}
        drawn = self.mixture.drawn(iteration, self.tasks)
        for task in ranks.own(self.tasks):
            place = drawn[task]
            episode = self.sampler[iteration * self.tasks + task]
            seed = self.mixture.task_seed(iteration, task)
            objective = self.mixture.objectives[place]
            prepared.setdefault(place, []).append(objective.prepare(episode, seed))
        return [
            Batch(
                stack_episodes(tasks),
                partial(self.mixture.objectives[place].loss, self.learner),
                len(tasks) / self.tasks,
            )
            for place, tasks in sorted(prepared.items())
        ]

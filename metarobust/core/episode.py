"""The episode: one N-way K-shot task, as tensors that travel together."""

from typing import NamedTuple

import torch
from torch import Tensor


class Episode(NamedTuple):
    """One few-shot task. A block of episodes is an `Episode` whose tensors have a leading axis E.

    Attributes:
        support_x: support inputs, float32 [S, *input] in [0, 1] (images: [S, C, H, W]).
        support_y: support labels, int64 [S] in [0, N); of a regression, values, float32 [S].
        query_x: scored queries, float32 [Q, *input] in [0, 1].
        query_y: labels of the scored queries, int64 [Q], or their values, float32 [Q].
        attacker_x: queries that only the attacker sees, [A, *input]; disjoint from `query_x`, so
            that a poisoned support set is scored on queries it was not optimised for. A may be 0.
        attacker_y: labels of the attacker's queries, int64 [A], or their values, float32 [A].
        support_ids: data-set row of each support image, int64 [S].
        query_ids: data-set row of each scored query, int64 [Q].
        attacker_ids: data-set row of each attacker's query, int64 [A].
        class_ids: global class of each local label, int64 [N]; of a regression, its function, [1].
        number: which episode of its stream this is (its index), int64 [].
    """

    support_x: Tensor
    support_y: Tensor
    query_x: Tensor
    query_y: Tensor
    attacker_x: Tensor
    attacker_y: Tensor
    support_ids: Tensor
    query_ids: Tensor
    attacker_ids: Tensor
    class_ids: Tensor
    number: Tensor

    @property
    def ways(self) -> int:
        """The number of classes N."""
        return self.class_ids.shape[-1]

    @property
    def support_classes(self) -> Tensor:
        """Local class of each support input, int64 [S]; 0, its one function, in a regression."""
        return self._classes(self.support_y)

    @property
    def query_classes(self) -> Tensor:
        """Local class of each scored query, int64 [Q]; 0, its one function, in a regression."""
        return self._classes(self.query_y)

    def _classes(self, answers: Tensor) -> Tensor:
        return torch.zeros_like(answers, dtype=torch.int64) if self.regression else answers

    @property
    def regression(self) -> bool:
        """Whether the task is to tell the value of a function, not a class."""
        return self.query_y.is_floating_point()

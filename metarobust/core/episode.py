"""The episode: one N-way K-shot task, as tensors that travel together."""

from typing import NamedTuple

from torch import Tensor


class Episode(NamedTuple):
    """One few-shot task. A block of episodes is an `Episode` whose tensors have a leading axis E.

    Attributes:
        support_x: support inputs, float32 [S, *input] in [0, 1] (images: [S, C, H, W]).
        support_y: support labels, int64 [S] in [0, N).
        query_x: scored queries, float32 [Q, *input] in [0, 1].
        query_y: labels of the scored queries, int64 [Q].
        attacker_x: queries that only the attacker sees, [A, *input]; disjoint from `query_x`, so
            that a poisoned support set is scored on queries it was not optimised for. A may be 0.
        attacker_y: labels of the attacker's queries, int64 [A].
        support_ids: data-set row of each support image, int64 [S].
        query_ids: data-set row of each scored query, int64 [Q].
        attacker_ids: data-set row of each attacker's query, int64 [A].
        class_ids: global class of each local label, int64 [N].
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

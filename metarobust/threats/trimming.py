"""Trimmed means of distances by class, and how many poisoned images they certifiably withstand."""

import math

import torch
from torch import Tensor


def ordered_by_class(distances: Tensor, members: Tensor) -> Tensor:
    """Distances of each query to the images of each class, ascending.

    Args:
        distances: of queries to support images [Q, S].
        members: which image belongs to which class, bool [S, N].

    Returns:
        [Q, N, S]: a class of K images has K finite entries, then infinities.
    """
    apart = torch.where(members.T, distances.unsqueeze(1), math.inf)
    return apart.sort(dim=2).values


def trimmed_mean(ordered: Tensor, counts: Tensor, trim: int) -> Tensor:
    """Mean of the distances left without the `trim` least and greatest (Wang et al. 2024, FCert).

    A class of few images loses fewer: one distance, or two, always remain.

    Args:
        ordered: see `ordered_by_class` [Q, N, S].
        counts: images of each class [N], at least 1.
        trim: K', distances dropped at each end.

    Returns:
        The robust distance of each query to each class [Q, N].

    >>> ordered = torch.tensor([[[1.0, 2.0, 9.0], [5.0, math.inf, math.inf]]])
    >>> trimmed_mean(ordered, torch.tensor([3, 1]), 1)
    tensor([[2., 5.]])
    """
    dropped = ((counts - 1) // 2).clamp(max=trim).unsqueeze(1)
    rank = torch.arange(ordered.shape[2], device=ordered.device)
    kept = (rank >= dropped) & (rank < counts.unsqueeze(1) - dropped)
    return torch.where(kept, ordered, 0).sum(2) / kept.sum(1)


def certified_poisoning(
    ordered: Tensor, counts: Tensor, trim: int, *, in_total: bool = False
) -> Tensor:
    """How many support images may be replaced by anything without changing a prediction.

    The class of the least trimmed mean is predicted. If t of a class's K images are replaced, its
    trimmed mean is at least that of t zeros and its K - t least distances, and at most that of its
    K - t greatest distances and t infinities (Wang et al. 2024, FCert). Both bounds are attained:
    with one image more, some attack changes the prediction or ties it. The embedding of an image
    must not depend on the others.

    Args:
        ordered: see `ordered_by_class` [Q, N, S].
        counts: images of each class [N], at least 1.
        trim: K' of `trimmed_mean`.
        in_total: count the images of all classes together; otherwise that many in every class.

    Returns:
        The largest certified number for each query, int64 [Q].
    """
    most = ordered.shape[2]
    zeros, infinities = torch.zeros_like(ordered), torch.full_like(ordered, math.inf)
    low, high = [], []
    for t in range(most + 1):
        raised = torch.cat([ordered[..., t:], infinities[..., :t]], dim=2)
        lowered = torch.cat([zeros[..., :t], ordered[..., : most - t]], dim=2)
        high.append(trimmed_mean(raised, counts, trim))
        low.append(trimmed_mean(lowered, counts, trim))
    predicted = high[0].argmin(1, keepdim=True)
    own = torch.stack([h.gather(1, predicted).squeeze(1) for h in high])
    rival = torch.stack([x.scatter(1, predicted, math.inf).amin(1) for x in low])

    def holds(t: int) -> Tensor:
        if not in_total:
            return own[t] < rival[t]
        return (own[: t + 1] < rival[: t + 1].flip(0)).all(0)

    return torch.stack([holds(t) for t in range(1, most + 1)]).long().cumprod(0).sum(0)

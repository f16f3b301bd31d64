"""What an attacker maximises: losses of logits, larger is worse for the learner."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

LossName = Literal["cross-entropy", "margin"]
Targets = Literal["untargeted", "shifted"]


def margin_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """max_{j != y} z_j - z_y for each row [n]: positive exactly where the prediction is wrong.

    The untargeted loss of Carlini & Wagner (2017), without its floor. It does not change when the
    logits are shifted, and scales with them, so its sign cannot saturate.

    >>> margin_loss(torch.tensor([[2.0, 0.5, 1.0]]), torch.tensor([0]))
    tensor([-1.])
    """
    truth = labels.unsqueeze(1)
    own = torch.arange(logits.shape[1], device=logits.device) == truth
    return logits.masked_fill(own, -torch.inf).amax(1) - logits.gather(1, truth).squeeze(1)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-log softmax(z)_y for each row [n], in nats.

    >>> cross_entropy(torch.zeros(1, 4), torch.tensor([2]))
    tensor([1.3863])
    """
    return F.cross_entropy(logits, labels, reduction="none")


LOSSES: dict[LossName, Callable[[Tensor, Tensor], Tensor]] = {
    "cross-entropy": cross_entropy,
    "margin": margin_loss,
}


def attack_loss(logits: Tensor, labels: Tensor, loss: LossName, targets: Targets) -> Tensor:
    """The loss an attacker climbs, [n].

    `untargeted` raises the loss of the true label; `shifted` lowers the loss of the label after it,
    (y + 1) mod N, as in the published support-poisoning experiments.
    """
    if targets == "untargeted":
        return LOSSES[loss](logits, labels)
    return -LOSSES[loss](logits, (labels + 1) % logits.shape[1])


def top_margin(logits: Tensor) -> Tensor:
    """The gap between the largest and the second largest logit of each row [n]."""
    best = logits.topk(2, dim=1).values
    return best[:, 0] - best[:, 1]

"""The scale of a learner's logits, which no attack's strength may depend on."""

import torch
from torch import Tensor

from metarobust.threats.losses import top_margin

TYPICAL_MARGIN = 5.0


def logit_scale(logits: Tensor) -> float:
    """The scalar T for which logits / T have a median top-two margin of 5 nats.

    Textbook prototypical networks have margins in the hundreds: float32 softmax saturates,
    cross-entropy gradients vanish and an attack reports robustness that is not there. Cosine heads
    err the other way. One scalar per learner mends both, and leaves every prediction alone.

    Args:
        logits: clean logits [n, N] of meta-validation queries.

    Returns:
        T > 0; 1 if the learner does not tell any two classes apart.
    """
    margin = float(top_margin(logits.double()).median())
    return margin / TYPICAL_MARGIN if margin > 0 else 1.0


def task_scale(logits: Tensor) -> Tensor:
    """The same of one task, from its own clean queries, as a tensor [].

    For learners whose scale is not known beforehand: weights that change from step to step in
    training, an attacker's surrogate.

    Args:
        logits: clean logits of the task's queries [Q, N].
    """
    margin = top_margin(logits).median()
    return torch.where(margin > 0, margin / TYPICAL_MARGIN, 1.0)

"""What an attacker maximises: losses of logits, larger is worse for the learner."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

LossName = Literal[
    "cross-entropy", "margin", "dlr", "targeted-margin", "targeted-dlr", "squared-error", "kl"
]
Targets = Literal["untargeted", "shifted"]

MOST_TARGETS = 9
"""How many wrong classes a targeted loss approaches, one after the other (Croce & Hein 2020)."""


FEWEST_WAYS: dict[LossName, int] = {"dlr": 3, "targeted-dlr": 4}
"""The difference of logits ratio divides by the gap to the third logit, or to the fourth."""


class Aim(NamedTuple):
    """One loss, ready to be climbed.

    Attributes:
        loss: which.
        rank: for a targeted loss, which wrong class it approaches: 1 is the likeliest at the clean
            point. 0 for an untargeted one.
    """

    loss: LossName
    rank: int = 0


def aims(losses: Sequence[LossName], ways: int, targets: Targets = "untargeted") -> tuple[Aim, ...]:
    """The losses to climb one after the other on a task of N ways.

    A targeted loss is climbed once for each of the min(N - 1, 9) likeliest wrong classes; once, if
    the targets are given. Below `FEWEST_WAYS` the margin, which it normalises, stands in for the
    difference of logits ratio; recipes that ask for it by name are refused there before.

    >>> aims(["cross-entropy", "targeted-dlr"], ways=3)[1:]
    (Aim(loss='targeted-margin', rank=1), Aim(loss='targeted-margin', rank=2))
    """
    found = []
    for loss in losses:
        if ways < FEWEST_WAYS.get(loss, 2):
            loss = "targeted-margin" if loss in TARGETED else "margin"
        if loss not in TARGETED:
            found.append(Aim(loss))
        else:
            count = min(ways - 1, MOST_TARGETS) if targets == "untargeted" else 1
            found += [Aim(loss, rank) for rank in range(1, count + 1)]
    return tuple(dict.fromkeys(found))


def margin_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """max_{j != y} z_j - z_y for each row [n]: positive exactly where the prediction is wrong.

    The untargeted loss of Carlini & Wagner (2017), without its floor. It does not change when the
    logits are shifted, and scales with them, so its sign cannot saturate.

    >>> margin_loss(torch.tensor([[2.0, 0.5, 1.0]]), torch.tensor([0]))
    tensor([-1.])
    """
    return _wrong_only(logits, labels).amax(1) - _pick(logits, labels)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-log softmax(z)_y for each row [n], in nats.

    >>> cross_entropy(torch.zeros(1, 4), torch.tensor([2]))
    tensor([1.3863])
    """
    return F.cross_entropy(logits, labels, reduction="none")


def dlr_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The difference of logits ratio for each row [n], -1 or more (Croce & Hein 2020, eq. 6).

    -(z_y - max_{j != y} z_j) / (z_1 - z_3), with z_1 >= z_2 >= z_3 the sorted logits. It changes
    neither when the logits are shifted nor when they are scaled.

    Args:
        logits: [n, N] with N of 3 or more.
        labels: [n].

    >>> dlr_loss(torch.tensor([[2.0, 0.0, 1.0]]), torch.tensor([0]))
    tensor([-0.5000])
    """
    ordered = logits.topk(3, dim=1).values
    return margin_loss(logits, labels) / (ordered[:, 0] - ordered[:, 2] + _NO_DIVISION_BY_ZERO)


def targeted_margin_loss(logits: Tensor, labels: Tensor, goals: Tensor) -> Tensor:
    """z_t - z_y for each row [n]: towards the label `goals`.

    >>> targeted_margin_loss(torch.tensor([[2.0, 0.5, 1.0]]), torch.tensor([0]), torch.tensor([1]))
    tensor([-1.5000])
    """
    return _pick(logits, goals) - _pick(logits, labels)


def targeted_dlr_loss(logits: Tensor, labels: Tensor, goals: Tensor) -> Tensor:
    """The targeted difference of logits ratio for each row [n] (Croce & Hein 2020, equation 7).

    -(z_y - z_t) / (z_1 - (z_3 + z_4) / 2), for logits [n, N] with N of 4 or more.

    >>> z = torch.tensor([[4.0, 2.0, 1.0, 1.0]])
    >>> targeted_dlr_loss(z, torch.tensor([0]), torch.tensor([2]))
    tensor([-1.])
    """
    ordered = logits.topk(4, dim=1).values
    gap = ordered[:, 0] - (ordered[:, 2] + ordered[:, 3]) / 2
    return targeted_margin_loss(logits, labels, goals) / (gap + _NO_DIVISION_BY_ZERO)


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """(mean - y)^2 for each row [n] of a regression's outputs [n, 1 or 2], whose first is the mean.

    >>> squared_error(torch.tensor([[2.0, 0.1]]), torch.tensor([0.5]))
    tensor([2.2500])
    """
    return (outputs[:, 0] - targets).square()


def divergence(logits: Tensor, clean: Tensor) -> Tensor:
    """KL(p_clean || p) of each row's softmax [n], in nats: what TRADES climbs (Zhang et al. 2019).

    It needs no labels. At the clean point it is zero and so is its gradient: start elsewhere.

    >>> divergence(torch.zeros(1, 2), torch.tensor([[0.0, math.log(3)]]))
    tensor([0.1308])
    """
    p, q = clean.log_softmax(1), logits.log_softmax(1)
    return F.kl_div(q, p, reduction="none", log_target=True).sum(1)


UNTARGETED: dict[LossName, Callable[[Tensor, Tensor], Tensor]] = {
    "cross-entropy": cross_entropy,
    "margin": margin_loss,
    "dlr": dlr_loss,
}

TARGETED: dict[LossName, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "targeted-margin": targeted_margin_loss,
    "targeted-dlr": targeted_dlr_loss,
}

_NO_DIVISION_BY_ZERO = 1e-12


def attack_loss(
    logits: Tensor,
    labels: Tensor,
    aim: Aim,
    targets: Targets,
    clean: Tensor,
) -> Tensor:
    """The loss an attacker climbs, [n].

    `untargeted` raises the loss of the true label; `shifted` lowers the loss of the label after it,
    (y + 1) mod N, as in the published support-poisoning experiments. A targeted loss approaches
    that label too, or if untargeted the wrong class of its rank among the clean logits.

    Args:
        logits: [n, N].
        labels: [n].
        aim: the loss.
        targets: see above.
        clean: logits of the clean point [n, N]; only a targeted loss looks at them.
    """
    following = (labels + 1) % logits.shape[1]
    if aim.loss in UNTARGETED:
        loss = UNTARGETED[aim.loss]
        return loss(logits, labels) if targets == "untargeted" else -loss(logits, following)
    goals = following
    if targets == "untargeted":
        likeliest = _wrong_only(clean, labels)
        goals = likeliest.argsort(1, descending=True)[:, aim.rank - 1]
    return TARGETED[aim.loss](logits, labels, goals)


def surely_wrong(aim: Aim, targets: Targets, ways: int) -> float:
    """The value of an attack's loss above which a query is misclassified for certain.

    Margins and DLR cross 0 with the prediction. A cross-entropy above log N leaves the true label
    less than 1/N, so that another has more; one towards a given label of less than log 2 leaves
    that label more than half.

    >>> surely_wrong(Aim("margin"), "untargeted", ways=5)
    0.0
    """
    if aim.loss != "cross-entropy":
        return 0.0
    return math.log(ways) if targets == "untargeted" else -math.log(2)


def top_margin(logits: Tensor) -> Tensor:
    """The gap between the largest and the second largest logit of each row [n]."""
    best = logits.topk(2, dim=1).values
    return best[:, 0] - best[:, 1]


def _wrong_only(logits: Tensor, labels: Tensor) -> Tensor:
    own = torch.arange(logits.shape[1], device=logits.device) == labels.unsqueeze(1)
    return logits.masked_fill(own, -torch.inf)


def _pick(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.gather(1, labels.unsqueeze(1)).squeeze(1)

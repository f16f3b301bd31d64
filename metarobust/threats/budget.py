"""How much a threat may do."""

from dataclasses import dataclass

from metarobust.threats.ball import Norm
from metarobust.threats.losses import LossName, Targets


@dataclass(frozen=True)
class Budget:
    """The budget of a perturbation attack.

    Attributes:
        norm: norm of one image's perturbation.
        eps: its bound, in [0, 1] pixel units before any normalisation.
        steps: gradient steps of each restart.
        restarts: independent starts; the worst point of all is kept.
        step_size: length of a step, as a fraction of eps.
        losses: each gets all the restarts; the worst point of all is kept.
        targets: whether the true label is left, or a given wrong one approached.
    """

    norm: Norm
    eps: float
    steps: int = 20
    restarts: int = 1
    step_size: float = 0.25
    losses: tuple[LossName, ...] = ("cross-entropy", "margin")
    targets: Targets = "untargeted"

"""First-order MAML, under the name it has in the literature."""

from torch import nn

from metarobust.core.normalisation import NormMode
from metarobust.learners.base import LEARNERS
from metarobust.learners.maml import MAML


@LEARNERS.register("fomaml")
class FOMAML(MAML):
    """MAML trained without second derivatives (Finn, Abbeel & Levine 2017, section 5.2).

    Args:
        backbone: the embedding network.
        ways: see `MAML`.
        inner_steps: see `MAML`.
        inner_rate: see `MAML`.
        norm_mode: see `Learner`.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        ways: int = 5,
        inner_steps: int = 5,
        inner_rate: float = 0.1,
        norm_mode: NormMode | None = None,
    ) -> None:
        super().__init__(
            backbone,
            ways=ways,
            inner_steps=inner_steps,
            inner_rate=inner_rate,
            first_order=True,
            norm_mode=norm_mode,
        )

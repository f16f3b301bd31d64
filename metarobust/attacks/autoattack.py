"""The ensemble a robustness claim should survive: AutoAttack's recipe on adapted classifiers."""

from dataclasses import dataclass, replace
from typing import ClassVar

from metarobust.attacks.apgd import APGD
from metarobust.attacks.apgd_l1 import APGDL1
from metarobust.attacks.base import ENGINES, Engine
from metarobust.attacks.fmn import FMN
from metarobust.attacks.square import Square
from metarobust.core.errors import ConfigError
from metarobust.threats.ball import Norm
from metarobust.threats.budget import Budget


@ENGINES.register("episode-autoattack")
@dataclass(frozen=True)
class EpisodeAutoAttack:
    """Up to four attacks in the order of AutoAttack (Croce & Hein, ICML 2020, section 5).

    APGD on cross-entropy; APGD on the targeted difference of logits ratio, towards each of the
    min(N - 1, 9) likeliest wrong classes; a minimum-norm attack, untargeted and towards the same
    classes; Square with 5,000 queries on the unstretched schedule. It differs from AutoAttack in
    its minimum-norm member, FMN in place of FAB-T; so its numbers are not AutoAttack's, and are
    not called so. The gradient members take `budget.steps` steps (published: 100). For l1, Auto-PGD
    is that of Croce & Hein (ICML 2021), and the last member, which has no l1 form, is left out.

    Attributes:
        cascade: leave out the queries that an earlier member broke; see `Ensemble`.
        square_queries: queries of the last member; 0 leaves it out.
    """

    cascade: bool = True
    square_queries: int = 5000

    version: ClassVar[int] = 1
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2", "l1")
    adversarial: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.square_queries < 0:
            raise ConfigError(
                f"episode-autoattack: expected square_queries of 0 or more, got "
                f"{self.square_queries}"
            )

    def members(self, budget: Budget) -> tuple[tuple[Engine, Budget], ...]:
        """See `Ensemble.members`."""
        ascent = APGDL1() if budget.norm == "l1" else APGD()
        found: tuple[tuple[Engine, Budget], ...] = (
            (ascent, replace(budget, losses=("cross-entropy",))),
            (ascent, replace(budget, losses=("targeted-dlr",))),
            (FMN(), replace(budget, losses=("margin", "targeted-margin"), restarts=1)),
        )
        if self.square_queries and budget.norm in Square.norms:
            share = replace(budget, losses=("margin",), restarts=1, steps=self.square_queries)
            found += ((Square(rescale=False), share),)
        return found

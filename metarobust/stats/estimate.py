"""An estimate: a number with its interval, or the reason why there is none."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A score with its confidence interval; a missing one is None with a reason, never 0 or NaN.

    Attributes:
        value: the point estimate, or None.
        low: lower end of the interval, or None.
        high: upper end of the interval, or None.
        reason: why the value or its interval is missing; empty when both are there.
        method: how the interval was made, e.g. `t, by episode` or `bootstrap, by episode`.

    Raises:
        ValueError: a number is NaN or infinite.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    method: str = ""

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(
                    f"{name}: expected a finite number, got {number}; a missing one is None and "
                    "says why in `reason`"
                )

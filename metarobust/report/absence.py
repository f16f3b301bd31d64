"""Why values of a table, or their intervals, are missing: each reason once."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from metarobust.report.text import listed
from metarobust.stats.estimate import Estimate

_MOST_NAMES = 6


@dataclass(frozen=True)
class Absence:
    """A reason for which values or intervals are missing.

    Attributes:
        reason: why, as the first of the values says it; others may differ in its numbers.
        names: the cells or columns that lack something, each once.
        count: how many values or intervals are missing.
    """

    reason: str
    names: tuple[str, ...]
    count: int

    @property
    def words(self) -> str:
        """What lacks something, and how often.

        >>> Absence("no groups", ("ece", "nll"), 4).words
        'ece and nll (4 times)'
        """
        names = list(self.names[:_MOST_NAMES])
        if rest := len(self.names) - len(names):
            names.append(f"{rest} more")
        return f"{listed(names)} ({'once' if self.count == 1 else f'{self.count} times'})"


def absences(values: Iterable[tuple[str, Estimate]]) -> tuple[Absence, ...]:
    """The reasons of what is missing among named values, the most frequent first.

    An interval is missing where a value without one says why. Reasons that differ only in their
    numbers are one.

    >>> one, two = (Estimate(None, reason=f"only {count} episodes") for count in (3, 4))
    >>> found = absences([("clean", one), ("pgd", two), ("fgsm", Estimate(0.5))])
    >>> [absence.words for absence in found]
    ['clean and pgd (2 times)']
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for name, estimate in values:
        if estimate.low is None and estimate.reason:
            alike = re.sub(r"\d[\d.]*(e[+-]?\d+)?", "#", estimate.reason)
            found.setdefault(alike, []).append((estimate.reason, name))
    return tuple(
        Absence(group[0][0], tuple(dict.fromkeys(name for _, name in group)), len(group))
        for group in sorted(found.values(), key=len, reverse=True)
    )

"""The values that a comparison pairs: of every method, on the episodes that all methods share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from metarobust.audit.contest import SharedThreat
from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import FloatArray, Measure, at_episodes, paired_values
from metarobust.audit.methods import Method

SEVERITY_OF = ("error", "incomplete", "suspect", "ok")


@dataclass(frozen=True)
class Sample:
    """What each method scored on the episodes that all share.

    Attributes:
        values: of each method, [seeds, E]; None where one has none.
        reasons: why it has none; empty where it has.
        statuses: the worst verdict among its cells.
        numbers: of the shared episodes, [E].
    """

    values: tuple[npt.NDArray[np.float64] | None, ...]
    reasons: tuple[str, ...]
    statuses: tuple[str, ...]
    numbers: npt.NDArray[np.int64]


def sample(methods: Sequence[Method], threat: SharedThreat, measure: Measure) -> Sample:
    """What each method scores under a threat, episode by episode."""
    cells = [[member.cells[threat.label] for member in method.members] for method in methods]
    scored = [
        [_values(cell, member.run, measure) for cell, member in zip(own, m.members, strict=True)]
        for own, m in zip(cells, methods, strict=True)
    ]
    reasons = [next((x for x in own if isinstance(x, str)), "") for own in scored]
    known = [cell for own, why in zip(cells, reasons, strict=True) for cell in own if not why]
    empty = np.empty(0, dtype=np.int64)
    numbers = reduce(np.intersect1d, [cell.arrays["number"] for cell in known]) if known else empty
    return Sample(
        values=tuple(
            None
            if why
            else np.stack(
                [
                    at_episodes(values, cell, numbers)
                    for values, cell in zip(found, own, strict=True)
                    if not isinstance(values, str)
                ]
            )
            for found, own, why in zip(scored, cells, reasons, strict=True)
        ),
        reasons=tuple(reasons),
        statuses=tuple(
            worst(member.statuses[threat.label] for member in method.members) for method in methods
        ),
        numbers=numbers,
    )


def _values(cell: CellEvidence, run: str, measure: Measure) -> FloatArray | str:
    """The measure of each evaluated episode, [E], or why it cannot be had."""
    if not cell.episodes:
        return ": ".join(("no episode was evaluated", *cell.failures[:1])) + f" in {run}"
    try:
        return paired_values(measure, cell)
    except ValueError as problem:
        return f"{problem} in {run}"


def worst(statuses: Iterable[str]) -> str:
    """The verdict that weighs most."""
    return min(statuses, key=SEVERITY_OF.index)


def average(samples: Sequence[Sample]) -> Sample:
    """The mean over several threats, episode by episode, on the episodes common to all."""
    numbers = reduce(np.intersect1d, [sample.numbers for sample in samples])
    kept = [np.isin(sample.numbers, numbers) for sample in samples]
    values: list[npt.NDArray[np.float64] | None] = []
    for method in range(len(samples[0].values)):
        own = [sample.values[method] for sample in samples]
        parts = [x[:, keep] for x, keep in zip(own, kept, strict=True) if x is not None]
        values.append(np.mean(parts, axis=0) if len(parts) == len(own) else None)
    return Sample(
        values=tuple(values),
        reasons=tuple(
            next(filter(None, whys), "") for whys in zip(*(s.reasons for s in samples), strict=True)
        ),
        statuses=tuple(map(worst, zip(*(s.statuses for s in samples), strict=True))),
        numbers=numbers,
    )

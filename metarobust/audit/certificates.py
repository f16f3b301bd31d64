"""Certified accuracy beside what attacks of the same budget leave, from the evidence alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from metarobust.audit.scores import CellScores
from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import t_interval

Kind = Literal["poison", "radius"]

RADII_IN_SIGMA = (0.5, 1.0, 1.5, 2.0)


@dataclass(frozen=True)
class CertifiedPoint:
    """One budget of a certificate.

    Attributes:
        level: poisoned images of every class, or an l2 radius in pixel units of [0, 1].
        certified: share of queries that are right and provably stay so; no attack can leave less
            of the certified classifier.
        empirical: the least accuracy that an attack of this budget, or a smaller one, left the
            plain learner; None where there was none.
        threat: that attack's label; empty where there was none.
    """

    level: float
    certified: Estimate
    empirical: Estimate
    threat: str


@dataclass(frozen=True)
class Certificate:
    """The certified accuracy of one learner over budgets.

    Attributes:
        learner: its label.
        kind: `poison` (support images replaced by anything) or `radius` (queries moved in l2). The
            second is of the learner smoothed by noise, which is another classifier than the one
            that attacks were tried on.
        cell: key of the cell that holds it.
        threat: label of that cell's threat.
        sigma: standard deviation of the noise, for a radius.
        points: in order of level.
    """

    learner: str
    kind: Kind
    cell: str
    threat: str
    sigma: float | None
    points: tuple[CertifiedPoint, ...]


def certificates(scored: Sequence[CellScores]) -> tuple[Certificate, ...]:
    """Every certificate of a run, in the order of its cells."""
    kinds: tuple[Kind, ...] = ("poison", "radius")
    return tuple(
        _certificate(cell, kind, scored)
        for cell in scored
        for kind in kinds
        if f"certified_{kind}" in cell.evidence.arrays
    )


def certified_accuracy(cell: CellScores, kind: Kind, level: float) -> Estimate:
    """Share of queries that are right and certified at a level, with its interval by episode.

    A radius certifies what lies strictly inside it.
    """
    values = cell.evidence.arrays[f"certified_{kind}"]
    holds = values >= level if kind == "poison" else values > level
    return t_interval(holds.mean(axis=1), bounds=(0, 1))


def _certificate(cell: CellScores, kind: Kind, scored: Sequence[CellScores]) -> Certificate:
    about = cell.evidence.description
    tried = [(_level(other, kind), other) for other in _plain(cell, scored)]
    attacks = [(level, other) for level, other in tried if level is not None]
    sigma = about["threat"]["options"]["sigma"] if kind == "radius" else None
    if sigma is None:
        most = int(cell.evidence.arrays["certified_poison"].max())
        levels = {0.0, *map(float, range(1, max(most, 0) + 2))}
    else:
        levels = {0.0, *(sigma * share for share in RADII_IN_SIGMA)}
        levels |= {level for level, _ in attacks}
    return Certificate(
        learner=about["learner"]["label"],
        kind=kind,
        cell=cell.evidence.key,
        threat=about["threat"]["label"],
        sigma=sigma,
        points=tuple(_point(cell, kind, level, attacks) for level in sorted(levels)),
    )


def _plain(cell: CellScores, scored: Sequence[CellScores]) -> Iterable[CellScores]:
    """The cells of the same learner that are of the learner itself, not of a smoothed one."""
    label = cell.evidence.description["learner"]["label"]
    return (
        other
        for other in scored
        if other.evidence.description["learner"]["label"] == label
        and other.evidence.description["threat"]["family"] != "certificate"
        and other.evidence.episodes
    )


def _level(cell: CellScores, kind: Kind) -> float | None:
    """The budget of a threat in a certificate's unit; None where it is none of its threats."""
    threat, shots = cell.evidence.description["threat"], _shots(cell)
    if threat["family"] == "clean":
        return 0.0
    if kind == "radius":
        inside = threat["surface"] == "query" and threat["norm"] == "l2"
        return float(threat["eps"]) if inside else None
    if threat["surface"] != "support" or threat["eps"] is None or shots is None:
        return None
    return float(max(1, round((threat["shot_fraction"] or 1.0) * shots)))


def _shots(cell: CellScores) -> int | None:
    shots = cell.evidence.description.get("protocol", {}).get("shots")
    return None if shots is None else int(shots)


def _point(
    cell: CellScores, kind: Kind, level: float, attacks: Sequence[tuple[float, CellScores]]
) -> CertifiedPoint:
    reach = [other for budget, other in attacks if budget <= level]
    reach = [other for other in reach if other.scores["accuracy"].value is not None]
    worst = min(reach, key=lambda other: other.scores["accuracy"].value or 0.0, default=None)
    certified = certified_accuracy(cell, kind, level)
    if worst is None:
        missing = Estimate(None, reason="no attack of this budget was tried")
        return CertifiedPoint(level, certified, missing, "")
    label = worst.evidence.description["threat"]["label"]
    return CertifiedPoint(level, certified, worst.scores["accuracy"], label)

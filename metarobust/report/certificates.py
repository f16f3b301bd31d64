"""Certificates as a report shows them: what is proven beside what attacks left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metarobust.audit.certificates import Certificate, certificates
from metarobust.audit.scores import CellScores
from metarobust.report.fields import show_estimate
from metarobust.report.text import percent, plain
from metarobust.stats.estimate import Estimate

HEADINGS = ("Budget", "Certified", "Least accuracy attacked", "Attack")


@dataclass(frozen=True)
class CertificateTable:
    """One certificate of one learner, as texts.

    Attributes:
        certificate: its numbers.
        title: the learner and what is certified.
        sentence: what the certificate says, and of which classifier.
        headings: of its columns.
        rows: texts in these columns.
    """

    certificate: Certificate
    title: str
    sentence: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def build_certificates(scored: Sequence[CellScores]) -> tuple[CertificateTable, ...]:
    """One table per certificate, in the order of the cells."""
    return tuple(_table(one) for one in certificates(scored))


def certified_by_row(tables: Sequence[CertificateTable]) -> Mapping[str, Mapping[str, Estimate]]:
    """What is certified at the budget of each attack: learner, then label of the attack."""
    found: dict[str, dict[str, Estimate]] = {}
    for table in tables:
        one = table.certificate
        own = found.setdefault(one.learner, {})
        for point in one.points:
            if point.threat:
                own.setdefault(plain(point.threat, 80), point.certified)
    return found


def _table(one: Certificate) -> CertificateTable:
    learner = plain(one.learner, 80)
    rows = tuple(
        (
            _budget(one, point.level),
            show_estimate(point.certified, "share"),
            show_estimate(point.empirical, "share")
            if point.empirical.value is not None
            else plain(point.empirical.reason),
            plain(point.threat, 80) or "—",
        )
        for point in one.points
    )
    first = one.points[0].certified.value or 0.0
    if one.kind == "poison":
        title = f"{learner}: poisoned support images"
        second = one.points[1].certified.value or 0.0
        words = (
            f"{percent(first)} of queries are right; {percent(second)} provably stay right "
            "whatever one image of every class is replaced by. No attack can leave less than the "
            "certified share."
        )
    else:
        title = f"{learner}, smoothed with noise of {one.sigma:.3g}: moved queries"
        words = (
            f"Under noise of standard deviation {one.sigma:.3g} the smoothed classifier is right, "
            f"and certified at some radius, on {percent(first)} of queries. The attacks beside it "
            "were made on the plain learner, which is another classifier and may fare worse."
        )
    return CertificateTable(one, title, words, HEADINGS, rows)


def _budget(one: Certificate, level: float) -> str:
    if one.kind == "poison":
        return f"{level:.0f} of every class"
    return f"l2 radius {level:.4g}"

"""The report as one frozen object: every format renders it, and none computes a number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metarobust.audit.checks import Verdict
from metarobust.audit.gates import GateResult
from metarobust.audit.methods import is_yardstick
from metarobust.audit.scores import CellScores
from metarobust.report.adaptation import AdaptationPanel, build_adaptation
from metarobust.report.aspects import AspectTable, build_aspects
from metarobust.report.certificates import CertificateTable, build_certificates
from metarobust.report.curves import CurvePanel, build_curves
from metarobust.report.fits import FitPicture, build_fits
from metarobust.report.gates import GateRow, build_gates, gates_sentence
from metarobust.report.headline import Scorecard, build_scorecards, build_verdict
from metarobust.report.heat_maps import HeatMap, build_heat_maps, in_heat_map
from metarobust.report.learners import LearnerRow, build_learner_rows
from metarobust.report.pictures import EpisodePicture, build_pictures
from metarobust.report.provenance import (
    Facts,
    ThreatNote,
    protocol_facts,
    provenance_facts,
    shell_words,
    stopping_sentence,
    threat_notes,
)
from metarobust.report.regression import is_regression, regression_verdict
from metarobust.report.reliability import ReliabilityPanel, build_reliability
from metarobust.report.risk_coverage import RiskPanel, build_risk_panels
from metarobust.report.rows import Row, build_rows
from metarobust.report.text import listed, plain, plain_tree

STATUSES = ("ok", "suspect", "incomplete", "error")


@dataclass(frozen=True, eq=False)
class ReportModel:
    """Everything a report says.

    Attributes:
        name: the run's name.
        subtitle: data set, protocol and size of the audit in one line.
        status: the run's status from its manifest (`complete`, `interrupted`, ...).
        limited: whether the run was cut short on purpose with `--episodes`.
        stopped: `half-width` or `episodes` where the run was to stop at a precision; else empty.
        stopping: what that means for the numbers; else empty.
        verdict: the answer of the audit in one sentence.
        trust: how many numbers passed their checks, in one sentence.
        warnings: what a reader must know before quoting any number.
        gates: what became of each gate; empty where the audit has none.
        gates_sentence: how the gates ended, in one sentence.
        scorecards: one per learner; none for regressions, which have no accuracy.
        rows: one per cell, failed ones included.
        learners: scores that take several cells of one learner.
        curves: accuracy, or the error of regressions, against eps, severity and wrong labels.
        heat_maps: accuracy by corruption and severity, where there are many.
        adaptation: scores against inner steps and against shots, where the audit has such curves.
        aspects: what was measured beyond accuracy and confidence.
        reliability: one panel per learner.
        risk: errors against the share of queries answered, one panel per learner.
        pictures: attacked episodes of images.
        fits: attacked episodes of regressions.
        certificates: what is proven, beside what attacks left; empty where nothing is.
        counts: cells by status, in the order of `STATUSES`.
        protocol: terms of the protocol with their values.
        threats: one note per recipe.
        provenance: how the run was made.
        command: the command line that repeats the run; empty if unknown.
        versions: software versions by package.
        finished: when the run ended, ISO 8601; empty if unknown.
    """

    name: str
    subtitle: str
    status: str
    limited: bool
    stopped: str
    stopping: str
    verdict: str
    trust: str
    warnings: tuple[str, ...]
    gates: tuple[GateRow, ...]
    gates_sentence: str
    scorecards: tuple[Scorecard, ...]
    rows: tuple[Row, ...]
    learners: tuple[LearnerRow, ...]
    curves: tuple[CurvePanel, ...]
    heat_maps: tuple[HeatMap, ...]
    adaptation: tuple[AdaptationPanel, ...]
    aspects: tuple[AspectTable, ...]
    reliability: tuple[ReliabilityPanel, ...]
    risk: tuple[RiskPanel, ...]
    pictures: tuple[EpisodePicture, ...]
    fits: tuple[FitPicture, ...]
    certificates: tuple[CertificateTable, ...]
    counts: Mapping[str, int]
    protocol: Facts
    threats: tuple[ThreatNote, ...]
    provenance: Facts
    command: str
    versions: Mapping[str, str]
    finished: str


def build_report(
    manifest: Mapping[str, Any],
    scored: Sequence[CellScores],
    verdicts: Mapping[str, Verdict],
    gates: Sequence[GateResult] = (),
    curves: Sequence[CellScores] = (),
) -> ReportModel:
    """The report of a run.

    Args:
        manifest: the run's `manifest.json`; facts that it lacks are shown as unknown.
        scored: every cell of the plan, in table order, finished or not.
        verdicts: the verdict of every cell by its key.
        gates: the gates as they were judged on these cells.
        curves: the cells of adaptation curves.

    Raises:
        KeyError: a cell has no verdict.
    """
    about = plain_tree(manifest)
    descriptions = [plain_tree(cell.evidence.description) for cell in scored]
    rows = build_rows(scored, verdicts)
    regression = is_regression(rows)
    named = () if regression else rows
    learners = {r.learner: d.get("learner", {}) for r, d in zip(rows, descriptions, strict=True)}
    cards = build_scorecards(named, [x for x, facts in learners.items() if is_yardstick(facts)])
    counts = {status: sum(row.status == status for row in rows) for status in STATUSES}
    protocol = protocol_facts(descriptions, rows)
    judged, heat_maps = build_gates(gates), build_heat_maps(rows)
    return ReportModel(
        name=plain(about.get("name") or "unnamed run", 80),
        subtitle=_subtitle(dict(protocol), rows),
        status=about.get("status") or "unknown",
        limited=bool(about.get("limited")),
        stopped=about.get("stopped") or "",
        stopping=stopping_sentence(about),
        verdict=regression_verdict(rows) if regression else build_verdict(cards),
        trust=trust_sentence(counts),
        warnings=_warnings(about, rows),
        gates=judged,
        gates_sentence=gates_sentence(judged),
        scorecards=cards,
        rows=rows,
        learners=() if regression else build_learner_rows(scored),
        curves=build_curves([row for row in rows if not in_heat_map(row, heat_maps)]),
        heat_maps=heat_maps,
        adaptation=build_adaptation(scored, curves, verdicts),
        aspects=() if regression else build_aspects(rows, scored),
        reliability=build_reliability(rows, scored),
        risk=build_risk_panels(named, scored),
        pictures=build_pictures(rows, scored),
        fits=build_fits(rows, scored),
        certificates=build_certificates(scored),
        counts=counts,
        protocol=protocol,
        threats=threat_notes(rows),
        provenance=provenance_facts(about, descriptions),
        command=shell_words(about.get("command") or ()),
        versions={name: str(v) for name, v in sorted((about.get("versions") or {}).items())},
        finished=str(about.get("finished") or ""),
    )


def _subtitle(protocol: Mapping[str, str], rows: Sequence[Row]) -> str:
    learners, cells = len({row.learner for row in rows}), len(rows)
    planned = {row.expected for row in rows}
    each = f" of {min(planned)} episodes" if len(planned) == 1 else ""
    parts = [
        protocol.get("Data set"),
        protocol.get("Episode"),
        f"{learners} learner{'s' * (learners != 1)}",
        f"{cells} cell{'s' * (cells != 1)}{each}",
    ]
    return " · ".join(part for part in parts if part)


def trust_sentence(counts: Mapping[str, int]) -> str:
    """How many of the cells passed their checks, from their counts by status."""
    total = sum(counts.values())
    words = {"suspect": "suspect", "incomplete": "incomplete", "error": "failed"}
    rest = [f"{counts[status]} {word}" for status, word in words.items() if counts[status]]
    if not total:
        return "There are no numbers to check."
    if not rest:
        return f"All {total} cells passed every sanity check."
    return f"{counts['ok']} of {total} cells passed every sanity check; {listed(rest)}."


def _warnings(manifest: Mapping[str, Any], rows: Sequence[Row]) -> tuple[str, ...]:
    found = []
    if manifest.get("limited"):
        most = max((row.expected for row in rows), default=0)
        found.append(f"Limited run: {most} episodes per cell. A trial, not a measurement.")
    if manifest.get("status") != "complete":
        status = manifest.get("status") or "of unknown status"
        found.append(f"This run is {status}: some numbers may be missing.")
    found += filter(None, [stopping_sentence(manifest)])
    leaking = list(dict.fromkeys(row.learner for row in rows if row.norm_mode == "batch"))
    if leaking:
        found.append(
            f"{listed(leaking)}: normalised with statistics of the queries (transductive). "
            "Do not compare these numbers with inductive ones."
        )
    return tuple(found)

"""The rows of a report: every cell with its budget, its scores and its verdict."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from metarobust.audit.checks import CheckResult, Verdict
from metarobust.audit.evidence import CellEvidence
from metarobust.audit.kinds import Kind, kind_of
from metarobust.audit.measure import Measure
from metarobust.audit.regression_scores import MSE
from metarobust.audit.score_accuracy import ACCURACY
from metarobust.audit.scores import CellScores
from metarobust.report.fields import SCORES
from metarobust.report.text import budget_size, percent, plain
from metarobust.stats.estimate import Estimate


@dataclass(frozen=True)
class Budget:
    """How much a threat may do, and where; None where a fact does not apply to the threat.

    The fields are those of a recipe; `step_size` is a fraction of `eps`.
    """

    engine: str | None
    surface: str | None
    knowledge: str | None
    norm: str | None
    eps: float | None
    steps: int | None
    step_size: float | None
    restarts: int | None
    loss: str | None
    targets: str | None
    first_order: bool | None
    severity: int | None
    table: str | None
    fraction: float | None
    shot_fraction: float | None
    class_fraction: float | None

    @property
    def text(self) -> str:
        """The budget in one line of words, empty for a clean cell."""
        parts = []
        if self.eps is not None:
            parts.append(budget_size(self.norm, self.eps))
        if self.severity is not None:
            source = f" ({self.table})" if self.table else ""
            parts.append(f"severity {self.severity} of 5{source}")
        if self.fraction is not None:
            what = "labels" if "label" in (self.engine or "") else "images"
            parts.append(f"{percent(self.fraction, 0)} of the support {what}")
        if self.steps:
            length = f" of {self.step_size:.3g} ε" if self.step_size and self.steps > 1 else ""
            parts.append(f"{self.steps} step{'s' * (self.steps > 1)}{length}")
        if self.restarts:
            parts.append(f"{self.restarts} restart{'s' * (self.restarts > 1)}")
        if self.shot_fraction not in (None, 1.0):
            parts.append(f"{percent(self.shot_fraction or 0, 0)} of the shots")
        if self.class_fraction not in (None, 1.0):
            parts.append(f"{percent(self.class_fraction or 0, 0)} of the classes")
        if self.targets not in (None, "untargeted"):
            parts.append(f"{self.targets} targets")
        if self.first_order:
            parts.append("first order")
        return ", ".join(parts)


@dataclass(frozen=True)
class Effort:
    """What an attack spent; None where it left no record.

    Attributes:
        budget_used: largest perturbation norm of any image.
        changed: mean share of the surface's images that changed.
        gradient_calls: gradients computed, over all episodes.
        zero_gradients: mean share of gradients that were exactly zero.
    """

    budget_used: float | None
    changed: float | None
    gradient_calls: int | None
    zero_gradients: float | None


@dataclass(frozen=True)
class Row:
    """One cell as every format shows it.

    Attributes:
        key: the digest of everything that decides the cell's numbers.
        learner: the learner's label.
        norm_mode: whose statistics its normalisation used.
        threat: the threat's label, unique within the audit: the recipe's name and its budget.
        name: the recipe's name.
        summary: what the threat does, in a sentence.
        notes: what a reader of its numbers should know.
        citation: where it was published.
        kind: the column of the scorecard it belongs to.
        budget: what the threat may do.
        dataset: the data set's name.
        protocol: the protocol in a few words.
        ways: the number of classes N of an episode, or None if unknown.
        episodes: episodes evaluated.
        expected: episodes planned.
        scores: an estimate for every key of `SCORES`, and for every further score of the cell.
        effort: what the attack spent.
        status: `ok`, `suspect`, `error` or `incomplete`.
        checks: the sanity checks with the numbers they saw.
        failures: messages of the blocks that failed.
        best: whether no learner does better under the same threat (or its interval overlaps).
    """

    key: str
    learner: str
    norm_mode: str
    threat: str
    name: str
    summary: str
    notes: str
    citation: str
    kind: Kind
    budget: Budget
    dataset: str
    protocol: str
    ways: int | None
    episodes: int
    expected: int
    scores: Mapping[str, Estimate]
    effort: Effort
    status: str
    checks: tuple[CheckResult, ...]
    failures: tuple[str, ...]
    best: bool = False

    @property
    def accuracy(self) -> Estimate:
        """The accuracy; a regression has none."""
        return self.scores[ACCURACY.key]

    @property
    def lead(self) -> Measure:
        """The score that decides every ranking in a report: accuracy, or the error of values."""
        return MSE if MSE.key in self.scores else ACCURACY

    @property
    def height(self) -> Estimate:
        """The leading score, turned so that higher is better."""
        score = self.scores[self.lead.key]
        return score if self.lead.higher_is_better else _negated(score)

    @property
    def failed_checks(self) -> tuple[CheckResult, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)


def build_rows(scored: Sequence[CellScores], verdicts: Mapping[str, Verdict]) -> tuple[Row, ...]:
    """One row per cell, in the order of the cells, the best learner of each threat marked."""
    rows = [_row(cell, verdicts[cell.evidence.key]) for cell in scored]
    best = set()
    for group in rows_by_threat(rows):
        flags = best_of([row.height for row in group])
        best |= {row.key for row, flag in zip(group, flags, strict=True) if flag}
    return tuple(replace(row, best=row.key in best) for row in rows)


def rows_by_threat(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of one threat, budget, data set and protocol together, in order of appearance."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = (row.threat, row.name, row.budget, row.dataset, row.protocol)
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def best_of(estimates: Sequence[Estimate]) -> list[bool]:
    """Which estimates are the highest, or have an interval that overlaps the highest one's.

    >>> best_of([Estimate(0.9, 0.8, 1.0), Estimate(0.7, 0.6, 0.85), Estimate(0.2, 0.1, 0.3)])
    [True, True, False]
    """
    known = [e for e in estimates if e.value is not None]
    if not known:
        return [False] * len(estimates)
    top = max(known, key=lambda e: e.value or 0.0)
    reach = top.value if top.low is None else top.low
    return [
        e.value is not None
        and (e.value == top.value or (e.value if e.high is None else e.high) >= (reach or 0.0))
        for e in estimates
    ]


def _negated(score: Estimate) -> Estimate:
    value, low, high = (None if x is None else -x for x in (score.value, score.high, score.low))
    return replace(score, value=value, low=low, high=high)


def _row(cell: CellScores, verdict: Verdict) -> Row:
    about = cell.evidence.description
    learner, threat, protocol = (about.get(k, {}) for k in ("learner", "threat", "protocol"))
    absent = Estimate(None, reason="not computed")
    return Row(
        key=cell.evidence.key,
        learner=plain(learner.get("label") or learner.get("name", "?"), 80),
        norm_mode=plain(learner.get("norm_mode") or "?", 40),
        threat=plain(threat.get("label") or threat.get("name", "?"), 80),
        name=plain(threat.get("name", "?"), 80),
        summary=plain(threat.get("summary") or "", 400),
        notes=plain(threat.get("notes") or "", 800),
        citation=plain(threat.get("citation") or "", 400),
        kind=kind_of(threat),
        budget=_budget(threat),
        dataset=plain(about.get("dataset", {}).get("name") or "?", 80),
        protocol=protocol_text(protocol),
        ways=protocol.get("ways"),
        episodes=cell.evidence.episodes,
        expected=cell.evidence.expected,
        scores={
            key: readable(cell.scores.get(key, absent))
            for key in dict.fromkeys((*(f.key for f in SCORES), *cell.scores))
        },
        effort=_effort(cell.evidence),
        status=verdict.status,
        checks=tuple(
            CheckResult(plain(c.name), c.passed, plain(c.detail, 600)) for c in verdict.checks
        ),
        failures=tuple(plain(message, 600) for message in cell.evidence.failures),
    )


def readable(estimate: Estimate) -> Estimate:
    """The estimate with harmless words, for its reason may quote an error of the system."""
    return replace(estimate, reason=plain(estimate.reason), method=plain(estimate.method))


def protocol_text(protocol: Mapping[str, Any]) -> str:
    """A protocol in a few words.

    >>> protocol_text({"ways": 5, "shots": 1, "queries": 5, "split": "test"})
    '5-way 1-shot, 5 queries per class, split test'
    """
    facts = {key: plain(value, 40) for key, value in protocol.items()}
    return (
        f"{facts.get('ways', '?')}-way {facts.get('shots', '?')}-shot, "
        f"{facts.get('queries', '?')} queries per class, split {facts.get('split', '?')}"
    )


def _budget(threat: Mapping[str, Any]) -> Budget:
    def word(name: str) -> str | None:
        value = threat.get(name)
        if isinstance(value, list | tuple):
            value = " + ".join(map(str, value))
        return None if value is None else plain(value, 80)

    return Budget(
        engine=word("engine"),
        surface=word("surface"),
        knowledge=word("knowledge"),
        norm=word("norm"),
        eps=threat.get("eps"),
        steps=threat.get("steps"),
        step_size=threat.get("step_size"),
        restarts=threat.get("restarts"),
        loss=word("loss"),
        targets=word("targets"),
        first_order=threat.get("first_order"),
        severity=threat.get("severity"),
        table=word("table"),
        fraction=threat.get("fraction"),
        shot_fraction=threat.get("shot_fraction"),
        class_fraction=threat.get("class_fraction"),
    )


def _effort(evidence: CellEvidence) -> Effort:
    def measured(name: str, reduce: str) -> float | None:
        values = evidence.arrays.get(name)
        if values is None or len(values) == 0:
            return None
        result = float(getattr(values, reduce)())
        return result if math.isfinite(result) else None

    calls = measured("gradient_calls", "sum")
    return Effort(
        budget_used=measured("budget_used", "max"),
        changed=measured("changed", "mean"),
        gradient_calls=None if calls is None else int(calls),
        zero_gradients=measured("zero_gradients", "mean") if calls else None,
    )

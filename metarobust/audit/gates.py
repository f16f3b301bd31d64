"""Gates on a run: is a number, at the pessimistic end of its interval, what was asked for?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

from metarobust.audit.checks import Verdict
from metarobust.audit.measure import Measure
from metarobust.audit.regression_scores import NOT_REGRESSION, REGRESSION_BY_KEY
from metarobust.audit.scores import MEASURE_BY_KEY, CellScores
from metarobust.config.engine_name import Family
from metarobust.config.fields import shown
from metarobust.config.gate import Gate, Relation, parse_gate
from metarobust.config.recipe import Recipe
from metarobust.core.errors import ConfigError, did_you_mean
from metarobust.stats.estimate import Estimate

ALIASES = {"robust_accuracy": "accuracy"}
"""Other names that a gate may call a score by."""

SCORES: dict[str, Measure] = {**REGRESSION_BY_KEY, **MEASURE_BY_KEY}
"""What a gate may ask for; a cell of the other task has no value for it."""

FAMILIES: tuple[str, ...] = get_args(Family)


@dataclass(frozen=True)
class GateResult:
    """What became of one gate for one learner.

    Attributes:
        gate: the line, as written.
        learner: label of the learner.
        score: name of the score in `SCORES`.
        threat: label of the cell that decided; of a family, the worst one.
        relation: `>=` or `<=`.
        limit: what was asked for, in the score's unit.
        value: the score, or None.
        bound: the end of its 95 % interval that was compared: the low one for `>=`. Of a score
            that by its nature has no interval, such as a p-value, it is the value.
        passed: whether the bound keeps the limit, and the cell can be trusted.
        reason: why no number decided; empty where one did.
        cell: key of the cell that decided.
    """

    gate: str
    learner: str
    score: str
    threat: str
    relation: Relation
    limit: float
    value: float | None
    bound: float | None
    passed: bool
    reason: str
    cell: str


class Named(NamedTuple):
    """The names of a threat that a gate may use, from the narrowest to the widest."""

    label: str
    recipe: str
    family: str


def check_gates(
    lines: Sequence[str], learners: Sequence[str], recipes: Iterable[Recipe | None]
) -> None:
    """Refuse gates that no cell of a plan can answer.

    Args:
        lines: the gates, as configured.
        learners: labels of the plan's learners.
        recipes: the plan's threats; None is the clean cell.

    Raises:
        ConfigError: a score, a learner or a threat is unknown, a recipe's name stands for several
            cells, or a limit cannot be meant. All such mistakes are listed.
    """
    clean = Named("clean", "clean", "clean")
    threats = [clean if r is None else Named(r.label, r.name, r.family) for r in recipes]
    _resolved(lines, learners, threats)


def judge_gates(
    lines: Sequence[str], cells: Sequence[CellScores], verdicts: Mapping[str, Verdict]
) -> tuple[GateResult, ...]:
    """Judge gates on the cells of a run.

    The bound that counts is the pessimistic end of the interval: the low end must reach a `>=`
    limit, the high end must keep a `<=` limit. A cell that is not `ok` fails its gate, and so does
    a score whose interval is missing: nothing passes for want of evidence. A score that by its
    nature has no interval is judged by its value. A gate on a family holds for its worst cell.

    Args:
        lines: the gates, as configured.
        cells: every cell of the run.
        verdicts: the verdict of each, by its key.

    Returns:
        One result for every gate and every learner it is about, in the order of the gates.

    Raises:
        ConfigError: as `check_gates`.
    """
    if not lines:
        return ()
    learners = list(dict.fromkeys(_learner(cell) for cell in cells))
    threats = [_named(cell.evidence.description["threat"]) for cell in cells]
    results = []
    for gate, score, labels in _resolved(lines, learners, threats):
        for learner in learners if gate.learner is None else [gate.learner]:
            judged = [
                _judge(gate, score, cell, verdicts[cell.evidence.key])
                for cell, threat in zip(cells, threats, strict=True)
                if _learner(cell) == learner and threat.label in labels
            ]
            results.append(min(judged, key=_margin))
    return tuple(results)


def _resolved(
    lines: Sequence[str], learners: Sequence[str], threats: Sequence[Named]
) -> list[tuple[Gate, str, set[str]]]:
    """Each gate, its score's own name, and the labels of the threats it is about."""
    found, mistakes = [], []
    for place, line in enumerate(lines):
        gate = parse_gate(line)
        try:
            score, labels = _resolve(gate, learners, threats)
        except ValueError as problem:
            mistakes.append(f"gates.{place}: {line}: {problem}")
            continue
        found.append((gate, score, labels))
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return found


def _resolve(gate: Gate, learners: Sequence[str], threats: Sequence[Named]) -> tuple[str, set[str]]:
    """The score's own name, and the labels of the threats that a gate is about."""
    score = ALIASES.get(gate.score, gate.score)
    if score not in SCORES:
        raise ValueError(
            f"unknown score '{gate.score}': {did_you_mean(gate.score, (*SCORES, *ALIASES))}"
        )
    measure = SCORES[score]
    if gate.percent and measure.unit != "share":
        raise ValueError(f"{score} is in {_scale(measure)}; expected a limit without %")
    if measure.unit == "share" and measure.bounds == (0.0, 1.0) and not 0 <= gate.limit <= 1:
        hint = f"; did you mean {gate.limit:g} %?" if 1 < gate.limit <= 100 else ""
        raise ValueError(
            f"{score} is a share; expected a limit in [0, 1], got {gate.limit:g}{hint}"
        )
    if gate.learner is not None and gate.learner not in learners:
        hint = did_you_mean(gate.learner, learners)
        raise ValueError(f"unknown learner {shown(gate.learner)}: {hint}")
    return score, _labels(gate.threat, threats)


def _scale(measure: Measure) -> str:
    return "percentage points" if measure.unit == "points" else measure.counted_in


def _labels(threat: str, threats: Sequence[Named]) -> set[str]:
    """The label itself, one that a recipe and some words single out, or all of a family.

    `pgd-linf-8/255` is short for `pgd-linf eps=8/255`.
    """
    if any(each.label == threat for each in threats):
        return {threat}
    recipe, *words = threat.split()
    stem, _, eps = recipe.rpartition("-")
    if any(each.recipe == stem and f"eps={eps}" in each.label.split() for each in threats):
        recipe, words = stem, [f"eps={eps}", *words]
    found = sorted(
        {
            each.label
            for each in threats
            if each.recipe == recipe and set(words) <= set(each.label.split()[1:])
        }
    )
    if len(found) == 1:
        return set(found)
    if found:
        raise ValueError(
            f"'{threat}' names {len(found)} threats of this audit; expected one of "
            f"{', '.join(f'[{label}]' for label in found)}, or a family"
        )
    family = {each.label for each in threats if each.family == threat}
    if family:
        return family
    known = {name for each in threats for name in each if name not in FAMILIES}
    families = {each.family for each in threats if each.family in FAMILIES}
    if threat in FAMILIES:
        has = ", ".join(sorted(families)) or "none"
        raise ValueError(f"this audit has no threat of the family '{threat}', only of: {has}")
    raise ValueError(f"no cell '{threat}': {did_you_mean(threat, known | families)}")


def _judge(gate: Gate, score: str, cell: CellScores, verdict: Verdict) -> GateResult:
    estimate = cell.scores.get(score, Estimate(None, reason=NOT_REGRESSION))
    bound = estimate.low if gate.relation == ">=" else estimate.high
    if not SCORES[score].has_interval:
        bound = estimate.value
    reason = _doubt(cell, estimate, bound, verdict)
    kept = bound is not None and (
        bound >= gate.limit if gate.relation == ">=" else bound <= gate.limit
    )
    return GateResult(
        gate=gate.text,
        learner=_learner(cell),
        score=score,
        threat=_named(cell.evidence.description["threat"]).label,
        relation=gate.relation,
        limit=gate.limit,
        value=estimate.value,
        bound=bound,
        passed=kept and not reason,
        reason=reason,
        cell=cell.evidence.key,
    )


def _doubt(cell: CellScores, estimate: Estimate, bound: float | None, verdict: Verdict) -> str:
    """Why a cell cannot answer a gate; empty if it can."""
    evidence = cell.evidence
    if estimate.value is None:
        return f"no value: {estimate.reason}"
    if evidence.failures:
        return f"blocks of the cell failed: {evidence.failures[0]}"
    if evidence.episodes < evidence.expected:
        return f"the cell has {evidence.episodes} of {evidence.expected} episodes"
    if verdict.status != "ok":
        checks = "; ".join(f"{check.name} ({check.detail})" for check in verdict.failed)
        return f"the cell is {verdict.status}, it failed a sanity check: {checks}"
    return "" if bound is not None else f"no interval: {estimate.reason}"


def _margin(result: GateResult) -> tuple[bool, float]:
    """What is worst comes first: a cell that cannot answer, then the one nearest its limit."""
    if result.reason or result.bound is None:
        return (False, 0.0)
    side = 1 if result.relation == ">=" else -1
    return (True, side * (result.bound - result.limit))


def _learner(cell: CellScores) -> str:
    return str(cell.evidence.description["learner"]["label"])


def _named(threat: Mapping[str, Any]) -> Named:
    return Named(threat["label"], threat["name"], threat["family"])

"""A comparison as one frozen object that every format renders; no format computes a number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from metarobust.audit.compare import Comparison, KindLine, Score, Standing
from metarobust.report.compare_notes import (
    fairness,
    members,
    no_yardstick,
    provenance,
    trust,
    warnings,
)
from metarobust.report.compare_ranks import RankView, build_ranks
from metarobust.report.compare_words import Wording, clause, price_and_gain, scope, verdict
from metarobust.report.headline import TITLES
from metarobust.report.provenance import Facts, protocol_facts, shell_words
from metarobust.report.regression import is_regression
from metarobust.report.rows import Budget, Row, build_rows, readable
from metarobust.report.text import listed, plain, plain_tree

TRAINED = {"none": "clean", "unknown": "unknown"}


@dataclass(frozen=True)
class MethodView:
    """One method as it is shown.

    Attributes:
        label: its name.
        training: the threat that it was trained against, in words.
        norm_mode: whose statistics its normalisation uses.
        reference: whether the others are compared with it.
        yardstick: whether it was trained without episodes.
        sentence: its price and its gains in words; empty for the reference.
        scope: for whom that holds; empty for the reference.
        members: for each checkpoint its facts in one line.
    """

    label: str
    training: str
    norm_mode: str
    reference: bool
    yardstick: bool
    sentence: str
    scope: str
    members: tuple[str, ...]

    @property
    def marked(self) -> str:
        """Its name, and whether it is a yardstick."""
        return f"{self.label} (yardstick)" if self.yardstick else self.label


@dataclass(frozen=True)
class KindView:
    """All threats of one kind, averaged: a line of every method's card."""

    kind: str
    title: str
    threats: tuple[str, ...]
    unfinished: tuple[str, ...]
    episodes: int
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class StandingView:
    """How the others stand to a yardstick that is not the reference.

    Attributes:
        yardstick: index of the yardstick.
        verdict: the answer in one sentence.
        scope: for whom it holds, and what else than training on episodes may make a difference.
        kinds: the differences to the yardstick, clean first.
    """

    yardstick: int
    verdict: str
    scope: str
    kinds: tuple[KindView, ...]


@dataclass(frozen=True)
class LineView:
    """One threat: a line of the tables.

    Attributes:
        threat: its label.
        name: the recipe's name.
        strength: what sets it apart from other threats of its recipe, in words of its label.
        kind: its kind.
        title: the kind as a heading.
        budget: what it may do.
        family: `Holm` or `BH`, by which its p-values were adjusted.
        episodes: episodes shared by all methods.
        scores: one per method.
    """

    threat: str
    name: str
    strength: str
    kind: str
    title: str
    budget: Budget
    family: str
    episodes: int
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class CompareModel:
    """Everything a comparison says.

    Attributes:
        name: who is compared, as a title.
        wording: what is compared, and how to speak of it.
        regression: whether the learners regress.
        subtitle: data set, protocol and size in one line.
        verdict: the answer in one sentence.
        trust: for whom it holds, in one sentence.
        warnings: what a reader must know before quoting any number.
        methods: who was compared.
        reference: index of the method the others are compared with.
        kinds: the headline, clean first.
        standings: what training on episodes bought, one for each yardstick but the reference.
        no_yardstick: what to add where there is none; else empty, as of regressions: no transfer
            baseline regresses.
        lines: every threat compared.
        ranking: mean ranks over recipes.
        left_out: threats that could not be compared, with the reason.
        protocol: terms of the protocol with their values.
        runs: for every run where it came from.
        command: the command line that repeats the comparison; empty if unknown.
    """

    name: str
    wording: Wording
    regression: bool
    subtitle: str
    verdict: str
    trust: str
    warnings: tuple[str, ...]
    methods: tuple[MethodView, ...]
    reference: int
    kinds: tuple[KindView, ...]
    standings: tuple[StandingView, ...]
    no_yardstick: str
    lines: tuple[LineView, ...]
    ranking: RankView
    left_out: Facts
    protocol: Facts
    runs: Facts
    command: str

    @property
    def rivals(self) -> tuple[int, ...]:
        """Indices of the methods that are compared with the reference."""
        return tuple(i for i in range(len(self.methods)) if i != self.reference)

    def against(self, standing: StandingView) -> "CompareModel":
        """The averages by kind with a yardstick in the place of the reference."""
        return replace(self, reference=standing.yardstick, kinds=standing.kinds)

    def height(self, value: float | None) -> float | None:
        """Where a score lies between the ends of its scale, or of what was found, in [0, 1]."""
        if value is None:
            return None
        low, high = self.wording.measure.bounds
        if (low, high) != (0.0, 1.0):
            scores = [x.scores for x in self.lines] + [x.scores for x in self.kinds]
            found = [score.estimate.value for several in scores for score in several]
            known = [each for each in found if each is not None]
            low, high = min(known), max(known)
        return (value - low) / (high - low) if high > low else 0.5


def build_comparison(comparison: Comparison, command: Sequence[str] = ()) -> CompareModel:
    """What there is to say of a comparison.

    Args:
        comparison: its numbers.
        command: the command line that was given.
    """
    labels = [plain(method.label, 60) for method in comparison.methods]
    index = comparison.reference
    first = comparison.runs[0].run
    rows = {row.key: row for row in build_rows(first.cells, first.verdicts)}
    strengths = _strengths([rows[line.threat.key] for line in comparison.lines])
    lines = []
    for line in comparison.lines:
        row = rows[line.threat.key]
        lines.append(
            LineView(
                row.threat,
                row.name,
                strengths[row.threat],
                row.kind,
                TITLES[row.kind],
                row.budget,
                line.family,
                line.episodes,
                _readable(line.scores),
            )
        )
    rivals = [i for i in range(len(labels)) if i != index]
    regression = is_regression(list(rows.values()))
    protocol = protocol_facts(
        [plain_tree(cell.evidence.description) for cell in first.cells], list(rows.values())
    )
    facts = (
        *(pair for pair in protocol if pair[0] not in ("Episodes per cell", "Intervals")),
        ("Episodes", _span(line.episodes for line in comparison.lines)),
    )
    return CompareModel(
        name=f"{labels[index]} against {listed([labels[i] for i in rivals])}",
        wording=Wording(comparison.measure),
        regression=regression,
        subtitle=_subtitle(dict(facts), len(labels), len(lines)),
        verdict=_verdict(comparison, index, comparison.kinds, labels),
        trust=trust(comparison),
        warnings=warnings(comparison, labels),
        methods=tuple(_method(comparison, i, labels[i]) for i in range(len(labels))),
        reference=index,
        kinds=tuple(_kind(kind) for kind in comparison.kinds),
        standings=tuple(_standing(comparison, each, labels) for each in comparison.standings),
        no_yardstick="" if regression else no_yardstick(comparison),
        lines=tuple(lines),
        ranking=build_ranks(comparison.ranking, labels),
        left_out=tuple((plain(x.label), plain(x.reason, 400)) for x in comparison.left_out),
        protocol=facts,
        runs=tuple((plain(n.name), provenance(n.run.manifest)) for n in comparison.runs),
        command=shell_words([plain(word) for word in command]),
    )


def _verdict(
    comparison: Comparison, index: int, kinds: Sequence[KindLine], labels: Sequence[str]
) -> str:
    wording = Wording(comparison.measure)
    clauses = [clause(x, kinds, i, wording) for i, x in enumerate(labels) if i != index]
    prefix = "the yardstick " if comparison.methods[index].yardstick else ""
    return verdict(prefix + labels[index], clauses)


def _standing(comparison: Comparison, standing: Standing, labels: Sequence[str]) -> StandingView:
    index, methods = standing.yardstick, comparison.methods
    seeds = min(method.seeds for i, method in enumerate(methods) if i != index)
    words = [scope(seeds, methods[index].seeds), *fairness(methods, index, labels)]
    return StandingView(
        yardstick=index,
        verdict=_verdict(comparison, index, standing.kinds, labels),
        scope=" ".join(words),
        kinds=tuple(map(_kind, standing.kinds)),
    )


def _readable(scores: Sequence[Score]) -> tuple[Score, ...]:
    return tuple(
        replace(s, estimate=readable(s.estimate), difference=readable(s.difference)) for s in scores
    )


def _strengths(rows: Sequence[Row]) -> dict[str, str]:
    """By threat, the words of its label that other threats of its recipe do not share."""
    recipes: dict[str, list[list[str]]] = {}
    for row in rows:
        recipes.setdefault(row.name, []).append(_words(row))
    found = {}
    for row in rows:
        rivals = recipes[row.name]
        common = set.intersection(*map(set, rivals)) if len(rivals) > 1 else set()
        found[row.threat] = " ".join(word for word in _words(row) if word not in common)
    return found


def _words(row: Row) -> list[str]:
    return row.threat.removeprefix(row.name).split()


def _span(counts: Any) -> str:
    found = sorted(set(counts))
    return f"{found[0]} to {found[-1]}" if len(found) > 1 else f"{found[0]}"


def _subtitle(facts: Mapping[str, str], methods: int, threats: int) -> str:
    return " · ".join(
        [
            facts["Data set"],
            facts["Episode"],
            f"{facts['Episodes']} episodes, the same for all",
            f"{methods} learners",
            f"{threats} conditions",
        ]
    )


def _method(comparison: Comparison, index: int, label: str) -> MethodView:
    method, reference = comparison.methods[index], comparison.methods[comparison.reference]
    own = index == comparison.reference
    training = plain(method.training, 60)
    return MethodView(
        label=label,
        training=TRAINED.get(training, training),
        norm_mode=plain(method.members[0].learner.get("norm_mode") or "?", 40),
        reference=own,
        yardstick=method.yardstick,
        sentence=""
        if own
        else price_and_gain(comparison.kinds, index, Wording(comparison.measure)),
        scope="" if own else scope(method.seeds, reference.seeds),
        members=members(method),
    )


def _kind(kind: KindLine) -> KindView:
    taken, rest = (
        tuple(plain(label, 80) for label in labels) for labels in (kind.threats, kind.unfinished)
    )
    return KindView(
        kind.kind, TITLES[kind.kind], taken, rest, kind.episodes, _readable(kind.scores)
    )

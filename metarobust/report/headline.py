"""The scorecard of each learner and the verdict in plain words, for a reader in a hurry."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from metarobust.audit.kinds import Kind
from metarobust.report.rows import Row, best_of
from metarobust.report.text import listed, of_hundred, sentence
from metarobust.stats.estimate import Estimate

Grade = Literal["holds", "weakens", "breaks", "unknown"]

HOLDS, BREAKS = 0.9, 0.5
"""Shares of accuracy above chance: a learner that keeps `HOLDS` holds; below `BREAKS` it breaks."""

NEAR_CHANCE = 0.1
"""A clean accuracy less than this above chance makes every drop meaningless."""

TITLES: Mapping[Kind, str] = {
    "clean": "Clean",
    "noise": "Random noise",
    "corruption": "Corruption",
    "labels": "Wrong labels",
    "query": "Query attack",
    "support": "Support attack",
    "both": "Joint attack",
    "certificate": "Smoothed",
}
PHRASES: Mapping[Kind, str] = {
    "clean": "clean images",
    "noise": "random noise",
    "corruption": "corrupted images",
    "labels": "wrong support labels",
    "query": "attacked queries",
    "support": "poisoned support sets",
    "both": "joint attacks on support and queries",
    "certificate": "randomised smoothing",
}


@dataclass(frozen=True)
class ScoreItem:
    """One line of a scorecard: the worst cell of one kind of threat.

    Attributes:
        kind: the kind of threat.
        title: its name as a heading.
        accuracy: accuracy under the worst threat of the kind; None with a reason if none was run.
        drop: what it cost, in percentage points.
        grade: what it did to the accuracy above chance.
        row: the cell the numbers are from, or None.
        best: whether no learner does better in this line (or its interval overlaps).
    """

    kind: Kind
    title: str
    accuracy: Estimate
    drop: Estimate
    grade: Grade
    row: Row | None
    best: bool = False


@dataclass(frozen=True)
class Scorecard:
    """One learner at a glance: a line per kind of threat, and a sentence that says it in words.

    A yardstick was trained without episodes: what others reach beyond it, meta-training bought.
    """

    learner: str
    norm_mode: str
    yardstick: bool
    chance: float | None
    items: tuple[ScoreItem, ...]
    sentence: str

    @property
    def marked(self) -> str:
        """The learner's label, and whether it is a yardstick."""
        return f"{self.learner} (yardstick)" if self.yardstick else self.learner


def build_scorecards(
    rows: Sequence[Row], yardsticks: Collection[str] = ()
) -> tuple[Scorecard, ...]:
    """One scorecard per learner, in the order in which the learners first appear.

    Args:
        rows: the cells.
        yardsticks: learners that were trained without episodes.
    """
    learners = list(dict.fromkeys(row.learner for row in rows))
    kinds: list[Kind] = [
        kind
        for kind in TITLES
        if kind != "certificate" and (kind != "both" or any(row.kind == "both" for row in rows))
    ]
    lines = {
        learner: [_item(kind, [r for r in rows if r.learner == learner]) for kind in kinds]
        for learner in learners
    }
    for column in range(len(kinds)):
        flags = best_of([lines[learner][column].accuracy for learner in learners])
        for learner, flag in zip(learners, flags, strict=True):
            lines[learner][column] = replace(lines[learner][column], best=flag)
    cards = []
    for learner in learners:
        first = next(row for row in rows if row.learner == learner)
        chance = 1 / first.ways if first.ways else None
        words = _sentence(lines[learner], chance)
        items, mark = tuple(lines[learner]), learner in yardsticks
        cards.append(Scorecard(learner, first.norm_mode, mark, chance, items, words))
    return tuple(cards)


def keys_shown(cards: Sequence[Scorecard]) -> frozenset[str]:
    """The keys of the cells whose numbers are on the scorecards."""
    return frozenset(item.row.key for card in cards for item in card.items if item.row is not None)


def build_verdict(cards: Sequence[Scorecard]) -> str:
    """The answer of the whole audit in one sentence.

    It says which kinds of threat break which learners, or that none does.
    """
    if not cards:
        return "This run holds no cells."
    victims: dict[tuple[str, ...], list[str]] = {}
    for column, item in enumerate(cards[0].items):
        broken = tuple(card.learner for card in cards if card.items[column].grade == "breaks")
        if broken:
            victims.setdefault(broken, []).append(PHRASES[item.kind])
    if victims:
        clauses = [
            f"{listed(threats)} {'breaks' if threats == [PHRASES['noise']] else 'break'} "
            f"{_who(broken, len(cards))}"
            for broken, threats in victims.items()
        ]
        return sentence("; ".join(clauses)) + "."
    weakened = {
        PHRASES[item.kind]: None for card in cards for item in card.items if item.grade == "weakens"
    }
    if weakened:
        return f"No threat in this audit breaks a learner, but {listed(list(weakened))} weaken it."
    if all(item.grade == "unknown" for card in cards for item in card.items[1:]):
        return "This run does not say what any threat does."
    return "No threat in this audit does much harm."


def grade_of(retention: Estimate) -> Grade:
    """What a threat did, from the share of accuracy above chance that is left.

    >>> grade_of(Estimate(0.95)), grade_of(Estimate(0.7)), grade_of(Estimate(-0.1))
    ('holds', 'weakens', 'breaks')
    """
    if retention.value is None:
        return "unknown"
    if retention.value >= HOLDS:
        return "holds"
    return "weakens" if retention.value >= BREAKS else "breaks"


def worst(rows: Iterable[Row]) -> Row | None:
    """The row with the lowest accuracy or the largest error, among those that have one."""
    known = [row for row in rows if row.height.value is not None]
    return min(known, key=lambda row: row.height.value or 0.0, default=None)


def _item(kind: Kind, rows: Sequence[Row]) -> ScoreItem:
    members = [row for row in rows if row.kind == kind]
    row = worst(members)
    if row is None:
        reason = members[0].accuracy.reason if members else "not part of this audit"
        missing = Estimate(None, reason=reason)
        return ScoreItem(kind, TITLES[kind], missing, missing, "unknown", next(iter(members), None))
    grade: Grade = "unknown" if kind == "clean" else grade_of(row.scores["retention"])
    return ScoreItem(kind, TITLES[kind], row.accuracy, row.scores["drop_points"], grade, row)


def _sentence(items: Sequence[ScoreItem], chance: float | None) -> str:
    clean = items[0].accuracy.value
    words = []
    if clean is None:
        words.append("There is no clean accuracy to compare with.")
    else:
        guess = "" if chance is None else f", where guessing would give {100 * chance:.0f}"
        words.append(f"It names {of_hundred(clean)} clean queries correctly{guess}.")
        if chance is not None and clean < chance + NEAR_CHANCE:
            words.append("That is close to guessing, so the drops below say little.")
    for grade, verb in (
        ("breaks", "It breaks under"),
        ("weakens", "It weakens under"),
        ("holds", "It holds up under"),
    ):
        found = [
            f"{PHRASES[item.kind]} ({100 * item.accuracy.value:.0f})"
            for item in items[1:]
            if item.grade == grade and item.accuracy.value is not None
        ]
        if found:
            words.append(f"{verb} {listed(found)}.")
    doubtful = [i.title.lower() for i in items if i.row is not None and i.row.status == "suspect"]
    if doubtful:
        words.append(f"A sanity check failed for {listed(doubtful)}: that number is suspect.")
    return " ".join(words)


def _who(broken: Sequence[str], total: int) -> str:
    if len(broken) < total:
        return listed(broken) if len(broken) <= 2 else f"{len(broken)} of {total} learners"
    return {1: broken[0], 2: "both learners"}.get(total, f"all {total} learners")

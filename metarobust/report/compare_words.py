"""A comparison in plain words: what each method gains, what it pays, and for whom that holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from metarobust.audit.compare import BETTER, UNCLEAR, UNKNOWN, WORSE, KindLine, Score
from metarobust.audit.measure import Measure
from metarobust.report.headline import PHRASES
from metarobust.report.text import listed, sentence
from metarobust.stats.estimate import Estimate

MINUS = "\N{MINUS SIGN}"
ENOUGH_SEEDS = 5
_BETTER_BY, _WORSE_BY = "is better by", "is worse by"


@dataclass(frozen=True)
class Wording:
    """How a comparison speaks of the score that it compares.

    Attributes:
        measure: the score.
    """

    measure: Measure

    @property
    def is_accuracy(self) -> bool:
        """Whether it is the accuracy, for which there are words of its own."""
        return self.measure.key == "accuracy"

    @property
    def noun(self) -> str:
        """The score inside a sentence."""
        return "accuracy" if self.is_accuracy else self.measure.title

    @property
    def clean(self) -> str:
        """What was not threatened."""
        return "clean images" if self.is_accuracy else "clean episodes"

    @property
    def unit(self) -> str:
        """What its differences are counted in."""
        return "points" if self.measure.unit == "share" else self.measure.counted_in

    @property
    def digits(self) -> int:
        """Decimals of a difference."""
        return 1 if self.measure.unit == "share" else 3

    @property
    def better(self) -> str:
        """The side of zero on which a learner is better off."""
        return "Right" if self.measure.higher_is_better else "Left"

    def amount(self, score: Score) -> str:
        """The size of a difference in words."""
        size = f"{abs(score.difference.value or 0.0):.{self.digits}f}"
        return f"{size} points" if self.measure.unit == "share" else size

    def gain(self, score: Score) -> float:
        """A difference turned so that above 0 is better."""
        sign = 1.0 if self.measure.higher_is_better else -1.0
        return sign * (score.difference.value or 0.0)


def signed(value: float | None, digits: int = 1) -> str:
    """A difference with its sign; an em dash where there is none.

    >>> signed(2.345), signed(-0.04), signed(None), signed(-0.04, 3)
    ('+2.3', '0.0', '—', '−0.040')
    """
    if value is None:
        return "—"
    size = f"{abs(value):.{digits}f}"
    return size if not float(size) else f"{'+' if value > 0 else MINUS}{size}"


def signed_interval(estimate: Estimate, digits: int = 1) -> str:
    """The interval of a difference; empty where there is none.

    >>> signed_interval(Estimate(1.0, -0.5, 2.5))
    '[−0.5, +2.5]'
    """
    if estimate.low is None or estimate.high is None:
        return ""
    return f"[{signed(estimate.low, digits)}, {signed(estimate.high, digits)}]"


def p_text(p_value: float | None) -> str:
    """A p-value to the digits that matter.

    >>> p_text(0.0421), p_text(0.0002), p_text(1.0), p_text(None)
    ('0.042', '<0.001', '1', '—')
    """
    if p_value is None:
        return "—"
    return "<0.001" if p_value < 0.001 else "1" if p_value > 0.9995 else f"{p_value:.2g}"


def clause(name: str, kinds: Sequence[KindLine], method: int, wording: Wording) -> str:
    """What sets a method apart from the reference, in one clause: its best gain, loss and price."""
    clean = next((k.scores[method] for k in kinds if k.kind == "clean"), None)
    threats = [(k, k.scores[method]) for k in kinds if k.kind != "clean"]
    gains = [(k, s) for k, s in threats if s.outcome == BETTER]
    losses = [(k, s) for k, s in threats if s.outcome == WORSE]
    gains_by, loses_by = ("gains", "loses") if wording.is_accuracy else (_BETTER_BY, _WORSE_BY)
    parts = []
    if gains:
        kind, score = max(gains, key=lambda pair: wording.gain(pair[1]))
        parts.append(f"{gains_by} {wording.amount(score)} under {PHRASES[kind.kind]}")
    if losses:
        kind, score = min(losses, key=lambda pair: wording.gain(pair[1]))
        parts.append(f"{loses_by} {wording.amount(score)} under {PHRASES[kind.kind]}")
    if clean is not None and clean.outcome == WORSE:
        amount = wording.amount(clean)
        pays = f"pays {amount} of clean accuracy"
        parts.append(pays if wording.is_accuracy else f"{_WORSE_BY} {amount} on {wording.clean}")
    if clean is not None and clean.outcome == BETTER:
        parts.append(f"{gains_by} {wording.amount(clean)} on {wording.clean}")
    if parts:
        free = gains and clean is not None and clean.outcome == UNCLEAR
        tail = f", with no price in clean {wording.noun} found" if free else ""
        of = "" if wording.is_accuracy else f" ({wording.noun})"
        return f"{name} {listed(parts)}{tail}{of}"
    if any(score.outcome == UNCLEAR for _, score in threats):
        return f"no difference was found for {name}"
    return f"{name} cannot be judged"


def price_and_gain(kinds: Sequence[KindLine], method: int, wording: Wording) -> str:
    """The price on clean images, then every kind of threat by outcome, each with its points."""
    words = [_price(k.scores[method], wording) for k in kinds if k.kind == "clean"]
    for outcome, phrase in (
        (BETTER, "It is better under"),
        (WORSE, "It is worse under"),
        (UNCLEAR, "No difference was found under"),
        (UNKNOWN, "There is no number for"),
    ):
        found = [
            f"{PHRASES[k.kind]} ({signed(k.scores[method].difference.value, wording.digits)})"
            if outcome != UNKNOWN
            else PHRASES[k.kind]
            for k in kinds
            if k.kind != "clean" and k.scores[method].outcome == outcome
        ]
        if found:
            words.append(f"{phrase} {listed(found)}.")
    return " ".join(words)


def scope(ours: int, theirs: int) -> str:
    """For whom a comparison holds, given how many training seeds stand for either method."""
    if min(ours, theirs) == 1:
        return (
            "This checkpoint only: with one training seed, a difference may be luck of training "
            "and says nothing of the method."
        )
    words = f"Over {ours} and {theirs} training seeds, which are the unit of the interval."
    if min(ours, theirs) < ENOUGH_SEEDS:
        words += f" {ENOUGH_SEEDS} or more would say more."
    return words


def verdict(reference: str, clauses: Sequence[str]) -> str:
    """The answer in one sentence."""
    return sentence(f"against {reference}, {'; '.join(clauses)}.")


def _price(score: Score, wording: Wording) -> str:
    value = signed(score.difference.value, wording.digits)
    interval = signed_interval(score.difference, wording.digits)
    points = "points" if wording.measure.unit == "share" else ""
    shown = " ".join(filter(None, (value, points, interval)))
    return {
        WORSE: f"Its price is clean {wording.noun}: {shown}.",
        BETTER: f"It is better on {wording.clean}, too: {shown}.",
        UNCLEAR: f"No price in clean {wording.noun} was found: {shown}.",
    }.get(score.outcome, f"Its price in clean {wording.noun} is unknown.")

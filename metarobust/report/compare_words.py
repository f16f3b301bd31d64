"""A comparison in plain words: what each method gains, what it pays, and for whom that holds."""

from collections.abc import Sequence

from metarobust.audit.compare import BETTER, UNCLEAR, UNKNOWN, WORSE, KindLine, Score
from metarobust.report.headline import PHRASES
from metarobust.report.text import listed, sentence
from metarobust.stats.estimate import Estimate

MINUS = "\N{MINUS SIGN}"
ENOUGH_SEEDS = 5


def signed(value: float | None) -> str:
    """A difference in percentage points with its sign; an em dash where there is none.

    >>> signed(2.345), signed(-0.04), signed(None)
    ('+2.3', '0.0', '—')
    """
    if value is None:
        return "—"
    size = f"{abs(value):.1f}"
    return size if size == "0.0" else f"{'+' if value > 0 else MINUS}{size}"


def signed_interval(estimate: Estimate) -> str:
    """The interval of a difference; empty where there is none.

    >>> signed_interval(Estimate(1.0, -0.5, 2.5))
    '[−0.5, +2.5]'
    """
    if estimate.low is None or estimate.high is None:
        return ""
    return f"[{signed(estimate.low)}, {signed(estimate.high)}]"


def p_text(p_value: float | None) -> str:
    """A p-value to the digits that matter.

    >>> p_text(0.0421), p_text(0.0002), p_text(1.0), p_text(None)
    ('0.042', '<0.001', '1', '—')
    """
    if p_value is None:
        return "—"
    return "<0.001" if p_value < 0.001 else "1" if p_value > 0.9995 else f"{p_value:.2g}"


def clause(name: str, kinds: Sequence[KindLine], method: int) -> str:
    """What sets a method apart from the reference, in one clause: its best gain, loss and price."""
    clean = next((k.scores[method] for k in kinds if k.kind == "clean"), None)
    threats = [(k, k.scores[method]) for k in kinds if k.kind != "clean"]
    gains = [(k, s) for k, s in threats if s.outcome == BETTER]
    losses = [(k, s) for k, s in threats if s.outcome == WORSE]
    parts = []
    if gains:
        kind, score = max(gains, key=lambda pair: pair[1].difference.value or 0.0)
        parts.append(f"gains {_points(score)} under {PHRASES[kind.kind]}")
    if losses:
        kind, score = min(losses, key=lambda pair: pair[1].difference.value or 0.0)
        parts.append(f"loses {_points(score)} under {PHRASES[kind.kind]}")
    if clean is not None and clean.outcome == WORSE:
        parts.append(f"pays {_points(clean)} of clean accuracy")
    if clean is not None and clean.outcome == BETTER:
        parts.append(f"gains {_points(clean)} on clean images")
    if parts:
        free = gains and clean is not None and clean.outcome == UNCLEAR
        tail = ", with no price in clean accuracy found" if free else ""
        return f"{name} {listed(parts)}{tail}"
    if any(score.outcome == UNCLEAR for _, score in threats):
        return f"no difference was found for {name}"
    return f"{name} cannot be judged"


def price_and_gain(kinds: Sequence[KindLine], method: int) -> str:
    """The price on clean images, then every kind of threat by outcome, each with its points."""
    words = [_price(k.scores[method]) for k in kinds if k.kind == "clean"]
    for outcome, phrase in (
        (BETTER, "It is better under"),
        (WORSE, "It is worse under"),
        (UNCLEAR, "No difference was found under"),
        (UNKNOWN, "There is no number for"),
    ):
        found = [
            f"{PHRASES[k.kind]} ({signed(k.scores[method].difference.value)})"
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


def _points(score: Score) -> str:
    return f"{abs(score.difference.value or 0.0):.1f} points"


def _price(score: Score) -> str:
    value, interval = signed(score.difference.value), signed_interval(score.difference)
    shown = f"{value} points {interval}".rstrip()
    return {
        WORSE: f"Its price is clean accuracy: {shown}.",
        BETTER: f"It is better on clean images, too: {shown}.",
        UNCLEAR: f"No price in clean accuracy was found: {shown}.",
    }.get(score.outcome, "Its price in clean accuracy is unknown.")

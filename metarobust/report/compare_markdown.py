"""A comparison as Markdown, for a pull request, a chat or a terminal."""

from metarobust.audit.compare import REFERENCE, Score
from metarobust.report.compare_model import CompareModel, StandingView
from metarobust.report.compare_words import p_text, signed, signed_interval
from metarobust.report.fields import show_value
from metarobust.report.markdown import escape, facts, table
from metarobust.stats.estimate import Estimate


def render_compare_markdown(model: CompareModel) -> str:
    """The whole comparison; figures are linked as files in `figures/` beside it."""
    reference = model.methods[model.reference]
    parts = [
        f"# {escape(model.name)}",
        escape(model.subtitle),
        *(f"> **{escape(warning)}**" for warning in model.warnings),
        f"**{escape(model.verdict)}** {escape(model.trust)}",
        *(escape(standing.verdict) for standing in model.standings),
        escape(model.no_yardstick),
        "## Gain and price",
        f"{_more(model)} **{escape(reference.marked)}**, averaged over the threats of "
        "each kind, with 95% intervals. Bold: a difference was found (adjusted p at most 0.05).",
        _kinds(model),
        *(
            f"- **{escape(m.marked)}**: {escape(m.sentence)} {escape(m.scope)}"
            for m in model.methods
            if not m.reference
        ),
        *(part for standing in model.standings for part in _standing(model, standing)),
        "## Where they differ",
        f"![{escape(_alt(model))}](figures/compare-differences.svg)",
        "## Trained against, tested against",
        _heat(model),
        "## Ranks over conditions",
        escape(model.ranking.sentence or model.ranking.reason),
        "![Critical-difference diagram](figures/compare-ranks.svg)" if model.ranking.ranks else "",
        "## All numbers",
        _lines(model),
        "## Not compared" if model.left_out else "",
        facts(model.left_out),
        "## Protocol",
        facts(model.protocol),
        "## Learners and runs",
        facts((m.marked, " / ".join(m.members)) for m in model.methods),
        facts(model.runs),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _alt(model: CompareModel) -> str:
    return f"Differences to {model.methods[model.reference].label} under every threat"


def _standing(model: CompareModel, standing: StandingView) -> list[str]:
    yardstick = escape(model.methods[standing.yardstick].marked)
    return [
        "## What training on episodes buys",
        f"{_more(model)} **{yardstick}**, which was trained without episodes; the p-values are "
        f"adjusted among these alone. {escape(standing.scope)}",
        _kinds(model.against(standing)),
    ]


def _more(model: CompareModel) -> str:
    wording = model.wording
    if wording.measure.unit == "share":
        return f"Points of {escape(wording.noun)} more than"
    return f"{escape(wording.noun)} ({escape(wording.unit)}) more than"


def _kinds(model: CompareModel) -> str:
    rivals = [model.methods[i] for i in model.rivals]
    reference = model.methods[model.reference]
    rows = []
    for kind in model.kinds:
        own = kind.scores[model.reference].estimate
        cells = [_difference(model, kind.scores[i]) for i in model.rivals]
        rows.append([kind.title, _value(model, own), *cells])
    head = ["Average over", f"{escape(reference.marked)}: {escape(model.wording.noun)}"]
    return table([*head, *(escape(m.marked) for m in rivals)], rows)


def _value(model: CompareModel, estimate: Estimate) -> str:
    return show_value(estimate.value, model.wording.measure.unit)


def _difference(model: CompareModel, score: Score) -> str:
    if score.difference.value is None:
        return escape(score.difference.reason)
    digits = model.wording.digits
    shown = signed(score.difference.value, digits)
    shown = f"{shown} {signed_interval(score.difference, digits)}".rstrip()
    shown = f"**{shown}**" if score.outcome in ("better", "worse") else shown
    return shown if score.status == "ok" else f"{shown} *{score.status}*"


def _heat(model: CompareModel) -> str:
    head = [f"{escape(m.marked)}<br>trained: {escape(m.training)}" for m in model.methods]
    rows = [
        [escape(line.threat), *(_value(model, s.estimate) for s in line.scores)]
        for line in model.lines
    ]
    return table(["Tested against", *head], rows)


def _lines(model: CompareModel) -> str:
    rows = []
    for line in model.lines:
        for method, score in zip(model.methods, line.scores, strict=True):
            if score.outcome == REFERENCE:
                continue
            rows.append(
                [
                    escape(line.threat),
                    escape(method.marked),
                    str(line.episodes),
                    _value(model, score.estimate),
                    _difference(model, score),
                    p_text(score.p_value),
                    f"{p_text(score.adjusted)} ({line.family})",
                    score.outcome,
                ]
            )
    title, unit = escape(model.wording.measure.title), escape(model.wording.unit)
    head = ["Threat", "Learner", "Episodes", title, f"Difference ({unit})", "p", "adjusted p"]
    return table([*head, "Outcome"], rows)

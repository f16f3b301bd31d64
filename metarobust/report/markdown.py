"""The report as Markdown, for a pull request, a chat or a terminal."""

import re
from collections.abc import Iterable, Sequence

from metarobust.audit.measure import Measure
from metarobust.report.adaptation import AdaptationPoint
from metarobust.report.aspects import AspectTable
from metarobust.report.fields import show_estimate
from metarobust.report.model import ReportModel
from metarobust.report.regression import is_regression, score_fields
from metarobust.report.rows import Row

_COLUMNS = ("accuracy", "drop_points", "retention", "robust_given_correct", "ece", "brier", "nll")


def render_markdown(model: ReportModel) -> str:
    """The whole report; figures are linked as files in `figures/` beside it."""
    parts = [
        f"# {escape(model.name)}",
        escape(model.subtitle),
        *(f"> **{escape(warning)}**" for warning in model.warnings),
        f"**{escape(model.verdict)}** {escape(model.trust)}",
        *_gates(model),
        "## Scorecard" if model.scorecards else "",
        *(f"- **{escape(card.marked)}**: {escape(card.sentence)}" for card in model.scorecards),
        _scorecard(model),
        *_figures("## Where it breaks", ((c.name, c.title, c.alt) for c in model.curves)),
        *_figures("## Corruption by severity", ((m.name, m.alt, m.alt) for m in model.heat_maps)),
        *_figures(
            "## What adaptation buys",
            ((p.figure.name, p.figure.title, p.figure.alt) for p in model.adaptation),
        ),
        *(_adaptation(panel.points) for panel in model.adaptation),
        *_figures(
            "## How it breaks",
            [
                *((p.name, p.alt, p.alt) for p in model.pictures),
                *((p.name, p.alt, p.alt) for p in model.fits),
            ],
        ),
        *_figures(
            "## Can its confidence be trusted?",
            [
                *((p.name, p.learner, p.alt) for p in model.reliability),
                *((p.name, p.learner, p.alt) for p in model.risk),
            ],
        ),
        *_certificates(model),
        *(part for aspect in model.aspects for part in _aspect(aspect)),
        "## Can the attacks be trusted?",
        escape(model.trust),
        _doubts(model.rows),
        *_learners(model),
        "## All numbers",
        "Brackets are 95% intervals. Bold: no learner is clearly better under the same threat.",
        _cells(model.rows),
        "## Protocol",
        facts(model.protocol),
        "## Threats",
        facts(
            (
                note.name,
                " ".join(filter(None, (note.summary, note.notes, note.setting, note.citation))),
            )
            for note in model.threats
        ),
        "## Provenance",
        _code(model.command) if model.command else "",
        facts(model.provenance),
        facts(model.versions.items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(text: str) -> str:
    r"""Text that Markdown and the HTML inside it show as it is, also in a table cell.

    >>> print(escape("a|b <i> _c_"))
    a\|b &lt;i&gt; \_c\_
    """
    entities = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    marked = re.sub(r"([\\`*_{}\[\]#|~$!]|:(?=//))", r"\\\1", entities)
    return marked.replace("@", "&#64;")


def _code(text: str) -> str:
    """A code block whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _gates(model: ReportModel) -> list[str]:
    if not model.gates:
        return []
    head = ["Gate", "Learner", "Decided by", "Measured", "Bound", "Limit", "Outcome"]
    lines = [
        [
            escape(row.result.gate),
            escape(row.result.learner),
            escape(row.result.threat),
            row.value,
            row.bound,
            row.limit,
            row.outcome if row.result.passed else f"**failed**: {escape(row.sentence)}",
        ]
        for row in model.gates
    ]
    return ["## Gates", f"**{model.gates_sentence}**", table(head, lines)]


def _certificates(model: ReportModel) -> list[str]:
    parts = ["## What is proven"] if model.certificates else []
    for one in model.certificates:
        rows = [[escape(text) for text in row] for row in one.rows]
        parts += [f"**{escape(one.title)}.** {escape(one.sentence)}", table(one.headings, rows)]
    return parts


def _scorecard(model: ReportModel) -> str:
    if not model.scorecards:
        return ""
    rows = []
    for item, *others in zip(*(card.items for card in model.scorecards), strict=True):
        cells = [item.title]
        for entry in (item, *others):
            if entry.accuracy.value is None or entry.row is None:
                cells.append(escape(entry.accuracy.reason))
                continue
            shown = show_estimate(entry.accuracy, "share")
            shown = f"**{shown}**" if entry.best else shown
            doubt = "" if entry.row.status == "ok" else f" *{entry.row.status}*"
            what = "" if entry.kind == "clean" else f"<br>{escape(_threat(entry.row))}"
            cells.append(f"{shown}{doubt}{what}")
        rows.append(cells)
    return table(["Worst of", *(escape(card.marked) for card in model.scorecards)], rows)


def _threat(row: Row) -> str:
    return f"{row.name}: {row.budget.text}" if row.budget.text else row.name


def _figures(title: str, figures: Iterable[tuple[str, str, str]]) -> list[str]:
    lines = [f"![{escape(alt)}](figures/{name}.svg)" for name, _, alt in figures]
    return [title, *lines] if lines else []


def _adaptation(points: Sequence[AdaptationPoint]) -> str:
    fields = _fields([point.row for point in points])
    lines = [
        [
            escape(point.row.learner),
            escape(point.row.threat),
            f"**{point.value}**" if point.own else str(point.value),
            *(show_estimate(point.row.scores[field.key], field.unit) for field in fields),
        ]
        for point in points
    ]
    return table(["Learner", "Threat", "At", *(field.title for field in fields)], lines)


def _aspect(aspect: AspectTable) -> list[str]:
    lines = [
        [
            escape(row.learner),
            escape(row.threat),
            *(
                show_estimate(estimate, column.unit)
                for column, estimate in zip(aspect.columns, estimates, strict=True)
            ),
        ]
        for row, estimates in aspect.rows
    ]
    head = ["Learner", "Threat", *(escape(column.title) for column in aspect.columns)]
    why = [f"- Missing: {escape(a.reason)}: {escape(a.words)}" for a in aspect.absent]
    drawn = _figures("", ((p.name, p.learner, p.alt) for p in aspect.panels))
    return [f"## {aspect.title}", aspect.intro, *drawn, table(head, lines), "\n".join(why)]


def _doubts(rows: Sequence[Row]) -> str:
    found = []
    for row in rows:
        if row.status != "ok":
            why = [f"{check.name}: {check.detail}" for check in row.failed_checks]
            why += row.failures
            shown = "; ".join(why) or f"{row.episodes} of {row.expected} episodes"
            found.append([escape(row.learner), escape(row.threat), row.status, escape(shown)])
    return table(["Learner", "Threat", "Verdict", "Why"], found) if found else ""


def _learners(model: ReportModel) -> list[str]:
    if not model.learners:
        return []
    lines = [
        [
            escape(row.learner),
            escape(row.field.title),
            escape(row.of),
            show_estimate(row.estimate, row.field.unit)
            if row.estimate.value is not None
            else escape(row.estimate.reason),
            escape(row.reference) or "—",
        ]
        for row in model.learners
    ]
    head = ["Learner", "Score", "Over", "Value", "Relative to"]
    return ["## Whole curves", table(head, lines)]


def _fields(rows: Sequence[Row]) -> tuple[Measure, ...]:
    fields = score_fields(rows)
    if is_regression(rows):
        return fields
    return tuple(field for field in fields if field.key in _COLUMNS)


def _cells(rows: Sequence[Row]) -> str:
    fields = _fields(rows)
    lines = []
    for row in rows:
        numbers = []
        for field in fields:
            shown = show_estimate(row.scores[field.key], field.unit)
            best = row.best and field == row.lead
            numbers.append(f"**{shown}**" if best else shown)
        lines.append(
            [
                escape(f"{row.learner} ({row.norm_mode})"),
                escape(row.name),
                row.budget.surface or "—",
                escape(row.budget.text) or "—",
                str(row.episodes),
                row.status if row.status == "ok" else f"**{row.status}**",
                *numbers,
            ]
        )
    head = ["Learner", "Threat", "Surface", "Budget", "Episodes", "Verdict"]
    return table([*head, *(field.title for field in fields)], lines) if lines else ""


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of terms with their values, as plain texts."""
    return "\n".join(f"- **{escape(term)}**: {escape(text)}" for term, text in pairs)

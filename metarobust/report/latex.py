"""The tables of a report as LaTeX for a paper: `booktabs`, bold best, every text escaped."""

from collections.abc import Sequence

from metarobust.report.fields import show_interval, show_value
from metarobust.report.gates import GateRow
from metarobust.report.headline import ScoreItem
from metarobust.report.model import ReportModel
from metarobust.report.rows import Row, rows_by_threat
from metarobust.stats.estimate import Estimate

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "∞": r"\(\infty\)",
    "ε": r"\(\varepsilon\)",
    "·": r"\textperiodcentered{}",
    "\N{MULTIPLICATION SIGN}": r"\(\times\)",
    "—": r"\textemdash{}",
    "\N{MINUS SIGN}": r"\(-\)",
    "…": r"\ldots{}",
}


def render_latex(model: ReportModel) -> str:
    r"""Tables to `\input` into a paper: the scorecard, the gates if there are any, every cell.

    In the scorecard the best learner of each column is bold, and so is every learner whose
    interval overlaps the best one's; in the table of cells, of each threat. Needs the packages
    `array`, `booktabs`, `longtable` and `textcomp`.
    """
    return "\n".join(
        [
            "% Needs \\usepackage{array,booktabs,longtable,textcomp}.",
            *(f"% {comment(warning)}" for warning in model.warnings),
            *_scorecard(model),
            *gates_table(model),
            "",
            *_cells(model),
            "",
        ]
    )


def escape(text: str) -> str:
    r"""Text that LaTeX prints as it is; a character beyond Latin becomes its code, as U+0531.

    >>> print(escape("50% of a_b & c"))
    50\% of a\_b \& c
    """
    return "".join(_SPECIAL.get(c) or (c if ord(c) < 0x180 else f"U+{ord(c):04X}") for c in text)


def comment(text: str) -> str:
    """Text that may stand behind a `%`: one line of ASCII."""
    return text.encode("ascii", "replace").decode()


def caption(model: ReportModel, words: str) -> str:
    """A caption: words, then the run, its protocol and its warnings."""
    protocol = dict(model.protocol)
    facts = [protocol.get(term, "unknown") for term in ("Data set", "Episode", "Episodes per cell")]
    shown = f"{facts[0]}, {facts[1]}; episodes per cell: {facts[2]}."
    caution = " ".join(model.warnings)
    return rf"\caption{{{escape(f'{words} {model.name}: {shown} {caution}'.strip())}}}"


def _scorecard(model: ReportModel) -> list[str]:
    if not model.scorecards:
        return ["% No cells, no scorecard."]
    titles = [item.title for item in model.scorecards[0].items]
    words = "Accuracy (percent) under the worst threat of each kind, with 95% intervals."
    lines = []
    for card in model.scorecards:
        values = " & ".join(_item(item) for item in card.items)
        intervals = " & ".join(_interval(item.accuracy) for item in card.items)
        lines += [f"{escape(card.marked)} & {values} \\\\", f" & {intervals} \\\\[2pt]"]
    notes = [
        f"{card.learner}, {item.title.lower()}: {_setting(item.row)}."
        for card in model.scorecards
        for item in card.items
        if item.row is not None and item.kind != "clean"
    ]
    return [
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
        caption(model, words),
        rf"\begin{{tabular}}{{l{'r' * len(titles)}}}",
        r"\toprule",
        f"Learner & {' & '.join(map(_stacked, titles))} \\\\",
        r"\midrule",
        *lines,
        r"\bottomrule",
        r"\end{tabular}",
        rf"\par\smallskip{{{escape(' '.join(notes))}}}",
        r"\end{table}",
    ]


def gates_table(model: ReportModel) -> list[str]:
    """The lines of a table of gates; none where the audit has none."""
    if not model.gates:
        return []
    words = "Gates, judged at the pessimistic end (bound) of the 95% interval."
    failed = [f"{row.result.gate}: {row.sentence}." for row in model.gates if not row.result.passed]
    return [
        "",
        r"\begin{table}",
        r"\centering\footnotesize",
        caption(model, f"{words} {model.gates_sentence}"),
        rf"\begin{{tabular}}{{l{paragraph(0.42)}lrr}}",
        r"\toprule",
        r"Outcome & Gate & Learner & Bound & Limit \\",
        r"\midrule",
        *map(_gate, model.gates),
        r"\bottomrule",
        r"\end{tabular}",
        rf"\par\smallskip{{{escape(' '.join(failed))}}}",
        r"\end{table}",
    ]


def _gate(row: GateRow) -> str:
    outcome = "passed" if row.result.passed else r"\textbf{failed}"
    facts = (row.result.gate, row.result.learner, row.bound, row.limit)
    return f"{outcome} & {' & '.join(map(escape, facts))} \\\\"


def paragraph(share: float) -> str:
    r"""A column that breaks lines, `share` of the line wide."""
    return rf">{{\raggedright\arraybackslash}}p{{{share}\linewidth}}"


def _stacked(words: str) -> str:
    return rf"\shortstack[r]{{{escape(words).replace(' ', chr(92) * 2)}}}"


def _item(item: ScoreItem) -> str:
    status = "ok" if item.row is None else item.row.status
    return _value(item.accuracy, bold=item.best, status=status)


def _value(estimate: Estimate, *, bold: bool, status: str) -> str:
    if estimate.value is None:
        return "error" if status == "error" else r"\textemdash{}"
    shown = show_value(estimate.value, "share").rstrip("%")
    shown = rf"\textbf{{{shown}}}" if bold else shown
    return shown if status == "ok" else rf"{shown}\textsuperscript{{{status}}}"


def _interval(estimate: Estimate) -> str:
    interval = show_interval(estimate, "share")
    return rf"{{\scriptsize {{{interval}}}}}" if interval else ""


def _number(row: Row) -> str:
    value = _value(row.accuracy, bold=row.best, status=row.status)
    return f"{value} {_interval(row.accuracy)}".rstrip()


def _setting(row: Row) -> str:
    return f"{row.name}; {row.budget.text}; {row.norm_mode} statistics; {row.episodes} episodes"


def _cells(model: ReportModel) -> list[str]:
    learners = [card.learner for card in model.scorecards]
    if not learners:
        return []
    head = f"Threat & Surface & Budget & {' & '.join(map(escape, learners))} \\\\"
    return [
        r"\begingroup\footnotesize\setlength{\tabcolsep}{4pt}",
        rf"\begin{{longtable}}{{ll{paragraph(0.24)}{'r' * len(learners)}}}",
        caption(model, "Accuracy (percent) of every cell, with 95% intervals.") + r" \\",
        r"\toprule",
        head,
        r"\midrule",
        r"\endhead",
        *(_line(group, learners) for group in rows_by_threat(model.rows)),
        r"\bottomrule",
        r"\end{longtable}",
        r"\endgroup",
    ]


def _line(group: Sequence[Row], learners: Sequence[str]) -> str:
    first = group[0]
    about = (first.name, first.budget.surface or "", first.budget.text)
    numbers = [
        " / ".join(_number(row) for row in group if row.learner == learner) or r"\textemdash{}"
        for learner in learners
    ]
    return f"{' & '.join(map(escape, about))} & {' & '.join(numbers)} \\\\"

"""The tables of a comparison as LaTeX for a paper: `booktabs`, every text escaped."""

from metarobust.audit.compare import Score
from metarobust.report.compare_model import CompareModel, StandingView
from metarobust.report.compare_words import signed, signed_interval
from metarobust.report.fields import show_value
from metarobust.report.latex import comment, escape

_NOTE = (
    r"paired by episode, with 95\% intervals. Bold: adjusted \(p \le 0.05\) (sign-flip tests, or "
    r"Welch's \(t\) over training seeds; Holm over named threats, Benjamini-Hochberg over "
    r"corruptions)."
)


def render_compare_latex(model: CompareModel) -> str:
    r"""Tables to `\input` into a paper: averages by kind, also against yardsticks; every threat."""
    return "\n".join(
        [
            "% Needs \\usepackage{booktabs,longtable,textcomp}.",
            *(f"% {comment(note)}" for note in (*model.warnings, model.no_yardstick) if note),
            *_kinds(model, "Gain and price, averaged over the threats of each kind."),
            "",
            *(line for standing in model.standings for line in _standing(model, standing)),
            *_lines(model),
            "",
        ]
    )


def _caption(model: CompareModel, words: str) -> str:
    caution = " ".join(model.warnings)
    shown = escape(f"{words} {model.name}: {model.subtitle}. {model.trust} {caution}".strip())
    return rf"\caption{{{shown} {escape(_unit(model))}, {_NOTE}}}"


def _unit(model: CompareModel) -> str:
    wording = model.wording
    if wording.is_accuracy:
        return "Differences in percentage points"
    share = wording.measure.unit == "share"
    return f"Differences of {wording.noun} in {'percentage points' if share else wording.unit}"


def _head(model: CompareModel, first: str) -> str:
    reference = model.methods[model.reference]
    names = [escape(model.methods[i].marked) for i in model.rivals]
    percent = r" (\%)" if model.wording.measure.unit == "share" else ""
    return " & ".join([first, f"{escape(reference.marked)}{percent}", *names]) + r" \\"


def _standing(model: CompareModel, standing: StandingView) -> list[str]:
    return [*_kinds(model.against(standing), f"{standing.verdict} {standing.scope}"), ""]


def _kinds(model: CompareModel, words: str) -> list[str]:
    rows = [_row(model, escape(kind.title), kind.scores) for kind in model.kinds]
    return [
        r"\begin{table}",
        r"\centering",
        _caption(model, words),
        rf"\begin{{tabular}}{{lr{'r' * len(model.rivals)}}}",
        r"\toprule",
        _head(model, "Average over"),
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def _lines(model: CompareModel) -> list[str]:
    rows = [_row(model, escape(line.threat), line.scores) for line in model.lines]
    return [
        r"\begingroup\footnotesize",
        rf"\begin{{longtable}}{{lr{'r' * len(model.rivals)}}}",
        _caption(model, "Every threat.") + r" \\",
        r"\toprule",
        _head(model, "Threat"),
        r"\midrule",
        r"\endhead",
        *rows,
        r"\bottomrule",
        r"\end{longtable}",
        r"\endgroup",
    ]


def _row(model: CompareModel, name: str, scores: tuple[Score, ...]) -> str:
    own = show_value(scores[model.reference].estimate.value, model.wording.measure.unit).rstrip("%")
    return (
        " & ".join([name, escape(own), *(_number(model, scores[i]) for i in model.rivals)]) + r" \\"
    )


def _number(model: CompareModel, score: Score) -> str:
    if score.difference.value is None:
        return r"\textemdash{}"
    shown = escape(signed(score.difference.value, model.wording.digits))
    shown = rf"\textbf{{{shown}}}" if score.outcome in ("better", "worse") else shown
    doubt = "" if score.status == "ok" else rf"\textsuperscript{{{score.status}}}"
    interval = signed_interval(score.difference, model.wording.digits)
    return shown + doubt + (rf" {{\scriptsize {escape(interval)}}}" if interval else "")

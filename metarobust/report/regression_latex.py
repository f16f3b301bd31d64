"""The cells of a regression run as a LaTeX table for a paper."""

from metarobust.audit.regression_scores import REGRESSION_MEASURES
from metarobust.report.fields import show_interval, show_value
from metarobust.report.latex import caption, comment, escape, gates_table, paragraph
from metarobust.report.model import ReportModel

_COLUMNS = ("mse", "mse_increase", "nll", "coverage", "width")


def render_regression_latex(model: ReportModel) -> str:
    r"""Tables to `\input` into a paper: the gates if there are any, and a row a cell.

    Intervals are 95 %. Needs the packages `array`, `booktabs`, `longtable` and `textcomp`.
    """
    return "\n".join(
        [
            "% Needs \\usepackage{array,booktabs,longtable,textcomp}.",
            *(f"% {comment(warning)}" for warning in model.warnings),
            *gates_table(model),
            *_table(model),
            "",
        ]
    )


def _table(model: ReportModel) -> list[str]:
    fields = [field for field in REGRESSION_MEASURES if field.key in _COLUMNS]
    heads = [escape(field.title) for field in fields]
    lines = []
    for row in model.rows:
        about = (row.learner, row.name, row.budget.surface or "", row.budget.text)
        numbers = []
        for field in fields:
            score = row.scores[field.key]
            interval = show_interval(score, field.unit)
            shown = escape(show_value(score.value, field.unit))
            numbers.append(shown + (rf" {{\scriptsize {{{interval}}}}}" if interval else ""))
        doubt = "" if row.status == "ok" else rf"\textsuperscript{{{row.status}}}"
        lines.append(f"{' & '.join(map(escape, about))}{doubt} & {' & '.join(numbers)} \\\\")
    return [
        r"\begingroup\footnotesize\setlength{\tabcolsep}{4pt}",
        rf"\begin{{longtable}}{{lll{paragraph(0.2)}{'r' * len(fields)}}}",
        caption(model, "Mean squared error and predictive scores of every cell.") + r" \\",
        r"\toprule",
        f"Learner & Threat & Surface & Budget & {' & '.join(heads)} \\\\",
        r"\midrule",
        r"\endhead",
        *lines,
        r"\bottomrule",
        r"\end{longtable}",
        r"\endgroup",
    ]

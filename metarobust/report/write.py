"""A report in a run folder: every format written whole or not at all."""

import re
from pathlib import Path

from metarobust.core.jsonio import write_atomic
from metarobust.report.figures import draw_figures
from metarobust.report.html import render_html
from metarobust.report.junit import render_junit
from metarobust.report.latex import render_latex
from metarobust.report.markdown import render_markdown
from metarobust.report.model import ReportModel
from metarobust.report.regression import is_regression
from metarobust.report.regression_latex import render_regression_latex
from metarobust.report.tables import (
    render_adaptation_csv,
    render_csv,
    render_learners_csv,
    render_parquet,
    render_summary,
)

_OURS = re.compile(
    r"(accuracy|corruptions|adaptation|reliability|risk|sets|episode)-\d+.*\.(svg|pdf)"
)


def write_report(folder: Path, model: ReportModel) -> list[Path]:
    """Write a report in every format.

    Args:
        folder: the run's folder; made if it does not exist. Figures of an earlier report that
            this one no longer has are removed, and so are `junit.xml` where there is no gate and
            `adaptation.csv` where there is no curve.
        model: what to say.

    Returns:
        The files written, the page first.
    """
    drawings = draw_figures(model)
    latex = render_regression_latex if is_regression(model.rows) else render_latex
    contents: dict[str, bytes | str] = {
        "report.html": render_html(model, {drawing.name: drawing.inline for drawing in drawings}),
        "report.md": render_markdown(model),
        "report.tex": latex(model),
        "cells.csv": render_csv(model),
        "cells.parquet": render_parquet(model),
        "summary.json": render_summary(model),
        "learners.csv": render_learners_csv(model),
    }
    if model.adaptation:
        contents["adaptation.csv"] = render_adaptation_csv(model)
    if model.gates:
        contents["junit.xml"] = render_junit(model)
    for drawing in drawings:
        contents[f"figures/{drawing.name}.svg"] = drawing.svg
        contents[f"figures/{drawing.name}.pdf"] = drawing.pdf
    for name, content in contents.items():
        write_atomic(folder / name, content)
    for name in {"adaptation.csv", "junit.xml"} - set(contents):
        (folder / name).unlink(missing_ok=True)
    for path in (folder / "figures").glob("*"):
        if _OURS.fullmatch(path.name) and f"figures/{path.name}" not in contents:
            path.unlink()
    return [folder / name for name in contents]

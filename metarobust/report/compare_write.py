"""A comparison in a folder: every format written whole or not at all."""

from pathlib import Path

from metarobust.core.jsonio import write_atomic
from metarobust.report.compare_figures import draw_comparison
from metarobust.report.compare_html import render_compare_html
from metarobust.report.compare_latex import render_compare_latex
from metarobust.report.compare_markdown import render_compare_markdown
from metarobust.report.compare_model import CompareModel
from metarobust.report.compare_tables import render_compare_csv, render_compare_json

_FIGURES = ("compare-differences", "compare-heat-map", "compare-ranks")


def write_comparison(folder: Path, model: CompareModel) -> list[Path]:
    """Write a comparison in every format.

    Args:
        folder: where to; made if it does not exist. A figure of an earlier comparison that this
            one no longer has is removed.
        model: what to say.

    Returns:
        The files written, the page first.
    """
    drawings = draw_comparison(model)
    figures = {drawing.name: drawing.inline for drawing in drawings}
    contents: dict[str, bytes | str] = {
        "compare.html": render_compare_html(model, figures),
        "compare.md": render_compare_markdown(model),
        "compare.tex": render_compare_latex(model),
        "compare.csv": render_compare_csv(model),
        "compare.json": render_compare_json(model),
    }
    for drawing in drawings:
        contents[f"figures/{drawing.name}.svg"] = drawing.svg
        contents[f"figures/{drawing.name}.pdf"] = drawing.pdf
    for name, content in contents.items():
        write_atomic(folder / name, content)
    for name in (f"figures/{figure}.{end}" for figure in _FIGURES for end in ("svg", "pdf")):
        if name not in contents:
            (folder / name).unlink(missing_ok=True)
    return [folder / name for name in contents]

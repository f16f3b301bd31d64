"""A comparison as one HTML file, by the standards of the report page."""

from collections.abc import Mapping

from metarobust.report.compare_model import CompareModel
from metarobust.report.html import render_page


def render_compare_html(model: CompareModel, figures: Mapping[str, str]) -> str:
    """The page: offline, without JavaScript, in light and in dark; every text escaped.

    Args:
        model: what to say.
        figures: inline SVG by figure name; a name that is missing leaves its words instead.
    """
    return render_page(
        "compare.html.j2",
        figures,
        styles=("compare.css",),
        model=model,
        reference=model.methods[model.reference],
    )

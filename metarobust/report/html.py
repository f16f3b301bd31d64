"""The report as one HTML file that works offline, without JavaScript, in light and in dark."""

import base64
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image as PillowImage

from metarobust.core.bundled import bundled
from metarobust.report.compare_words import p_text, signed, signed_interval
from metarobust.report.fields import show_estimate, show_interval, show_value
from metarobust.report.headline import keys_shown
from metarobust.report.model import ReportModel
from metarobust.report.pictures import Image
from metarobust.report.regression import is_regression, page_fields
from metarobust.report.text import percent


def render_html(model: ReportModel, figures: Mapping[str, str]) -> str:
    """The page.

    Args:
        model: what to say.
        figures: inline SVG by figure name, as `Drawing.inline` gives it; a name that is missing
            leaves its figure out.

    Returns:
        A document that asks for nothing outside itself. Every text of the model is escaped; the
        one script is admitted by its hash, so that no other can run.
    """
    fields, further = page_fields(model.rows)
    return render_page(
        "report.html.j2",
        figures,
        model=model,
        fields=fields,
        further=further,
        regression=is_regression(model.rows),
        worst_keys=keys_shown(model.scorecards),
    )


def render_page(
    template: str, figures: Mapping[str, str], *, styles: Sequence[str] = (), **values: Any
) -> str:
    """A page in the house style.

    Args:
        template: name of a file in `reports/templates`.
        figures: inline SVG by figure name.
        styles: names of style sheets that the page needs besides the common one.
        values: what the template says; every text in it is escaped.
    """
    folder = _templates()
    script = (folder / "report.js").read_text(encoding="utf-8")
    sheets = [(folder / name).read_text(encoding="utf-8") for name in ("style.css", *styles)]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        page_environment()
        .get_template(template)
        .render(
            figures={name: Markup(svg) for name, svg in figures.items()},
            style=Markup("".join(sheets)),
            script=Markup(script),
            script_hash=digest,
            **values,
        )
    )


def page_environment() -> Environment:
    """The templates with the house's filters; every text they print is escaped."""
    environment = Environment(
        loader=FileSystemLoader(_templates()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "value": show_value,
        "interval": show_interval,
        "estimate": show_estimate,
        "percent": percent,
        "png": data_uri,
        "signed": signed,
        "signed_interval": signed_interval,
        "p": p_text,
    }
    return environment


def _templates() -> Path:
    return bundled("reports") / "templates"


def data_uri(image: Image) -> str:
    """An image uint8 [H, W, 3] as a PNG in a `data:` address."""
    buffer = io.BytesIO()
    flat = (image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all()
    shown = PillowImage.fromarray(image[..., 0] if flat else image)
    shown.save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"

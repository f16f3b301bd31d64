"""The page of a large audit of colour images stays small enough to send by mail."""

from dataclasses import replace

import numpy as np
import pytest

from metarobust.report.figures import draw_figures
from metarobust.report.html import render_html
from metarobust.report.model import build_report
from tests.support.synthetic_run import synthetic_run

CELLS, LEARNERS, SIDE = 200, 6, 84


def large_audit():
    """Six learners under every threat; the images are noise in colour, which no PNG makes small."""
    rng = np.random.default_rng(0)
    run = synthetic_run()
    first = [c for c in run.scored if c.evidence.description["learner"]["label"] == "protonet"]
    noise = rng.random((2, 1, 3, SIDE, SIDE), dtype=np.float32)
    scored, verdicts = [], {}
    for number in range(LEARNERS):
        for cell in first:
            about = cell.evidence.description
            key = f"{number}{cell.evidence.key[1:]}"
            learner = {**about["learner"], "label": f"learner number {number}"}
            images = {
                name: noise[int(name.endswith("_clean"))] + np.zeros((len(values), 1, 1, 1))
                if values.ndim == 4
                else values
                for name, values in cell.evidence.picture.items()
            }
            evidence = replace(
                cell.evidence, key=key, description={**about, "learner": learner}, picture=images
            )
            scored.append(replace(cell, evidence=evidence))
            verdicts[key] = run.verdicts[cell.evidence.key]
    return build_report(run.manifest, scored, verdicts)


@pytest.mark.slow
def test_two_hundred_cells_take_less_than_five_megabytes():
    model = large_audit()
    assert len(model.rows) >= CELLS
    assert len(model.pictures) >= LEARNERS
    figures = draw_figures(replace(model, pictures=()))
    page = render_html(model, {drawing.name: drawing.inline for drawing in figures})
    assert page.count("data:image/png") > 100
    assert len(page.encode()) < 5_000_000

"""The synthetic run, modelled and drawn once for all tests of the report."""

from dataclasses import replace

import pytest

from metarobust.report.figures import draw_figures
from metarobust.report.model import build_report
from metarobust.report.write import write_report
from tests.support.synthetic_run import synthetic_run


@pytest.fixture(scope="session")
def run():
    return synthetic_run()


@pytest.fixture(scope="session")
def model(run):
    return build_report(run.manifest, run.scored, run.verdicts, curves=run.curves)


@pytest.fixture(scope="session")
def drawings(model):
    return draw_figures(model)


@pytest.fixture(scope="session")
def hostile_model():
    run = synthetic_run(hostile=True)
    return build_report(run.manifest, run.scored, run.verdicts, curves=run.curves)


@pytest.fixture(scope="session")
def hostile_drawings(hostile_model):
    some = replace(
        hostile_model,
        curves=hostile_model.curves[:2],
        reliability=hostile_model.reliability[:1],
        pictures=hostile_model.pictures[:1],
    )
    return draw_figures(some)


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """The folder of a report made from scratch."""
    folder = tmp_path_factory.mktemp("written")
    run = synthetic_run()
    return folder, write_report(
        folder, build_report(run.manifest, run.scored, run.verdicts, curves=run.curves)
    )


@pytest.fixture(scope="session")
def limited_model(run):
    return build_report({**run.manifest, "limited": True}, run.scored, run.verdicts)


@pytest.fixture(scope="session")
def empty_model(run):
    return build_report({"name": "empty"}, [], {})

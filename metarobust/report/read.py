"""A run folder as the model of its report."""

from os import PathLike
from pathlib import Path

from metarobust.audit.read import read_run
from metarobust.report.model import ReportModel, build_report


def read_report(folder: str | PathLike[str]) -> ReportModel:
    """Read, score and model a run, finished or not.

    Raises:
        StoreError: it is not a run folder, or its evidence is damaged.
        ConfigError: a gate in its `config.yaml` is wrong.
    """
    run = read_run(Path(folder))
    return build_report(run.manifest, run.cells, run.verdicts, run.gates, run.curves)

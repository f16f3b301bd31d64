"""A run for Weights & Biases: one run with a table of cells, and the files as an artifact."""

from pathlib import Path

from metarobust.core.extras import required
from metarobust.report.export.record import attachments, conditions, measures, title
from metarobust.report.model import ReportModel
from metarobust.report.text import slug


def to_wandb(model: ReportModel, folder: Path, project: str) -> str:
    """Log a run; `WANDB_MODE=offline` keeps it on this machine.

    The run's configuration is the protocol; each cell's scores are summary values named
    `LEARNER/THREAT/SCORE`, and a row of the table `cells` together with its conditions.

    Args:
        model: the report of the run.
        folder: the run folder, whose report, configuration and manifest become an artifact.
        project: the project.

    Returns:
        Where it went.

    Raises:
        ConfigError: wandb is not installed.
    """
    wandb = required("wandb", "wandb")
    records = [{**conditions(row), **measures(row)} for row in model.rows]
    columns = list(dict.fromkeys(name for record in records for name in record))
    with wandb.init(
        project=project, name=model.name, job_type="audit", config=dict(model.protocol)
    ) as run:
        data = [[record.get(name) for name in columns] for record in records]
        run.log({"cells": wandb.Table(columns=columns, data=data)})
        run.summary.update(
            {
                f"{title(row)}/{name}": value
                for row in model.rows
                for name, value in measures(row).items()
            }
        )
        artifact = wandb.Artifact(slug(model.name), type="audit")
        for file in attachments(folder):
            artifact.add_file(str(file))
        run.log_artifact(artifact)
        return str(run.url or run.dir)

"""A run for MLflow: one run for the audit with its files, one nested run a cell."""

from pathlib import Path

from metarobust.core.extras import required
from metarobust.report.export.record import attachments, conditions, measures, title
from metarobust.report.model import ReportModel


def to_mlflow(model: ReportModel, folder: Path, project: str) -> str:
    """Log a run to the tracking server that `MLFLOW_TRACKING_URI` names, or to MLflow's default.

    Args:
        model: the report of the run.
        folder: the run folder, whose report, configuration and manifest are attached.
        project: the experiment.

    Returns:
        Where it went.

    Raises:
        ConfigError: mlflow is not installed.
    """
    mlflow = required("mlflow", "mlflow")
    mlflow.set_experiment(project)
    with mlflow.start_run(run_name=model.name) as audit:
        mlflow.set_tags({"status": model.status, "verdict": model.verdict})
        for file in attachments(folder):
            mlflow.log_artifact(str(file))
        for row in model.rows:
            with mlflow.start_run(run_name=title(row), nested=True):
                mlflow.log_params(conditions(row))
                mlflow.log_metrics(measures(row))
    return f"{mlflow.get_tracking_uri()}, experiment {project}, run {audit.info.run_id}"

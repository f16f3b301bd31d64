"""`metarobust export`: hand a finished run to a tracker, or write model cards of its learners."""

from pathlib import Path

import click

from metarobust.cli.common import say

FOLDERS = ("tensorboard", "huggingface")
SERVERS = ("mlflow", "wandb")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "target", required=True, type=click.Choice((*FOLDERS, *SERVERS)))
@click.option(
    "--out", metavar="FOLDER", type=click.Path(path_type=Path),
    help="Where files go (tensorboard, huggingface); default RUN/NAME-OF-TARGET.",
)  # fmt: skip
@click.option("--project", help="Experiment or project (mlflow, wandb); default metarobust.")
def export(run: Path, target: str, out: Path | None, project: str | None) -> None:
    """Hand RUN to a tracker: tensorboard, mlflow, wandb, or huggingface model cards.

    The run is only read. Each tracker is an optional package (`pip install metarobust[mlflow]`) and
    takes its own environment variables, such as MLFLOW_TRACKING_URI or WANDB_MODE=offline; model
    cards need no package.
    """
    if out is not None and target in SERVERS:
        raise click.UsageError(f"--out is for {' and '.join(FOLDERS)}; {target} takes --project")
    if project is not None and target in FOLDERS:
        raise click.UsageError(f"--project is for {' and '.join(SERVERS)}; {target} takes --out")

    from metarobust.report.export.record import plain_refusals
    from metarobust.report.read import read_report

    model = read_report(run)
    folder, named = out or run / target, project or "metarobust"
    with plain_refusals(target):
        if target == "tensorboard":
            from metarobust.report.export.tensorboard import to_tensorboard

            where = to_tensorboard(model, folder)
        elif target == "huggingface":
            from metarobust.report.export.huggingface import to_huggingface

            where = to_huggingface(model, folder)
        elif target == "mlflow":
            from metarobust.report.export.mlflow import to_mlflow

            where = to_mlflow(model, run, named)
        else:
            from metarobust.report.export.wandb import to_wandb

            where = to_wandb(model, run, named)
    say(f"exported to {where}")

"""A run for TensorBoard: one trial a cell, conditions and scores side by side in HPARAMS."""

from pathlib import Path

from metarobust.core.extras import required
from metarobust.report.export.record import conditions, measures, title
from metarobust.report.model import ReportModel
from metarobust.report.text import slug


def to_tensorboard(model: ReportModel, out: Path) -> str:
    """Write event files, one folder a cell, that `tensorboard --logdir` shows.

    The scores are scalars at step 0. Event files of an earlier export to the folder are replaced.

    Args:
        model: the report of the run.
        out: the log folder; made if it is absent.

    Returns:
        The folder.

    Raises:
        ConfigError: tensorboard is not installed.
    """
    events = required("tensorboard.summary.writer.event_file_writer", "tensorboard")
    event_pb2 = required("tensorboard.compat.proto.event_pb2", "tensorboard")
    hparams = required("tensorboard.plugins.hparams.summary_v2", "tensorboard")
    scalars = required("tensorboard.plugins.scalar.summary_v2", "tensorboard")
    for position, row in enumerate(model.rows):
        folder = out / f"{position:03d}-{slug(title(row))}"
        for stale in folder.glob("events.out.tfevents.*"):
            stale.unlink()
        summaries = [hparams.hparams_pb(conditions(row), trial_id=row.key)]
        summaries += [scalars.scalar_pb(name, value) for name, value in measures(row).items()]
        writer = events.EventFileWriter(str(folder))
        for summary in summaries:
            writer.add_event(event_pb2.Event(step=0, summary=summary))
        writer.close()
    return str(out)

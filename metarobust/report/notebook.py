"""A run in a notebook: its answer as a fragment of HTML, and its model for whoever asks more."""

from dataclasses import dataclass
from os import PathLike

from metarobust.report.html import page_environment
from metarobust.report.model import ReportModel
from metarobust.report.read import read_report


@dataclass(frozen=True)
class RunView:
    """A run that shows itself at the end of a notebook's cell.

    Attributes:
        model: everything its report says: `model.rows` for the cells, `model.scorecards`, ...
    """

    model: ReportModel

    def _repr_html_(self) -> str:
        """Verdict, warnings, failed gates and a table of scorecards, every text escaped.

        There is no style, script or image in it: a notebook shows it in its own fonts and colours,
        also one that is not trusted.
        """
        return page_environment().get_template("notebook.html.j2").render(model=self.model)


def open_run(folder: str | PathLike[str]) -> RunView:
    """Read a run folder, finished or not; to be called in a notebook.

    Raises:
        StoreError: it is not a run folder, or its evidence is damaged.
        ConfigError: a gate in its `config.yaml` is wrong.
    """
    return RunView(read_report(folder))

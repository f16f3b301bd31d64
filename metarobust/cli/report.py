"""`metarobust report`: write the report of a run folder again, from its evidence."""

import sys
from pathlib import Path

import click

from metarobust.cli.common import EXIT_GATE, gates_passed, json_option, say


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@json_option
def report(run: Path, as_json: bool) -> None:
    """Write the report of RUN again, from its evidence. Needs no GPU and no data set.

    The gates in RUN/config.yaml are judged again; exit code 1 says that one failed.
    """
    from metarobust.report.read import read_report
    from metarobust.report.tables import render_summary
    from metarobust.report.write import write_report

    model = read_report(run)
    files = write_report(run, model)
    if as_json:
        click.echo(render_summary(model), nl=False)
    for file in files:
        say(str(file))
    if not gates_passed(model):
        sys.exit(EXIT_GATE)

"""`metarobust ls`: what there is."""

from pathlib import Path

import click

from metarobust.cli.common import emit, json_option, table

# Kept here, and not asked of the catalogue, so that --help need not import it; a test compares.
KINDS = (
    "attacks",
    "backbones",
    "checkpoints",
    "checks",
    "configs",
    "corruptions",
    "datasets",
    "engines",
    "learners",
    "suites",
)


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument(
    "folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@json_option
def ls(kind: str, folder: Path | None, as_json: bool) -> None:
    """List the attacks, learners, data sets... that there are.

    `checkpoints` lists the bundled zoo, or with FOLDER the training runs in it.
    """
    from metarobust.cli.catalogue import catalogue, checkpoints, trained

    if folder is not None and kind != "checkpoints":
        raise click.UsageError(f"{kind} takes no FOLDER; only checkpoints do")
    entries = catalogue(kind) if folder is None else checkpoints(trained(folder))
    if as_json:
        emit(entries)
        return
    if not entries:
        click.echo(f"no {kind}")
        return
    headings = tuple(entries[0])
    rows = [tuple(str(entry[heading]) for heading in headings) for entry in entries]
    click.echo(table(rows, headings))

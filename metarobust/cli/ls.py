"""`metarobust ls`: what there is."""

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
@json_option
def ls(kind: str, as_json: bool) -> None:
    """List the attacks, learners, data sets... that there are."""
    from metarobust.cli.catalogue import catalogue

    entries = catalogue(kind)
    if as_json:
        emit(entries)
        return
    if not entries:
        click.echo(f"no {kind}")
        return
    headings = tuple(entries[0])
    rows = [tuple(str(entry[heading]) for heading in headings) for entry in entries]
    click.echo(table(rows, headings))

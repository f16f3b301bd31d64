"""`metarobust compare`: learners of several runs side by side, paired by episode."""

from pathlib import Path

import click

from metarobust.cli.common import json_option, run_folder, say, table


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", metavar="FOLDER", help="Where to write; default runs/compare-RUN-RUN.")
@click.option(
    "--reference",
    metavar="LABEL",
    help="Compare the others with this learner; default the one that was trained clean.",
)
@click.option(
    "--score",
    metavar="NAME",
    show_default="accuracy, or mse of regressions",
    help="What to compare: a score that is a mean over episodes, see docs/measures.md.",
)
@json_option
def compare(
    runs: tuple[Path, ...], out: str | None, reference: str | None, score: str | None, as_json: bool
) -> None:
    """Compare the learners of one or more RUN folders on the episodes they share.

    Says what each learner gains under every threat and what it pays on clean images, with intervals
    and adjusted p-values, and how it stands to the yardsticks: learners trained without episodes.
    Runs on other data, another protocol or another seed are refused.
    """
    from metarobust.audit.compare import comparable
    from metarobust.audit.compare import compare as compare_methods
    from metarobust.audit.contest import read_contest
    from metarobust.core.environment import command_line
    from metarobust.report.compare_model import build_comparison
    from metarobust.report.compare_tables import render_compare_json
    from metarobust.report.compare_terminal import compare_headings, compare_rows
    from metarobust.report.compare_write import write_comparison
    from metarobust.report.text import slug

    contest = read_contest(runs)
    measure = comparable(score, regression=contest.regression)
    comparison = compare_methods(contest, measure=measure, reference=reference)
    model = build_comparison(comparison, command_line())
    own = [] if measure.key in ("accuracy", "mse") else [slug(measure.key)]
    name = "-".join(["compare", *own, *(slug(named.name) for named in comparison.runs)])
    files = write_comparison(run_folder(name[:120], out), model)
    if as_json:
        click.echo(render_compare_json(model), nl=False)
    else:
        for warning in model.warnings:
            say(f"note: {warning}")
        for label, reason in model.left_out:
            say(f"not compared: {label} ({reason})")
        say(model.verdict)
        say(table(compare_rows(model), compare_headings(model)))
        for standing in model.standings:
            say(standing.verdict)
            say(table(compare_rows(model.against(standing)), compare_headings(model)))
        if model.no_yardstick:
            say(f"note: {model.no_yardstick}")
    say(f"comparison: {files[0]}")

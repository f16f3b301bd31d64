"""`metarobust audit`: evaluate trained learners under threats, and write the report."""

import sys

import click

from metarobust.cli.common import (
    allow_code_option,
    emit,
    emit_config,
    json_option,
    print_config_option,
    run_folder,
    say,
    set_option,
    table,
)

EXIT_INCOMPLETE = 3


@click.command()
@click.argument("config", default="quick")
@click.option("--out", metavar="FOLDER", help="The run folder; default runs/NAME.")
@click.option("--episodes", type=click.IntRange(min=1), help="Only the first N episodes.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes; default one a core.")
@click.option("--dry-run", is_flag=True, help="Show cells, gradients and time, compute nothing.")
@click.option("--retry-failed", is_flag=True, help="Try again what failed in an earlier call.")
@set_option
@allow_code_option
@print_config_option
@json_option
def audit(
    config: str,
    out: str | None,
    episodes: int | None,
    workers: int | None,
    dry_run: bool,
    retry_failed: bool,
    overrides: tuple[str, ...],
    allow_code: tuple[str, ...],
    print_config: bool,
    as_json: bool,
) -> None:
    """Audit trained learners and write the report.

    CONFIG is a bundled configuration (see `metarobust ls configs`) or a YAML file; without one, the
    embedded `quick` audit runs. A run that was stopped, by whatever means, goes on when the same
    command is given again.
    """
    from metarobust.config.audit import AuditConfig
    from metarobust.config.loading import load_config

    if workers is not None:
        overrides = (*overrides, f"workers={workers}")
    settings = load_config(AuditConfig, config, "audit", overrides)
    if print_config:
        emit_config(settings)
        return

    from metarobust.audit.plan import make_plan
    from metarobust.audit.read import read_run
    from metarobust.audit.run import run_audit, worker_count
    from metarobust.cli.progress import Progress
    from metarobust.report.model import build_report
    from metarobust.report.tables import render_summary
    from metarobust.report.terminal import HEADINGS, terminal_rows
    from metarobust.report.write import write_report

    allowed = frozenset(allow_code)
    plan = make_plan(settings, episodes=episodes, allowed_code=allowed)
    if episodes is not None and plan.episodes != min(episodes, settings.episodes):
        say(f"--episodes {episodes}: rounded up to whole blocks, {plan.episodes} episodes")
    if dry_run:
        from metarobust.audit.estimate import estimate_cost

        cost = estimate_cost(plan, allowed)
        processes = worker_count(settings)
        facts = {
            "cells": len(plan.cells),
            "episodes": plan.episodes,
            "gradient_calls": cost.gradient_calls,
            "seconds": round(cost.seconds / processes, 1),
            "workers": processes,
        }
        if as_json:
            emit({**facts, "threats": [c.description["threat"]["label"] for c in plan.cells]})
            return
        rows = [
            (
                c.description["learner"]["label"],
                c.description["threat"]["label"],
                str(c.gradient_calls),
            )
            for c in plan.cells
        ]
        say(table(rows, ("learner", "threat", "gradients/episode")))
        say(
            f"{facts['cells']} cells x {facts['episodes']} episodes, "
            f"{facts['gradient_calls']:,} gradients, about {facts['seconds']:.0f} s "
            f"with {processes} process{'es' * (processes > 1)}"
        )
        return

    folder = run_folder(settings.name, out)
    bar: list[Progress] = []

    def start(todo: int, done: int) -> None:
        if done:
            say(f"{folder}: {done} blocks are there already and will be used")
        bar.append(Progress(todo + done, done=done, unit="block", title="audit"))

    def finished(block: object, error: BaseException | None) -> None:
        bar[0].step()
        if error is not None:
            bar[0].say(f"failed: {type(error).__name__}: {error}")

    try:
        result = run_audit(
            plan,
            folder,
            retry_failed=retry_failed,
            allowed_code=allowed,
            on_start=start,
            on_block=finished,
        )
    finally:
        for each in bar:
            each.__exit__(None, None, None)
    run = read_run(folder)
    model = build_report(run.manifest, run.cells, run.verdicts)
    files = write_report(folder, model)
    if as_json:
        click.echo(render_summary(model))
    else:
        say(table(terminal_rows(model), HEADINGS))
    say(f"report: {files[0]}")
    if result.failed:
        say(f"{result.failed} blocks failed; see the report, mend the cause, use --retry-failed")
        sys.exit(EXIT_INCOMPLETE)

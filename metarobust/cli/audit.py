"""`metarobust audit`: evaluate trained learners under threats, and write the report."""

import sys
from typing import TYPE_CHECKING

import click

from metarobust.cli.common import (
    EXIT_GATE,
    allow_code_option,
    emit,
    emit_config,
    gates_passed,
    json_option,
    print_config_option,
    run_folder,
    say,
    set_option,
    table,
)
from metarobust.core.errors import MetarobustError

if TYPE_CHECKING:
    from metarobust.audit.plan import Plan, PlannedBlock, PlannedCell
    from metarobust.audit.store import BlockRow
    from metarobust.audit.workers import TaskResult

EXIT_INCOMPLETE = 3
COST_HEADINGS = ("learner", "threat", "gradients/episode", "adaptations/episode")


@click.command()
@click.argument("config", default="quick")
@click.option("--out", metavar="FOLDER", help="The run folder; default runs/NAME.")
@click.option("--episodes", type=click.IntRange(min=1), help="Only the first N episodes.")
@click.option(
    "--until-halfwidth",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="H",
    help="Stop as soon as every accuracy is known within H, e.g. 0.01.",
)
@click.option(
    "--curve",
    "curves",
    multiple=True,
    metavar="AXIS=N,N",
    help="Also with inner_steps=1,3,10 or with shots=1,2,5. Repeatable.",
)
@click.option(
    "--effort",
    type=click.Choice(("quick", "standard", "thorough")),
    help="Half, all or twice the steps and restarts of searching threats.",
)
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
    until_halfwidth: float | None,
    curves: tuple[str, ...],
    effort: str | None,
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

    Gates in the configuration (`gates: ["accuracy[pgd-linf] >= 30 %"]`) are judged at the end; exit
    code 1 says that one failed, 3 that blocks failed.
    """
    from metarobust.config.audit import AuditConfig
    from metarobust.config.loading import load_config

    overrides = (*overrides, *map(_curve_override, curves))
    if effort is not None:
        overrides = (*overrides, f"effort={effort}")
    if workers is not None:
        overrides = (*overrides, f"workers={workers}")
    settings = load_config(AuditConfig, config, "audit", overrides)
    if print_config:
        emit_config(settings, as_json=as_json)
        return

    from metarobust.audit.plan import make_plan
    from metarobust.audit.run import run_audit
    from metarobust.cli.progress import Progress
    from metarobust.report.read import read_report
    from metarobust.report.tables import render_summary
    from metarobust.report.terminal import headings, terminal_rows
    from metarobust.report.write import write_report

    allowed = frozenset(allow_code)
    plan = make_plan(settings, episodes=episodes, allowed_code=allowed)
    if episodes is not None and plan.episodes != min(episodes, settings.episodes):
        say(f"--episodes {episodes}: rounded up to whole blocks, {plan.episodes} episodes")
    if dry_run:
        _show_cost(plan, allowed, as_json=as_json)
        return

    folder = run_folder(settings.name, out)
    total = len(list(plan.blocks()))
    traces: set[str] = set()
    with Progress(total, unit="block", title="audit") as bar:

        def start(todo: int, done: int) -> None:
            if done:
                bar.say(f"{folder}: {done} blocks are there already and will be used")
            bar.reach(total - todo)

        def finished(block: "PlannedBlock", result: "TaskResult[BlockRow]") -> None:
            bar.step()
            if result.error is None:
                return
            bar.say(_failure(block, result.error))
            if not isinstance(result.error, MetarobustError) and result.trace not in traces:
                traces.add(result.trace)
                bar.say(result.trace)

        ended = run_audit(
            plan,
            folder,
            retry_failed=retry_failed,
            allowed_code=allowed,
            until_halfwidth=until_halfwidth,
            on_start=start,
            on_block=finished,
        )
    model = read_report(folder)
    files = write_report(folder, model)
    if as_json:
        click.echo(render_summary(model), nl=False)
    else:
        say(table(terminal_rows(model), headings(model)))
    if ended.stopped:
        say(model.stopping)
    passed = gates_passed(model)
    say(f"report: {files[0]}")
    if ended.failed:
        say(f"{ended.failed} blocks failed; see the report, mend the cause, use --retry-failed")
        sys.exit(EXIT_INCOMPLETE)
    if not passed:
        sys.exit(EXIT_GATE)


def _show_cost(plan: "Plan", allowed: frozenset[str], *, as_json: bool) -> None:
    """Say what an audit would compute, from its plan and one timed episode of each kind of cell."""
    from metarobust.audit.estimate import estimate_cost
    from metarobust.audit.run import worker_count

    cost, processes = estimate_cost(plan, allowed), worker_count(plan.config)
    facts = {
        "cells": len(plan.cells),
        "episodes": plan.episodes,
        "gradient_calls": cost.gradient_calls,
        "adaptations": cost.adaptations,
        "seconds": round(cost.seconds / processes, 1),
        "workers": processes,
    }
    if as_json:
        emit({**facts, "threats": [_names(c)[1] for c in plan.cells]})
        return
    rows = [(*_names(c), str(c.gradient_calls), str(c.adaptations)) for c in plan.cells]
    say(table(rows, COST_HEADINGS))
    say(
        f"{facts['cells']} cells x {facts['episodes']} episodes, "
        f"{facts['gradient_calls']:,} gradients, {facts['adaptations']:,} adaptations of searches, "
        f"about {facts['seconds']:.0f} s "
        f"with {processes} process{'es' * (processes > 1)}"
    )


def _failure(block: "PlannedBlock", error: BaseException) -> str:
    learner, threat = _names(block.cell)
    last = block.start + block.count - 1
    return (
        f"failed: {learner}, {threat}, episodes {block.start} to {last}: "
        f"{type(error).__name__}: {error}"
    )


def _names(cell: "PlannedCell") -> tuple[str, str]:
    about = cell.description
    point = about.get("adaptation")
    where = f" at {point['axis']}={point['value']}" if point else ""
    return about["learner"]["label"], about["threat"]["label"] + where


def _curve_override(text: str) -> str:
    """`shots=1,2,5` as a change of the configuration.

    >>> _curve_override("shots=1,2,5")
    'curves.shots=[1,2,5]'
    """
    axis, equals, values = text.partition("=")
    if not equals or not values.strip():
        raise click.BadParameter(
            f"expected an axis with its values, such as shots=1,2,5, got '{text}'",
            param_hint="--curve",
        )
    return f"curves.{axis.strip()}=[{values}]"

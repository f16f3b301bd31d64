"""Options and small helpers that several verbs share."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pydantic import BaseModel

    from metarobust.report.model import ReportModel

F = TypeVar("F", bound=Callable[..., Any])

RUNS = Path("runs")

EXIT_GATE = 1


def set_option(function: F) -> F:
    """`--set PATH=VALUE`, repeatable."""
    return click.option(
        "--set",
        "overrides",
        metavar="PATH=VALUE",
        multiple=True,
        help="Replace a value of the configuration, e.g. protocol.shots=1; repeatable.",
    )(function)


def json_option(function: F) -> F:
    """`--json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print data as JSON on standard output."
    )(function)


def print_config_option(function: F) -> F:
    """`--print-config`."""
    return click.option(
        "--print-config", is_flag=True, help="Print the resolved configuration and stop."
    )(function)


def allow_code_option(function: F) -> F:
    """`--allow-code FILE` or a module, repeatable."""
    return click.option(
        "--allow-code",
        metavar="FILE",
        multiple=True,
        help="Let this Python file (or importable module) run as a plug-in; repeatable.",
    )(function)


def emit(value: Any) -> None:
    """Print data as JSON on standard output."""
    click.echo(json.dumps(value, indent=2, sort_keys=True, allow_nan=False))


def emit_config(config: "BaseModel", *, as_json: bool) -> None:
    """Print a resolved configuration as YAML, or as JSON, on standard output."""
    from metarobust.config.model import plain
    from metarobust.config.yaml import dump_yaml

    if as_json:
        emit(plain(config))
    else:
        click.echo(dump_yaml(plain(config)), nl=False)


def say(text: str) -> None:
    """Tell the person at the terminal something, on standard error."""
    click.echo(text, err=True)


def run_folder(name: str, out: str | None) -> Path:
    """Where a run goes: `--out`, else runs/NAME."""
    return Path(out) if out else RUNS / name


def table(rows: Sequence[tuple[str, ...]], headings: tuple[str, ...]) -> str:
    """Plain aligned columns, for the terminal."""
    lines = [headings, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def gates_passed(model: "ReportModel") -> bool:
    """Tell the person how the gates ended, and say whether all passed."""
    from metarobust.report.terminal import GATE_HEADINGS, gate_rows

    if model.gates:
        say(table(gate_rows(model), GATE_HEADINGS))
        say(model.gates_sentence)
    return all(row.result.passed for row in model.gates)

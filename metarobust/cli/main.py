"""The `metarobust` command: its verbs, and how errors reach a person."""

import errno
import sys

import click

from metarobust import __version__
from metarobust.cli.audit import audit
from metarobust.cli.compare import compare
from metarobust.cli.data import data
from metarobust.cli.doctor import doctor
from metarobust.cli.export import export
from metarobust.cli.ls import ls
from metarobust.cli.report import report
from metarobust.cli.show import show
from metarobust.cli.train import train
from metarobust.cli.tune import tune

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_FULL = "; make room and give the same command again, what was stored is kept"
_CLOSED = "; change its permissions, or write elsewhere with --out"
ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _CLOSED,
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
}
"""What to do where the system refuses a file, by its error number."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="metarobust")
def cli() -> None:
    """Robustness audits of few-shot (meta-learned) models.

    What happens to a learner's accuracy and confidence when its support images, or the queries, are
    noisy, mislabelled, poisoned or attacked.

    \b
    Exit codes: 0 done; 1 a gate failed; 2 usage or configuration; 3 incomplete (a cell failed);
    130 interrupted.
    """


for command in (audit, train, tune, compare, report, export, ls, show, data, doctor):
    cli.add_command(command)


def main() -> None:
    """Run the command line.

    What the user can mend, our own errors and a file that the system refuses, is one message and
    exit code 2. Anything else is a bug, and keeps its traceback.
    """
    from metarobust.core.errors import MetarobustError

    try:
        cli(prog_name="metarobust", standalone_mode=False)
    except MetarobustError as problem:
        click.echo(f"error: {problem}", err=True)
        sys.exit(EXIT_USAGE)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; the same command goes on from here", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        advice = ADVICE.get(problem.errno or 0, "")
        click.echo(f"error: {where}{problem.strerror or problem}{advice}", err=True)
        sys.exit(EXIT_USAGE)

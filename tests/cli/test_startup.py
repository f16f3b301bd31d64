"""What is imported, and when: help and reports are quick because nothing heavy comes with them."""

import subprocess
import sys

import pytest

from metarobust.audit.plan import make_plan
from metarobust.audit.run import run_audit
from metarobust.config.audit import AuditConfig
from tests.support.processes import ROOT

HEAVY = ["torch", "numpy", "pydantic", "matplotlib", "pandas", "seaborn", "sklearn", "scipy"]
NEVER = ["torchvision", "ray", "mlflow", "wandb", "tensorboard", "torchattacks"]
HELP = """
from metarobust.cli.main import main
for words in ([], ["audit"], ["train"], ["report"], ["ls"], ["show"], ["doctor"], ["data"],
              ["data", "ls"], ["data", "prepare"], ["data", "inspect"]):
    sys.argv = ["metarobust", *words, "--help"]
    main()
"""


def imported(code, unwanted, *arguments):
    """Which of some packages are imported after running some code in a fresh process."""
    script = f"import sys\n{code}\nprint('LOADED', *sorted(set(sys.modules) & {set(unwanted)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.rpartition("LOADED")[2].split()


def test_importing_the_package_imports_nothing_heavy():
    assert imported("import metarobust", HEAVY + NEVER) == []


def test_every_help_page_imports_nothing_heavy():
    assert imported(HELP, HEAVY + NEVER) == []


@pytest.mark.parametrize(
    "words",
    [["ls", "attacks"], ["ls", "suites"], ["ls", "configs"], ["show", "attack", "pgd-linf"]],
)
def test_reading_the_catalogue_needs_no_torch(words):
    code = f"from metarobust.cli.main import main\nsys.argv = ['metarobust', *{words!r}]\nmain()"
    assert imported(code, ["torch", "matplotlib", "pandas", *NEVER]) == []


def test_a_report_needs_no_torch(tiny, tmp_path):
    plan = make_plan(AuditConfig.model_validate(tiny.audit()), episodes=2)
    run_audit(plan, tmp_path / "run")
    code = (
        "from metarobust.cli.main import main\n"
        "sys.argv = ['metarobust', 'report', sys.argv[1]]\nmain()"
    )
    assert imported(code, ["torch", *NEVER], tmp_path / "run") == []
    assert (tmp_path / "run" / "report.html").exists()

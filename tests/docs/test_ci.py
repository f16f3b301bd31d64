"""The example of continuous integration runs: its YAML, its shell, its command, its files."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from metarobust.audit.gates import check_gates
from metarobust.cli.audit import audit
from metarobust.config.audit import AuditConfig
from metarobust.config.expand import expand_threats
from metarobust.config.loading import load_config

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "ci.md"


def block(name):
    found = re.search(
        rf"<!-- file: {re.escape(name)} -->\n```yaml\n(.*?)```", GUIDE.read_text(), re.S
    )
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    path = tmp_path_factory.mktemp("ci") / "audit.yaml"
    path.write_text(block("audit.yaml"))
    return load_config(AuditConfig, path, "audit")


@pytest.fixture(scope="module")
def workflow():
    # YAML 1.1, which GitHub's own reader is not, takes the key `on` for a boolean.
    return yaml.load(block(".github/workflows/robustness.yml"), Loader=yaml.BaseLoader)


def test_the_audit_is_valid_and_every_gate_finds_its_cell(settings):
    learners = [entry.title for entry in settings.learners]
    check_gates(settings.gates, learners, [None, *expand_threats(settings.threats)])


def test_the_workflow_has_the_shape_of_one(workflow):
    assert workflow["on"].keys() == {"pull_request"}
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert job["runs-on"]
    for step in job["steps"]:
        assert ("uses" in step) != ("run" in step)
        assert step.keys() <= {"name", "uses", "with", "run", "if"}
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.get("uses", "a/b@v1"))


def test_its_shell_parses_and_its_command_is_ours(workflow, settings):
    scripts = [step["run"] for step in workflow["jobs"]["audit"]["steps"] if "run" in step]
    for script in scripts:
        subprocess.run(["bash", "-n", "-c", script], check=True)
    (command,) = [script for script in scripts if script.startswith("metarobust")]
    program, verb, *arguments = command.split()
    assert (program, verb) == ("metarobust", "audit")
    context = audit.make_context(verb, arguments)
    assert context.params["config"] == "audit.yaml"
    assert context.params["out"] == f"runs/{settings.name}"


def test_what_it_keeps_is_what_a_run_leaves(workflow, settings):
    steps = workflow["jobs"]["audit"]["steps"]
    (upload,) = [step for step in steps if "upload-artifact" in step.get("uses", "")]
    kept = {Path(line).name for line in upload["with"]["path"].split()}
    gallery = {path.name for path in GUIDE.parents[1].glob("reports/gallery/gate/*")}
    assert {"report.html", "junit.xml"} <= kept <= gallery | {"manifest.json"}
    assert all(line.startswith(f"runs/{settings.name}/") for line in upload["with"]["path"].split())
    assert upload["if"] == "${{ !cancelled() }}"

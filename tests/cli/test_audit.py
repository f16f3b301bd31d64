"""`metarobust audit` from the command line."""

import json
import sqlite3
import zipfile

import pytest

from metarobust.core.bundled import bundled
from tests.support.tiny_project import write_yaml

EXAMPLE = bundled("attacks") / "examples"
REPORT = {
    "report.html",
    "report.md",
    "report.tex",
    "cells.csv",
    "cells.parquet",
    "summary.json",
    "learners.csv",
}
FAILS = """
class Fails:
    version, norms, adversarial, differentiates = 1, ("linf",), True, False
    def gradient_calls(self, budget): return 0
    def draw(self, shape, budget, generator):
        import torch
        return torch.zeros(1)
    def maximise(self, objective, x, ball, budget, draws):
        raise ValueError("no luck")
"""


@pytest.fixture
def audit(cli, tiny, tmp_path):
    """A function from options to what the audit of the tiny project does."""

    def run(*options, **changes):
        write_yaml(tmp_path / "audit.yaml", tiny.audit(**changes))
        return cli("audit", "audit.yaml", *options)

    return run


@pytest.fixture
def summary(tmp_path):
    return lambda: json.loads((tmp_path / "runs" / "tiny" / "summary.json").read_text())


def test_a_run_is_computed_reported_and_found_again(audit, files, summary):
    first = audit()
    assert (first.code, first.out) == (0, "")
    assert {
        f"runs/tiny/{name}" for name in REPORT | {"run.db", "manifest.json", "config.yaml"}
    } <= (files())
    assert "noise-linf eps=0.1" in first.err
    assert "report: runs/tiny/report.html" in first.err
    cells = summary()["cells"]
    second = audit()
    assert second.code == 0
    assert "runs/tiny: 4 blocks are there already and will be used" in second.err
    assert summary()["cells"] == cells


def test_json_alone_is_on_standard_output(audit, summary):
    ended = audit("--json")
    assert ended.code == 0
    found = json.loads(ended.out)
    assert found == summary()
    assert [cell["recipe"] for cell in found["cells"]] == ["clean", "noise-linf"]
    assert "report: " in ended.err


def test_a_dry_run_shows_the_cost_and_leaves_nothing(audit, files):
    before = files()
    ended = audit("--dry-run", threats=[{"recipe": "pgd-linf", "steps": 3}])
    assert (ended.code, ended.out) == (0, "")
    assert "pgd-linf eps=8/255 steps=3 restarts=2" in ended.err
    assert "2 cells x 4 episodes, 48 gradients, 0 adaptations of searches, about " in ended.err
    assert "s with 1 process" in ended.err
    assert files() - before == {"audit.yaml"}


def test_a_dry_run_in_json(audit):
    ended = audit("--dry-run", "--json", "--workers", 3)
    found = json.loads(ended.out)
    assert (ended.code, ended.err) == (0, "")
    assert found["seconds"] >= 0
    assert {k: v for k, v in found.items() if k != "seconds"} == {
        "cells": 2,
        "episodes": 4,
        "gradient_calls": 0,
        "adaptations": 0,
        "workers": 3,
        "threats": ["clean", "noise-linf eps=0.1"],
    }


def test_a_printed_configuration_is_that_configuration(audit, cli, tmp_path, files):
    ended = audit("--print-config", "--set", "protocol.shots=3", "--workers", 2)
    assert (ended.code, ended.err) == (0, "")
    assert "shots: 3" in ended.out
    (tmp_path / "printed.yaml").write_text(ended.out)
    again = cli("audit", "printed.yaml", "--print-config")
    assert again.out == ended.out
    assert not [name for name in files() if name.startswith("runs")]


def test_a_limited_run_is_stamped_everywhere(audit, summary, tmp_path):
    ended = audit("--episodes", 1)
    assert ended.code == 0
    assert "--episodes 1: rounded up to whole blocks, 2 episodes" in ended.err
    manifest = json.loads((tmp_path / "runs" / "tiny" / "manifest.json").read_text())
    assert (manifest["limited"], manifest["episodes"], manifest["configured_episodes"]) == (
        True,
        2,
        4,
    )
    assert summary()["limited"] is True
    folder = tmp_path / "runs" / "tiny"
    for name in ("report.html", "report.md", "report.tex"):
        assert "limited run" in (folder / name).read_text().lower(), name
    assert "true" in (folder / "cells.csv").read_text().lower()
    audit()
    assert summary()["limited"] is False
    assert {cell["episodes"] for cell in summary()["cells"]} == {4}


def test_settings_override_the_file_and_are_kept_with_the_run(audit, tmp_path, summary):
    ended = audit("--set", "seed=7", "--set", "name=other", "--set", "threats=[contrast]")
    assert ended.code == 0
    kept = (tmp_path / "runs" / "other" / "config.yaml").read_text()
    assert "seed: 7" in kept
    assert "recipe: contrast" in kept


def test_out_names_the_folder(audit, files):
    assert audit("--out", "elsewhere/deep").code == 0
    assert "elsewhere/deep/report.html" in files()


def test_another_experiment_in_the_same_folder_is_refused(audit, tmp_path):
    assert audit().code == 0
    before = {p: p.read_bytes() for p in (tmp_path / "runs" / "tiny").glob("*.*")}
    ended = audit("--set", "seed=7")
    assert (ended.code, ended.out) == (2, "")
    assert "the run of another experiment; these differ: " in ended.err
    assert "seed (0 stored, 7 now)" in ended.err
    assert {p: p.read_bytes() for p in (tmp_path / "runs" / "tiny").glob("*.*")} == before


def test_the_example_plug_in_runs_only_when_allowed(audit):
    threats = [str(EXAMPLE / "random-sign.yaml")]
    refused = audit(threats=threats)
    assert refused.code == 2
    assert f"pass --allow-code {EXAMPLE / 'random_sign.py'}" in refused.err
    allowed = audit("--allow-code", EXAMPLE / "random_sign.py", threats=threats)
    assert allowed.code == 0
    assert "random-sign eps=8/255 steps=20" in allowed.err.replace(" linf", "")


def test_a_failing_cell_is_a_row_and_the_exit_code_is_3(audit, tmp_path, summary):
    (tmp_path / "fails.py").write_text(FAILS)
    (tmp_path / "fails.yaml").write_text(
        "name: fails\nsummary: Fails.\nengine: fails.py:Fails\nsurface: query\n"
        "knowledge: black-box\nnorm: linf\neps: 0.1\n"
    )
    options = ("--allow-code", "fails.py")
    changes = {"threats": ["fails.yaml", {"recipe": "noise-linf", "eps": 0.1}]}
    ended = audit(*options, **changes)
    assert (ended.code, ended.out) == (3, "")
    assert "failed: protonet, fails linf eps=0.1, episodes 2 to 3: ValueError: no luck" in ended.err
    assert ended.err.count("Traceback") == 1, "the same traceback once"
    assert "2 blocks failed; see the report, mend the cause, use --retry-failed" in ended.err
    found = summary()
    assert found["status"] == "incomplete"
    assert [cell["status"] for cell in found["cells"]] == ["ok", "error", "ok"]
    broken = found["cells"][1]["scores"]["accuracy"]
    assert broken["value"] is None
    assert "no luck" in broken["reason"]
    again = audit(*options, **changes)
    assert again.code == 3
    assert "4 blocks are there already" in again.err
    assert "Traceback" not in again.err
    retried = audit(*options, "--retry-failed", "--json", **changes)
    assert retried.code == 3
    assert json.loads(retried.out)["status"] == "incomplete"
    assert retried.err.count("ValueError: no luck\n") >= 2


@pytest.mark.usefixtures("figures")
def test_hostile_class_names_reach_the_report_as_text(cli, tiny, tmp_path):
    with zipfile.ZipFile(tiny.pictures) as old, zipfile.ZipFile(tmp_path / "x.zip", "w") as new:
        for member in old.namelist():
            renamed = member.replace("class ", "=@<script>alert()< $x^{ $ & _% #")
            new.writestr(renamed, old.read(member))
    dataset = {**tiny.dataset, "root": str(tmp_path / "x.zip")}
    settings = tiny.audit(dataset=dataset, threats=["fgsm-linf"], block=4)
    write_yaml(tmp_path / "audit.yaml", settings)
    assert cli("audit", "audit.yaml").code == 0
    page = (tmp_path / "runs" / "tiny" / "report.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_a_damaged_block_is_named(audit, tmp_path):
    assert audit().code == 0
    connection = sqlite3.connect(tmp_path / "runs" / "tiny" / "run.db")
    with connection:
        connection.execute("UPDATE block SET payload = substr(payload, 1, 100) WHERE start = 2")
    connection.close()
    ended = audit()
    assert ended.code == 2
    assert "(episodes 2 to 3) is damaged: its bytes are not those that were stored" in ended.err


def test_curves_are_costed_and_shown_apart(audit, tiny, tmp_path, summary):
    options = ("--curve", "shots=1", "--curve", "inner_steps=1")
    cost = json.loads(audit("--dry-run", "--json", *options, learners=[str(tiny.maml)]).out)
    assert [threat for threat in cost["threats"] if " at " in threat] == [
        "clean at inner_steps=1",
        "clean at shots=1",
    ]
    audit(*options, learners=[str(tiny.maml)])
    found = summary()
    assert len(found["cells"]) == 2
    places = [(a["axis"], p["value"], p["own"]) for a in found["adaptation"] for p in a["points"]]
    assert places == [
        ("inner_steps", 1, False),
        ("inner_steps", 2, True),
        ("shots", 1, False),
        ("shots", 2, True),
    ]
    assert (tmp_path / "runs" / "tiny" / "adaptation.csv").is_file()


@pytest.mark.parametrize(
    ("curve", "message"),
    [("shots", "such as shots=1,2,5"), ("steps=1", "steps"), ("shots=x", "shots")],
)
def test_a_curve_that_cannot_be_read(audit, curve, message):
    ended = audit("--dry-run", "--curve", curve)
    assert ended.code == 2
    assert message in ended.err


def test_effort_scales_the_searches_and_is_said_by_their_labels(audit):
    ended = audit("--dry-run", "--effort", "quick", threats=[{"recipe": "pgd-linf", "steps": 4}])
    assert ended.code == 0
    assert "pgd-linf eps=8/255 steps=2 " in ended.err
    assert "2 cells x 4 episodes, 16 gradients, 0 adaptations of searches, about " in ended.err


def test_a_universal_perturbation_is_the_same_in_every_block(audit, tmp_path):
    threats = [{"recipe": "universal-linf", "eps": 0.2, "steps": 3, "options": {"episodes": 2}}]
    found = {}
    for block in (1, 4):
        assert audit(threats=threats, block=block, name=f"of-{block}").code == 0
        run = json.loads((tmp_path / "runs" / f"of-{block}" / "summary.json").read_text())
        found[block] = [(cell["threat"], cell["scores"]) for cell in run["cells"]]
    assert found[1] == found[4]

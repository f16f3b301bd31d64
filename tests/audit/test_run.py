"""The driver of an audit: nothing computed twice, failures are rows, other experiments refused."""

import json
import shutil
import sqlite3
from collections import Counter
from contextlib import closing

import pytest

from metarobust.audit import run as driver
from metarobust.audit.plan import make_plan
from metarobust.audit.read import read_run
from metarobust.audit.run import run_audit, worker_count
from metarobust.audit.store import RunStore
from metarobust.config.audit import AuditConfig
from metarobust.config.loading import load_config
from metarobust.core.errors import StoreError
from tests.support.tiny_project import save_learner

FRAGILE = """
from pathlib import Path
from metarobust.attacks.pgd import PGD

class Fragile(PGD):
    def maximise(self, objective, x, ball, budget, draws):
        if Path(r"{marker}").exists() and budget.eps > 0.15:
            raise ValueError("a cable came loose \\udcff")
        return super().maximise(objective, x, ball, budget, draws)
"""


@pytest.fixture
def plan(tiny):
    def make(episodes=None, allowed=(), **changes):
        config = AuditConfig.model_validate(tiny.audit(**changes))
        return make_plan(config, episodes=episodes, allowed_code=frozenset(map(str, allowed)))

    return make


@pytest.fixture
def started(monkeypatch):
    """Counts the starts of every block by its key, in this process."""
    starts = Counter()
    real = driver.run_block

    def counted(task):
        starts[task.key] += 1
        return real(task)

    monkeypatch.setattr(driver, "run_block", counted)
    return starts


@pytest.fixture
def fragile(tmp_path):
    """A plug-in that fails at the larger of two budgets as long as a marker file is there."""
    engine, marker = tmp_path / "fragile.py", tmp_path / "broken"
    engine.write_text(FRAGILE.format(marker=marker))
    (tmp_path / "fragile.yaml").write_text(
        "name: fragile\nsummary: Fails at times.\nengine: fragile.py:Fragile\nsurface: query\n"
        "knowledge: white-box\nnorm: linf\neps: 0.1\nsteps: 1\n"
    )
    marker.touch()
    entry = {"recipe": str(tmp_path / "fragile.yaml"), "eps": [0.1, 0.2]}
    return entry, engine, marker


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def payloads(folder):
    with sqlite3.connect(f"file:{folder / 'run.db'}?mode=ro", uri=True) as connection:
        found = dict(connection.execute("SELECT key, payload FROM block"))
    connection.close()
    return found


def test_a_run_folder_holds_the_evidence_the_configuration_and_the_facts(plan, tmp_path):
    audit = plan()
    result = run_audit(audit, tmp_path / "run")
    assert (result.computed, result.reused, result.failed) == (4, 0, 0)
    assert result.status == "complete"
    facts = manifest(tmp_path / "run")
    assert facts["schema"] == 1
    assert (facts["status"], facts["limited"], facts["episodes"]) == ("complete", False, 4)
    assert facts["created"] <= facts["finished"]
    assert {"config", "dataset"} <= facts["digests"].keys()
    assert {"metarobust", "python", "torch", "numpy"} <= facts["versions"].keys()
    assert {"command", "seed", "device", "workers", "platform", "commit"} <= facts.keys()
    config = load_config(AuditConfig, tmp_path / "run" / "config.yaml", "audit")
    assert config == audit.config
    assert {block.key for block in audit.blocks()} == set(payloads(tmp_path / "run"))


def test_resuming_computes_nothing_twice(plan, tmp_path, started):
    first = run_audit(plan(episodes=2), tmp_path / "run")
    assert (first.computed, first.reused) == (2, 0)
    kept = payloads(tmp_path / "run")
    second = run_audit(plan(), tmp_path / "run")
    assert (second.computed, second.reused) == (2, 2)
    third = run_audit(plan(name="renamed", workers=2, episodes=None), tmp_path / "run")
    assert (third.computed, third.reused) == (0, 4)
    assert set(started.values()) == {1}
    assert kept.items() <= payloads(tmp_path / "run").items()


def test_a_resumed_run_keeps_its_birthday_and_adds_its_time(plan, tmp_path):
    run_audit(plan(episodes=2), tmp_path / "run")
    path = tmp_path / "run" / "manifest.json"
    path.write_text(json.dumps({**manifest(path.parent), "created": "2001-01-01", "seconds": 50}))
    run_audit(plan(), tmp_path / "run")
    assert manifest(path.parent)["created"] == "2001-01-01"
    assert 50 <= manifest(path.parent)["seconds"] < 100


def test_a_manifest_that_cannot_be_read_is_written_anew(plan, tmp_path):
    run_audit(plan(), tmp_path / "run")
    (tmp_path / "run" / "manifest.json").write_text("[")
    run_audit(plan(), tmp_path / "run")
    assert manifest(tmp_path / "run")["status"] == "complete"


def test_a_limited_run_says_so_and_the_whole_one_can_follow(plan, tmp_path):
    folder = tmp_path / "run"
    run_audit(plan(episodes=1), folder)
    assert (manifest(folder)["limited"], manifest(folder)["episodes"]) == (True, 2)
    assert {c.evidence.episodes for c in read_run(folder).cells} == {2}
    run_audit(plan(), folder)
    assert (manifest(folder)["limited"], manifest(folder)["episodes"]) == (False, 4)
    whole = read_run(folder)
    assert {c.evidence.episodes for c in whole.cells} == {4}
    run_audit(plan(episodes=1), folder)
    assert manifest(folder)["limited"]
    assert {c.evidence.episodes for c in read_run(folder).cells} == {2}
    assert run_audit(plan(), folder).computed == 0
    again = read_run(folder)
    assert [c.scores for c in again.cells] == [c.scores for c in whole.cells]


def test_one_and_two_workers_leave_the_same_bytes(plan, tiny, tmp_path):
    threats = [{"recipe": "pgd-linf", "steps": 2}, "gaussian-noise", "label-flip"]
    learners = [str(tiny.protonet), str(tiny.maml)]
    folders = [tmp_path / "one", tmp_path / "two"]
    for workers, folder in enumerate(folders, start=1):
        audit = plan(workers=workers, threats=threats, learners=learners)
        assert run_audit(audit, folder).status == "complete"
        assert manifest(folder)["workers"] == workers
    assert payloads(folders[0]) == payloads(folders[1])


def test_a_failing_cell_is_a_row_and_the_others_finish(plan, fragile, tmp_path, started):
    entry, engine, marker = fragile
    audit = plan(threats=[entry, "noise-linf"], allowed=[engine])
    told = []
    result = run_audit(
        audit,
        tmp_path / "run",
        allowed_code=frozenset([str(engine)]),
        on_block=lambda block, outcome: told.append((block, outcome)),
    )
    assert (result.computed, result.reused, result.failed) == (6, 0, 2)
    assert result.status == manifest(tmp_path / "run")["status"] == "incomplete"
    failed = [(block, outcome) for block, outcome in told if outcome.error is not None]
    assert {block.cell.recipe.eps for block, _ in failed} == {0.2}
    assert all('raise ValueError("a cable' in outcome.trace for _, outcome in failed)
    run = read_run(tmp_path / "run")
    statuses = [run.verdicts[cell.evidence.key].status for cell in run.cells]
    assert statuses == ["ok", "ok", "error", "ok"]
    broken = run.cells[2]
    assert broken.scores["accuracy"].value is None
    assert "a cable came loose" in broken.scores["accuracy"].reason
    assert len(broken.evidence.failures) == 2

    again = run_audit(audit, tmp_path / "run", allowed_code=frozenset([str(engine)]))
    assert (again.computed, again.reused, again.failed) == (0, 6, 2)
    marker.unlink()
    mended = run_audit(
        audit, tmp_path / "run", allowed_code=frozenset([str(engine)]), retry_failed=True
    )
    assert (mended.computed, mended.reused, mended.failed) == (2, 6, 0)
    assert mended.status == manifest(tmp_path / "run")["status"] == "complete"
    assert Counter(started.values()) == {1: 6, 2: 2}
    run = read_run(tmp_path / "run")
    assert {verdict.status for verdict in run.verdicts.values()} <= {"ok", "suspect"}
    assert not any(cell.evidence.failures for cell in run.cells)


OTHERS = {
    "seed": ({"seed": 5}, r"seed \(0 stored, 5 now\)"),
    "budget": (
        {"threats": [{"recipe": "noise-linf", "eps": 0.2}]},
        r"threats\.0\.eps\.0 \(0\.1 st",
    ),
    "block": ({"block": 1}, r"block \(2 stored, 1 now\)"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_another_experiment_is_refused_naming_what_differs(plan, tmp_path, case):
    folder = tmp_path / "run"
    run_audit(plan(), folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    changes, message = OTHERS[case]
    with pytest.raises(StoreError, match=f"another experiment; these differ: .*{message}"):
        run_audit(plan(**changes), folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_retrained_weights_are_another_experiment(plan, tiny, tmp_path):
    for suffix in (".safetensors", ".json"):
        shutil.copy(tiny.protonet.with_suffix(suffix), tmp_path / f"x{suffix}")
    learners = [str(tmp_path / "x.safetensors")]
    run_audit(plan(learners=learners), tmp_path / "run")
    save_learner(tmp_path / "x.safetensors", "protonet", seed=8)
    with pytest.raises(StoreError, match=r"these differ: .*weights\.x \("):
        run_audit(plan(learners=learners), tmp_path / "run")


def test_files_that_were_moved_and_other_labels_go_on(plan, tiny, tmp_path):
    run_audit(plan(), tmp_path / "run")
    for suffix in (".safetensors", ".json"):
        shutil.copy(tiny.protonet.with_suffix(suffix), tmp_path / f"moved{suffix}")
    pictures = shutil.copy(tiny.pictures, tmp_path / "pictures.zip")
    moved = plan(
        learners=[{"checkpoint": str(tmp_path / "moved.safetensors"), "label": "mine"}],
        dataset={**tiny.dataset, "root": str(pictures)},
    )
    again = run_audit(moved, tmp_path / "run")
    assert (again.computed, again.reused) == (0, 4)
    facts = read_run(tmp_path / "run").cells[0].evidence.description["learner"]
    assert (facts["label"], facts["checkpoint"]) == ("mine", str(tmp_path / "moved.safetensors"))


def test_a_run_whose_experiment_cannot_be_read_says_so(plan, tmp_path):
    run_audit(plan(), tmp_path / "run")
    with closing(sqlite3.connect(tmp_path / "run/run.db")) as connection, connection:
        connection.execute("UPDATE audit SET experiment = '{'")
    with pytest.raises(StoreError, match="the text of the experiment is damaged"):
        run_audit(plan(), tmp_path / "run")


def test_a_damaged_manifest_is_written_anew(plan, tmp_path):
    run_audit(plan(), tmp_path / "run")
    (tmp_path / "run/manifest.json").write_text('{"seconds": "long", "created": 5}')
    assert run_audit(plan(), tmp_path / "run").reused == 4
    assert manifest(tmp_path / "run")["status"] == "complete"


def test_an_interrupt_is_recorded_and_what_was_stored_stays(plan, tmp_path):
    def stop(block, outcome):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_audit(plan(), tmp_path / "run", on_block=stop)
    assert manifest(tmp_path / "run")["status"] == "interrupted"
    assert len(payloads(tmp_path / "run")) == 1
    result = run_audit(plan(), tmp_path / "run")
    assert (result.computed, result.reused) == (3, 1)


def test_a_second_driver_is_told_who_is_writing(plan, tmp_path):
    audit = plan()
    with (
        RunStore.open(tmp_path / "run", audit.experiment, create=True),
        pytest.raises(StoreError, match="another metarobust is writing this run"),
    ):
        run_audit(audit, tmp_path / "run")


def test_the_environment_is_recorded_once_for_each(plan, tmp_path, monkeypatch):
    run_audit(plan(), tmp_path / "run")
    run_audit(plan(), tmp_path / "run")
    monkeypatch.setattr(driver, "environment", lambda: {"platform": "elsewhere"})
    run_audit(plan(), tmp_path / "run")
    with RunStore.read(tmp_path / "run") as store:
        assert len(store.environments()) == 2


def test_auto_workers_are_the_usable_cores_on_a_cpu(plan, monkeypatch):
    monkeypatch.setattr(driver, "usable_cores", lambda: 6)
    assert worker_count(plan(workers="auto").config) == 6
    assert worker_count(plan(workers=3).config) == 3

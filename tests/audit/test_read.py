"""Reading a run folder: as it stands, also where it stopped half-way."""

import pytest

from metarobust.audit.plan import make_plan
from metarobust.audit.read import read_run
from metarobust.audit.run import run_audit
from metarobust.config.audit import AuditConfig
from metarobust.core.errors import StoreError


@pytest.fixture
def plan(tiny):
    return make_plan(AuditConfig.model_validate(tiny.audit()), episodes=None)


def interrupt(block, outcome):
    raise KeyboardInterrupt


def test_a_run_is_its_manifest_its_scored_cells_and_their_verdicts(plan, tmp_path):
    run_audit(plan, tmp_path / "run")
    run = read_run(tmp_path / "run")
    assert run.manifest["name"] == "tiny"
    assert [cell.evidence.key for cell in run.cells] == [cell.key for cell in plan.cells]
    assert set(run.verdicts) == {cell.key for cell in plan.cells}


def test_a_run_that_was_stopped_is_incomplete(plan, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_audit(plan, tmp_path / "run", on_block=interrupt)
    run = read_run(tmp_path / "run")
    assert [run.verdicts[cell.evidence.key].status for cell in run.cells] == ["incomplete"] * 2
    assert [cell.evidence.episodes for cell in run.cells] == [2, 0]
    assert run.manifest["status"] == "interrupted"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"manifest\.json: cannot be read"),
        ("[]", r"expected the facts of a run, got other JSON"),
        ("{", r"expected JSON"),
        ('{"seconds": "long"}', r"seconds: expected a number, got 'long'; restore the file"),
        ('{"digests": []}', r"digests: expected a mapping, got \[\]"),
    ],
)
def test_a_bad_manifest_is_named(plan, tmp_path, content, message):
    run_audit(plan, tmp_path / "run")
    path = tmp_path / "run" / "manifest.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(StoreError, match=message):
        read_run(tmp_path / "run")


def test_what_is_not_a_run_says_so(tmp_path):
    with pytest.raises(StoreError, match="no run here; expected the folder of a metarobust run"):
        read_run(tmp_path)

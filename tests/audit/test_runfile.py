"""The file of a run: wrong files are told apart, readers change nothing, kills lose nothing."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import metarobust
from metarobust.audit.store import BlockRow, CellRow, RunStore
from metarobust.core.errors import StoreError
from tests.audit.made_up_run import (
    EXPERIMENT,
    block,
    complete_run,
    contents,
    one_line,
    payload,
    sql,
)


@pytest.fixture
def folder(tmp_path):
    return complete_run(tmp_path / "run")


def test_the_file_says_what_it_is(folder):
    header = (folder / "run.db").read_bytes()[:100]
    assert header[18:20] == b"\x01\x01"  # rollback journal, not WAL
    assert header[68:72] == b"MROB"
    assert sql(folder, "PRAGMA integrity_check") == [("ok",)]
    assert {name for (name,) in sql(folder, "SELECT name FROM pragma_table_list WHERE strict")} == {
        "audit", "block", "cell", "environment", "failure",
    }  # fmt: skip
    assert {path.name for path in folder.iterdir()} == {"run.db", "run.lock"}


def test_pragmas_of_the_writer(folder):
    with RunStore.open(folder, EXPERIMENT, create=True) as store:
        asked = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        values = [store._rows(f"PRAGMA {name}")[0][0] for name in asked]
    assert values == ["truncate", 2, 30_000, 1]


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garbled(path):
    """SQLite quotes the table's text in its complaint, which is then no UTF-8."""
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE cell", b"CREATE \xf9\xf9BLE cell"))


def foreign(path):
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE audit (id)")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def newer(path):
    sql(path.parent, "UPDATE audit SET metarobust = '9.8.7'")
    sql(path.parent, "PRAGMA user_version = 99")


def newer_without_version(path):
    sql(path.parent, "DROP TABLE audit")
    sql(path.parent, "PRAGMA user_version = 99")


def a_folder(path):
    path.unlink()
    path.mkdir()


def opened(folder):
    return RunStore.open(folder, EXPERIMENT, create=True)


@pytest.mark.parametrize("verb", [opened, RunStore.read])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (truncated, "damaged or truncated"),
        (garbled, "damaged or truncated"),
        (lambda path: path.write_text("accuracy: 0.9\n" * 20), "not a metarobust run"),
        (lambda path: path.write_text("short"), "not a metarobust run"),
        (foreign, "database of another program"),
        (newer, r"made by metarobust 9\.8\.7; .*upgrade"),
        (newer_without_version, "of a later date; .*upgrade"),
        (a_folder, "cannot be read"),
    ],
)
def test_a_file_that_is_no_run_is_refused_and_left_alone(folder, verb, spoil, message):
    path = folder / "run.db"
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError, match=message) as caught:
        verb(folder)
    assert str(folder) in one_line(caught)
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert {entry.name for entry in folder.iterdir()} == {"run.db", "run.lock"}


@pytest.mark.parametrize("there", [False, True])
def test_without_a_run_nothing_is_created(tmp_path, there):
    folder = tmp_path / "run"
    if there:
        folder.mkdir()
    with pytest.raises(StoreError, match="no run here"):
        RunStore.read(folder)
    with pytest.raises(StoreError, match="no run here"):
        RunStore.open(folder, EXPERIMENT, create=False)
    assert list(tmp_path.rglob("*")) == ([folder] if there else [])


def test_a_creation_killed_at_its_start_is_begun_again(tmp_path):
    (tmp_path / "run.db").touch()
    with pytest.raises(StoreError, match="no run here"):
        RunStore.read(tmp_path)
    with RunStore.open(tmp_path, EXPERIMENT, create=True) as store:
        assert store.cells() == []


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "run").write_text("notes")
    with pytest.raises(StoreError, match="Not a directory") as caught:
        RunStore.open(tmp_path / "run", EXPERIMENT, create=True)
    assert "run" in one_line(caught)


def test_reading_changes_nothing(folder):
    (folder / "run.lock").unlink()
    before = contents(folder)
    with RunStore.read(folder) as store:
        assert len(store.cells()) == 2
        assert contents(folder) == before
        with pytest.raises(StoreError, match="readonly"):
            store.put(block("clean", 0, key="new"))
    assert contents(folder) == before


def test_reading_beside_a_driver(folder):
    with RunStore.open(folder, EXPERIMENT, create=True) as store, store._transaction():
        store._rows("DELETE FROM block")
        with RunStore.read(folder) as reader:
            assert [cell.episodes for cell in reader.cells()] == [6, 6]


def test_a_second_driver_is_told_of_the_first(folder):
    with RunStore.open(folder, EXPERIMENT, create=True):
        with pytest.raises(StoreError, match="another metarobust is writing") as caught:
            RunStore.open(folder, EXPERIMENT, create=True)
        assert f"process {os.getpid()} on" in one_line(caught)
    RunStore.open(folder, EXPERIMENT, create=True).close()


def python(code, *arguments):
    root = Path(metarobust.__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


HALF_WRITTEN = """
import json, os, signal, sys
from pathlib import Path
from metarobust.audit.store import RunStore
store = RunStore.open(Path(sys.argv[1]), json.loads(sys.argv[2]), create=True)
store._rows("PRAGMA cache_size = 1")
with store._transaction():
    store._rows("UPDATE block SET payload = zeroblob(200000), sha256 = 'x'")
    store._rows("DELETE FROM cell WHERE 0")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_driver_killed_in_the_middle_of_a_write(folder):
    with RunStore.read(folder) as store:
        before = store.cells()
    killed = python(
        HALF_WRITTEN, folder, '{"attacks":{"eps":[0.1,0.2]},"learner":"protonet","seed":0}'
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (folder / "run.db-journal").stat().st_size > 0
    files = contents(folder)
    with RunStore.read(folder) as store:
        seen = store.cells()
    assert contents(folder) == files
    with RunStore.open(folder, EXPERIMENT, create=True) as store:
        recovered = store.cells()
    for after in (seen, recovered):
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(old.arrays["logits"], new.arrays["logits"])
    assert sql(folder, "PRAGMA integrity_check") == [("ok",)]


def test_a_full_disk_loses_nothing_that_was_stored(folder):
    with RunStore.open(folder, EXPERIMENT, create=True) as store:
        store.add_cells([CellRow("clean", 0, 8, {}), CellRow("noise", 1, 8, {})])
        pages = store._rows("PRAGMA page_count")[0][0]
        store._rows(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match=r"full.*finished blocks are kept") as caught:
            store.put(BlockRow("big", "clean", 6, 2, 0.1, payload(6, 2) + bytes(100_000)))
        one_line(caught)
        store._rows(f"PRAGMA max_page_count = {pages + 1000}")
        store.put(block("clean", 6))
        assert [cell.episodes for cell in store.cells()] == [8, 6]


@pytest.mark.parametrize("linked", ["folder", "file", "lock"])
def test_symbolic_links_are_not_written_through(tmp_path, folder, linked):
    elsewhere = tmp_path / "elsewhere"
    if linked == "folder":
        link = folder.rename(elsewhere) and folder
        link.symlink_to(elsewhere, target_is_directory=True)
        message = f"symbolic link to {elsewhere}"
    else:
        link = folder / ("run.db" if linked == "file" else "run.lock")
        link.rename(elsewhere)
        link.symlink_to(elsewhere)
        message = f"symbolic link to {elsewhere}" if linked == "file" else "symbolic link"
    before = (elsewhere / "run.db" if linked == "folder" else elsewhere).read_bytes()
    with pytest.raises(StoreError, match=message) as caught:
        RunStore.open(folder, EXPERIMENT, create=True)
    one_line(caught)
    with RunStore.read(folder) as store:
        assert len(store.cells()) == 2
    assert (elsewhere / "run.db" if linked == "folder" else elsewhere).read_bytes() == before


@pytest.fixture
def sealed(folder):
    """A run in a folder that this process may read and not write, also if it is root."""
    if not hasattr(os, "geteuid"):
        pytest.skip("needs POSIX permissions")
    parent = Path(tempfile.mkdtemp())
    place = parent / "run"
    shutil.copytree(folder, place)
    (place / "run.lock").unlink()
    for path, mode in ((parent, 0o755), (place, 0o555), (place / "run.db", 0o444)):
        path.chmod(mode)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield place
    os.seteuid(user)
    place.chmod(0o755)
    shutil.rmtree(parent)


def test_a_read_only_folder_is_read_and_not_written(sealed):
    before = contents(sealed)
    with RunStore.read(sealed) as store:
        assert len(store.cells()) == 2
    with pytest.raises(StoreError, match="Permission denied") as caught:
        RunStore.open(sealed, EXPERIMENT, create=True)
    assert str(sealed) in one_line(caught)
    with pytest.raises(StoreError, match="Permission denied"):
        RunStore.open(sealed / "below", EXPERIMENT, create=True)
    assert contents(sealed) == before


def test_neither_torch_nor_pandas_is_needed_to_read():
    code = "import sys, metarobust.audit.store as s; print({'torch', 'pandas'} & set(sys.modules))"
    assert python(code).stdout.strip() == "set()"

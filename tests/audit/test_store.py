"""The store of a run: what was stored is what is read."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metarobust.audit.store import BlockRow, CellRow, FailureRow, RunStore
from metarobust.core.errors import StoreError
from tests.audit.made_up_run import (
    BLOCKS,
    CELLS,
    EXPERIMENT,
    SIZES,
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


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(BLOCKS + BLOCKS[:2]))
def test_any_order_of_writing_gives_the_same_evidence(order):
    with (
        tempfile.TemporaryDirectory() as parent,
        RunStore.open(Path(parent, "run"), EXPERIMENT, create=True) as store,
    ):
        store.add_cells(CELLS)
        for row in order:
            store.put(row)
        clean, noise = store.cells()
    assert (clean.key, noise.key) == ("clean", "noise")
    assert clean.description == {"threat": "clean"}
    assert clean.episodes == clean.expected == 6
    np.testing.assert_array_equal(clean.arrays["number"], np.arange(6))
    np.testing.assert_array_equal(noise.arrays["logits"], clean.arrays["logits"] + 1)
    assert clean.arrays["logits"].shape == (6, SIZES["Q"], SIZES["N"])
    assert clean.extras == {"gap": 0.5}
    assert clean.picture["support"].shape == (SIZES["S"], 2)


def test_only_the_blocks_present(tmp_path):
    with RunStore.open(tmp_path / "run", EXPERIMENT, create=True) as store:
        store.add_cells(CELLS)
        store.put(block("noise", 4))
        store.put(block("noise", 2))
        clean, noise = store.cells()
    assert clean.episodes == 0
    assert clean.arrays == clean.picture == clean.extras == {}
    assert noise.arrays["number"].tolist() == [2, 3, 4, 5]
    assert noise.picture == noise.extras == {}


def test_resuming_finds_what_is_finished(folder):
    with RunStore.open(folder, dict(reversed(EXPERIMENT.items())), create=True) as store:
        assert store.finished() == {row.key for row in BLOCKS}
        store.add_cells(CELLS)
        store.put(block("clean", 0, shift=7.0))
    assert sql(folder, "SELECT payload FROM block WHERE key = 'clean-0'") == [
        (block("clean", 0).payload,)
    ]


def test_a_new_plan_may_ask_for_more_episodes(folder):
    with RunStore.open(folder, EXPERIMENT, create=False) as store:
        store.add_cells([CellRow("clean", 0, 60, {"threat": "clean", "more": True})])
        clean = store.cells()[0]
    assert (clean.expected, clean.episodes, clean.description["more"]) == (60, 6, True)


def test_failures_are_rows_until_the_block_succeeds(tmp_path):
    failure = FailureRow("clean-0", "clean", 0, "AttackError", "diverged", 1)
    later = FailureRow("clean-0", "clean", 0, "WorkerDiedError", "died", 4)
    other = FailureRow("noise-2", "noise", 2, "ValueError", "boom", 1)
    with RunStore.open(tmp_path / "run", EXPERIMENT, create=True) as store:
        store.add_cells(CELLS)
        for row in (other, failure, later):
            store.fail(row)
        assert store.failures() == [later, other]
        assert store.finished() == set()
        assert [cell.failures for cell in store.cells()] == [
            ("block from episode 0: WorkerDiedError: died (tries: 4)",),
            ("block from episode 2: ValueError: boom (tries: 1)",),
        ]
        store.put(block("clean", 0))
        store.fail(failure)
        assert store.failures() == [other]


def test_environments_are_kept_once_each(folder):
    with RunStore.open(folder, EXPERIMENT, create=True) as store:
        for torch in ("2.10", "2.11", "2.10"):
            store.set_environment({"torch": torch})
        assert store.environments() == [{"torch": "2.10"}, {"torch": "2.11"}]


def test_another_experiment_is_refused_and_its_differences_named(folder):
    before = contents(folder)["run.db"][0]
    other = {"attacks": {"eps": [0.1, 0.3, 0.4]}, "learner": "protonet", "seed": 1, "block": 10}
    with pytest.raises(StoreError, match="another experiment") as caught:
        RunStore.open(folder, other, create=True)
    message = one_line(caught)
    for part in (
        "attacks.eps.1 (0.2 stored, 0.3 now)",
        "attacks.eps.2 (absent stored, 0.4 now)",
        "block (absent stored, 10 now)",
        "seed (0 stored, 1 now)",
    ):
        assert part in message
    assert "learner" not in message
    assert contents(folder)["run.db"][0] == before


def test_many_differences_are_counted(folder):
    with pytest.raises(StoreError, match="and 18 more"):
        RunStore.open(folder, {**EXPERIMENT, **{f"x{i}": i for i in range(23)}}, create=True)


def test_whole_and_decimal_numbers_are_different_experiments(folder):
    with pytest.raises(StoreError, match=r"seed \(0 stored, 0\.0 now\)"):
        RunStore.open(folder, {**EXPERIMENT, "seed": 0.0}, create=True)


def test_the_experiment_can_be_read_back(folder):
    with RunStore.read(folder) as store:
        assert store.experiment() == EXPERIMENT


def test_rows_that_do_not_fit_the_plan(folder):
    with RunStore.open(folder, EXPERIMENT, create=True) as store:
        with pytest.raises(StoreError, match="cell attack at position 0 does not fit"):
            store.add_cells([CellRow("pgd", 2, 6, {}), CellRow("attack", 0, 6, {})])
        with pytest.raises(StoreError, match=r"block k \(cell unplanned, episode 0\)"):
            store.put(block("unplanned", 0, key="k"))
        with pytest.raises(StoreError, match=r"block k \(cell clean, episode 0\) does not fit"):
            store.put(block("clean", 0, key="k"))
        with pytest.raises(StoreError, match="failure of block k"):
            store.fail(FailureRow("k", "unplanned", 0, "E", "m", 1))
        assert [cell.key for cell in store.cells()] == ["clean", "noise"]
        assert len(store.finished()) == len(BLOCKS)


def test_a_changed_byte_is_noticed_and_its_block_named(folder):
    stored = bytearray(block("noise", 2, shift=1.0).payload)
    stored[-3] ^= 1
    sql(folder, "UPDATE block SET payload = ? WHERE key = 'noise-2'", bytes(stored))
    with (
        RunStore.read(folder) as store,
        pytest.raises(StoreError, match=r"block noise-2 \(episodes 2 to 3\) is damaged"),
    ):
        store.cells()


def test_blocks_that_are_not_what_their_rows_say(tmp_path):
    rows = {
        "holds other episodes": [BlockRow("k", "clean", 2, 2, 0.1, payload(4, 2))],
        "holds other": [BlockRow("k", "clean", 2, 3, 0.1, payload(2, 2))],
        "cannot be used: expected a block": [BlockRow("k", "clean", 2, 2, 0.1, b"rubbish")],
        "share episodes": [block("clean", 0, 3), block("clean", 2, 2)],
        "different shapes": [
            block("clean", 0),
            BlockRow("k", "clean", 2, 2, 0.1, payload(2, 2, queries=5)),
        ],
    }
    for number, (message, blocks) in enumerate(rows.items()):
        with RunStore.open(tmp_path / f"run{number}", EXPERIMENT, create=True) as store:
            store.add_cells(CELLS)
            for row in blocks:
                store.put(row)
            with pytest.raises(StoreError, match=message):
                store.cells()

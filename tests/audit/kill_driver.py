"""A small audit to be killed: made-up blocks through the real store and the real workers.

Usage: python kill_driver.py FOLDER LOG BLOCKS_PER_CELL. The log gets `start KEY` when a block is
begun and `stored KEY` when the store has acknowledged it.
"""

import os
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from metarobust.audit.payload import ARRAYS, BlockEvidence, encode
from metarobust.audit.store import BlockRow, CellRow, RunStore
from metarobust.audit.workers import run_tasks

WORKERS = 2
CELLS = 3
EPISODES = 5
SIZES = {"E": EPISODES, "Q": 20, "N": 5, "S": 5}


def note(log, word, key):
    """Append one line in one write, so that lines of several processes never mix."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{word} {key}\n".encode())
    os.close(descriptor)


def fake_block(task):
    """Evidence that depends on nothing but the block's place in the plan."""
    log, cell, start = task
    key = f"cell{cell}-{start}"
    note(log, "start", key)
    rng = np.random.default_rng([cell, start])
    arrays = {
        name: rng.integers(0, 99, [SIZES[a] for a in layout.axes.split()]).astype(layout.dtype)
        for name, layout in ARRAYS.items()
    }
    arrays["number"] = np.arange(start, start + EPISODES)
    time.sleep(rng.uniform(0.01, 0.04))
    return BlockRow(key, f"cell{cell}", start, EPISODES, 1.0, encode(BlockEvidence(arrays)))


def main(folder, log, blocks):
    starts = range(0, blocks * EPISODES, EPISODES)
    experiment = {"cells": CELLS, "blocks": blocks}
    with RunStore.open(Path(folder), experiment, create=True) as store:
        store.add_cells(
            CellRow(f"cell{c}", c, blocks * EPISODES, {"learner": {"label": f"learner {c}"}})
            for c in range(CELLS)
        )
        done = store.finished()
        todo = [
            (log, c, start)
            for c in range(CELLS)
            for start in starts
            if f"cell{c}-{start}" not in done
        ]
        with closing(run_tasks(fake_block, todo, workers=WORKERS, torch_threads=None)) as results:
            for result in results:
                if result.value is None:
                    raise SystemExit(f"block failed: {result.error}\n{result.trace}")
                store.put(result.value)
                note(log, "stored", result.value.key)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

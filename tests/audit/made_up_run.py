"""A small made-up run, and ways to look at its files."""

import sqlite3

import numpy as np

from metarobust.audit.payload import ARRAYS, PICTURE, BlockEvidence, encode
from metarobust.audit.store import BlockRow, CellRow, RunStore

EXPERIMENT = {"attacks": {"eps": [0.1, 0.2]}, "learner": "protonet", "seed": 0}
CELLS = [CellRow("noise", 1, 6, {"threat": "noise"}), CellRow("clean", 0, 6, {"threat": "clean"})]
SIZES = {"Q": 4, "N": 2, "S": 3}


def payload(start, count, shift=0.0, queries=4):
    rng = np.random.default_rng(start)
    sizes = {**SIZES, "E": count, "Q": queries}
    arrays = {
        name: rng.integers(0, 9, [sizes[axis] for axis in layout.axes.split()]).astype(layout.dtype)
        for name, layout in ARRAYS.items()
    }
    arrays["number"] = np.arange(start, start + count)
    arrays["logits"] = arrays["logits"] + np.float32(shift)
    if start:
        return encode(BlockEvidence(arrays))
    picture = {
        name: rng.integers(0, 2, [sizes[layout.axes[0]], *([2] * layout.axes.count("..."))])
        for name, layout in PICTURE.items()
    }
    return encode(BlockEvidence(arrays, picture, {"gap": 0.5}))


def block(cell, start, count=2, shift=0.0, key=None):
    return BlockRow(key or f"{cell}-{start}", cell, start, count, 1.5, payload(start, count, shift))


BLOCKS = [block(cell.key, start, shift=cell.position) for cell in CELLS for start in (0, 2, 4)]


def complete_run(folder):
    with RunStore.open(folder, EXPERIMENT, create=True) as store:
        store.add_cells(CELLS)
        for row in BLOCKS:
            store.put(row)
    return folder


def contents(folder):
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode)
        for path in folder.iterdir()
    }


def sql(folder, statement, *values):
    connection = sqlite3.connect(folder / "run.db")
    with connection:
        rows = connection.execute(statement, values).fetchall()
    connection.close()
    return rows


def one_line(caught):
    message = str(caught.value)
    assert "\n" not in message
    return message

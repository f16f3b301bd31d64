"""The history of a training run in its three files."""

import csv
import json
import xml.etree.ElementTree as ElementTree

import pytest

from metarobust.train.history import COLUMNS, write_history
from metarobust.train.validate import ROBUST

ROWS = [
    {
        "iteration": 10 * n,
        "loss": 1 / n,
        "accuracy": 0.5 + 0.1 * n,
        "standard_error": error,
        **dict.fromkeys(ROBUST),
        "gradient_evaluations": 40 * n,
        "warning": None,
    }
    for n, error in ((1, 0.05), (2, None), (3, 0.01))
]


@pytest.fixture
def folder(tmp_path):
    write_history(tmp_path, r"$\frac{ & <run>", ROWS)
    return tmp_path


def test_json_and_csv_hold_the_same_rows_and_a_missing_value_is_empty(folder):
    assert json.loads((folder / "history.json").read_text()) == ROWS
    with (folder / "history.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert list(table[0]) == list(COLUMNS)
    assert [row["standard_error"] for row in table] == ["0.05", "", "0.01"]
    assert [float(row["loss"]) for row in table] == [row["loss"] for row in ROWS]


def test_the_curve_is_a_picture_with_the_name_as_it_is(folder):
    text = (folder / "curve.svg").read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")


def test_the_same_rows_give_the_same_bytes(folder, tmp_path):
    again = tmp_path / "again"
    write_history(again, r"$\frac{ & <run>", ROWS)
    for name in ("history.csv", "history.json", "curve.svg"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()

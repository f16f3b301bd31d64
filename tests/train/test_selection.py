"""The best validation, the moment to stop, and the sign of catastrophic overfitting."""

import pytest

from metarobust.config.objective import ObjectiveConfig
from metarobust.config.train import ValidationConfig
from metarobust.train.selection import (
    best_row,
    catastrophic_overfitting,
    criterion,
    should_stop,
    warning,
)


def history(*values, column="accuracy"):
    return [{column: value} for value in values]


def test_ties_go_to_the_earlier_row():
    assert best_row(history(0.5, 0.8, 0.8, 0.1), "accuracy") == 1


@pytest.mark.parametrize(
    ("values", "patience", "stops"),
    [
        ((), 1, False),
        ((0.5,), 1, False),
        ((0.5, 0.4), 1, True),
        ((0.5, 0.4), 2, False),
        ((0.5, 0.5, 0.5), 2, True),
        ((0.5, 0.4, 0.6), 1, False),
        ((0.5, 0.4, 0.3, 0.2), None, False),
    ],
)
def test_patience(values, patience, stops):
    assert should_stop(history(*values), "accuracy", patience) is stops


def test_robust_selection_reads_its_own_column():
    plain = ValidationConfig(every=1, episodes=1)
    robust = ValidationConfig(every=1, episodes=1, attack={"eps": 0.1}, select="robust")
    assert (criterion(plain), criterion(robust)) == ("accuracy", "robust_accuracy")


@pytest.mark.parametrize(
    ("one_step", "many", "overfitted"),
    [(0.8, 0.02, True), (0.8, 0.4, False), (0.2, 0.0, False)],
)
def test_overfitting_is_one_step_high_and_many_steps_near_zero(one_step, many, overfitted):
    assert catastrophic_overfitting(0.9, one_step, many, ways=5) is overfitted


def test_only_single_step_training_is_warned_of():
    row = {"accuracy": 0.9, "one_step_accuracy": 0.8, "robust_accuracy": 0.01}
    fast = ObjectiveConfig(name="aq", attack={"engine": "fgsm", "eps": 0.1})
    slow = ObjectiveConfig(name="aq", attack={"eps": 0.1})
    assert warning(row, 5, fast).startswith("catastrophic overfitting")
    assert warning(row, 5, slow) is None
    assert warning({**row, "robust_accuracy": None, "one_step_accuracy": None}, 5, fast) is None

"""Which validation is the best, when to stop, and what looks like catastrophic overfitting."""

from collections.abc import Mapping, Sequence
from typing import Any

from metarobust.config.objective import ObjectiveConfig
from metarobust.config.train import ValidationConfig
from metarobust.data.base import Task

Row = Mapping[str, Any]

HIGH = 0.5
LOW = 0.5
ERROR = "mse"
WARNING = (
    "catastrophic overfitting: one step of the attack fails, many succeed; train with more steps, "
    "labels: predicted, or a smaller eps"
)


def criterion(config: ValidationConfig, task: Task = "classification") -> str:
    """The column of the history that the checkpoint is chosen by: an accuracy or an error."""
    column = "accuracy" if task == "classification" else ERROR
    return f"robust_{column}" if config.select == "robust" else column


def best_row(history: Sequence[Row], column: str) -> int:
    """Index of the first row with the largest accuracy, or smallest error, in a column."""
    sign = -1 if column.endswith(ERROR) else 1
    return max(range(len(history)), key=lambda index: sign * history[index][column])


def should_stop(history: Sequence[Row], column: str, patience: int | None) -> bool:
    """Whether the last `patience` validations all failed to beat the best before them."""
    if patience is None or not history:
        return False
    return len(history) - 1 - best_row(history, column) >= patience


def warning(row: Row, ways: int, objective: ObjectiveConfig) -> str | None:
    """What a person should know of a validation; only single-step training can overfit so."""
    clean, one_step, many = row["accuracy"], row["one_step_accuracy"], row["robust_accuracy"]
    if many is None or not objective.single_step:
        return None
    return WARNING if catastrophic_overfitting(clean, one_step, many, ways) else None


def catastrophic_overfitting(clean: float, one_step: float, many_steps: float, ways: int) -> bool:
    """Whether a learner resists one step of an attack only because it hides the gradient.

    The sign of the failure of single-step training (Wong, Rice & Kolter 2020):
    accuracy under one step is high, at least `HIGH` of the clean one, and under many steps of the
    same eps near zero, at most `LOW` of chance.
    """
    return one_step >= HIGH * clean and many_steps <= LOW / ways

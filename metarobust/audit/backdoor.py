"""The scores of a backdoor: how often the trigger works, and what it costs on clean queries."""

import numpy as np

from metarobust.audit.evidence import CellEvidence
from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import t_interval

BACKDOOR = ("attack_success", "trigger_alone", "benign_accuracy")


def backdoor_scores(cell: CellEvidence, accuracy: Estimate) -> dict[str, Estimate]:
    """The scores of `BACKDOOR`, each with its reason where the cell has no backdoor.

    `attack_success` is P(f(x + t) = c | y != c) with the target class c, over the queries of other
    classes: the mean over episodes of their shares. `trigger_alone` is the same for the learner
    whose support set is clean: what the patch does by itself. `benign_accuracy` is the accuracy on
    clean queries, which is all that a backdoored cell is scored on.

    Args:
        cell: with at least one episode.
        accuracy: the cell's accuracy.
    """
    if "backdoor_target" not in cell.arrays:
        return dict.fromkeys(BACKDOOR, Estimate(None, reason="this threat plants no backdoor"))
    target = cell.arrays["backdoor_target"][:, np.newaxis]
    others = cell.arrays["labels"] != target

    def success(predictions: str) -> Estimate:
        led = (cell.arrays[predictions] == target) & others
        return t_interval(led.sum(1) / others.sum(1), bounds=(0, 1))

    return {
        "attack_success": success("backdoor_prediction"),
        "trigger_alone": success("trigger_prediction"),
        "benign_accuracy": accuracy,
    }

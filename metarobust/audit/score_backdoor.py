"""The scores of a backdoor: how often the trigger works, and what it costs on clean queries."""

from collections.abc import Callable

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import FloatArray, Measure, ScoreFamily, ScoringContext, mean_score
from metarobust.audit.score_accuracy import episode_accuracies
from metarobust.stats.estimate import Estimate

NO_BACKDOOR = "this threat plants no backdoor"


def _led(name: str) -> Callable[[CellEvidence], FloatArray]:
    def episodes(cell: CellEvidence) -> FloatArray:
        """Of each episode's queries of other classes, the share that is led to the target [E]."""
        target = _target(cell)
        others = cell.arrays["labels"] != target
        led = (cell.arrays[name] == target) & others
        shares: FloatArray = led.sum(axis=1) / others.sum(axis=1)
        return shares

    return episodes


def _benign(cell: CellEvidence) -> FloatArray:
    _target(cell)
    return episode_accuracies(cell)


def _target(cell: CellEvidence) -> FloatArray:
    if "backdoor_target" not in cell.arrays:
        raise ValueError(NO_BACKDOOR)
    target: FloatArray = cell.arrays["backdoor_target"][:, None]
    return target


ATTACK_SUCCESS = Measure(
    "attack_success",
    "Attack success",
    "share",
    False,
    "Of the queries of other classes, the share that a backdoor's trigger leads to its target.",
    episodes=_led("backdoor_prediction"),
)
TRIGGER_ALONE = Measure(
    "trigger_alone",
    "Trigger alone",
    "share",
    False,
    "The attack success on a learner whose support set is clean: what the patch does by itself.",
    episodes=_led("trigger_prediction"),
)
BENIGN_ACCURACY = Measure(
    "benign_accuracy",
    "Benign accuracy",
    "share",
    True,
    "Accuracy of a backdoored learner on clean queries.",
    episodes=_benign,
)


def _score(
    cell: CellEvidence, clean: CellEvidence | None, context: ScoringContext
) -> dict[str, Estimate]:
    return {measure.key: mean_score(measure, cell) for measure in BACKDOOR_FAMILY.measures}


BACKDOOR_FAMILY = ScoreFamily((ATTACK_SUCCESS, TRIGGER_ALONE, BENIGN_ACCURACY), _score)

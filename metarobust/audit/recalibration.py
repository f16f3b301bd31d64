"""What meta-validation episodes say of a learner's confidence: a temperature, set thresholds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from metarobust.metrics.calibration import probabilities
from metarobust.metrics.conformal import conformal_threshold, lac_scores
from metarobust.metrics.proper import fit_temperature

COVERAGES = (0.9, 0.95)
UNKNOWN = "this run measured nothing on meta-val episodes; audit again to have it"


@dataclass(frozen=True)
class Recalibration:
    """What was fitted on clean meta-val episodes; never on the queries that are scored.

    Attributes:
        temperature: T, by which logits are divided.
        thresholds: for each of `COVERAGES`, the largest 1 - p_k, p at that temperature, with which
            class k is in the prediction set; infinite where every class must be.
        episodes: how many episodes, half of them for the temperature.
    """

    temperature: float
    thresholds: Mapping[float, float]
    episodes: int

    def to_json(self) -> dict[str, Any]:
        """As JSON to six digits; a threshold that is infinite is null."""
        return {
            "temperature": float(f"{self.temperature:.6g}"),
            "thresholds": {
                f"{coverage:g}": float(f"{threshold:.6g}") if math.isfinite(threshold) else None
                for coverage, threshold in self.thresholds.items()
            },
            "episodes": self.episodes,
            "reason": "",
        }


def fit_recalibration(logits: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Recalibration:
    """Fit a temperature on the even episodes and the thresholds on the odd ones.

    Two halves, because a threshold promises its coverage only for probabilities that were not
    fitted to the very queries it is taken from.

    Args:
        logits: clean logits of meta-val queries, [E, Q, N] with E >= 2.
        labels: int64 [E, Q] in [0, N).

    Raises:
        ValueError: some logits are not finite.
    """
    if not np.isfinite(logits).all():
        raise ValueError("logits of clean meta-val queries are not finite")
    temperature = fit_temperature(logits[::2], labels[::2])
    fit = lac_scores(probabilities(np.asarray(logits[1::2], dtype=np.float64) / temperature))
    thresholds = {c: conformal_threshold(fit, labels[1::2], c) for c in COVERAGES}
    return Recalibration(temperature, thresholds, len(logits))


def read_recalibration(learner: Mapping[str, Any]) -> Recalibration:
    """The recalibration that a run stored with a learner's facts.

    Raises:
        ValueError: there is none; the message says why.
    """
    facts = learner.get("recalibration") or {"reason": UNKNOWN}
    if facts["reason"]:
        raise ValueError(facts["reason"])
    thresholds = {
        float(coverage): math.inf if threshold is None else float(threshold)
        for coverage, threshold in facts["thresholds"].items()
    }
    return Recalibration(float(facts["temperature"]), thresholds, int(facts["episodes"]))

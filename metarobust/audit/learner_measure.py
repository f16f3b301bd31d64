"""The scores that take several cells of one learner: their names, units and scales."""

from dataclasses import dataclass

import numpy as np

from metarobust.audit.measure import Measure
from metarobust.audit.score_against_clean import MEDIAN_RADIUS
from metarobust.stats.estimate import Estimate

LEARNER_MEASURES: tuple[Measure, ...] = (
    Measure(
        "eps_area",
        "Area under accuracy by ε",
        "share",
        True,
        "Mean accuracy over all strengths from 0 to the largest ε of the audit (trapezoid area).",
    ),
    Measure(
        "half_eps",
        "ε that halves accuracy",
        "number",
        True,
        "The ε at which half of the clean accuracy is left, read linearly between those tried.",
        bounds=(0.0, np.inf),
        counted_in="the norm of the attack, pixels in [0, 1]",
    ),
    Measure(
        "severity_area",
        "Area under accuracy by severity",
        "share",
        True,
        "Mean accuracy over severities from 0 (clean) to the largest of the audit.",
    ),
    Measure(
        "fraction_area",
        "Area under accuracy by share of wrong labels",
        "share",
        True,
        "Mean accuracy over shares of wrong labels from 0 to the largest of the audit.",
    ),
    Measure(
        "mce",
        "mCE",
        "share",
        False,
        "Error under each corruption over the reference learner's, averaged over corruptions.",
        bounds=(0.0, np.inf),
    ),
    Measure(
        "relative_mce",
        "Relative mCE",
        "share",
        False,
        "The same of the error that each corruption adds to the clean error.",
        bounds=(-np.inf, np.inf),
    ),
    MEDIAN_RADIUS,
    Measure(
        "temperature",
        "Temperature",
        "number",
        False,
        "The T that clean meta-val episodes ask logits to be divided by; above 1 the learner is "
        "overconfident.",
        bounds=(0.05, 20.0),
        counted_in="a ratio",
        has_interval=False,
    ),
)


@dataclass(frozen=True)
class LearnerScore:
    """One number about a learner that takes several of its cells, or none.

    Attributes:
        learner: label of the learner.
        key: name of the score in `LEARNER_MEASURES`.
        of: the threats it is taken over, in words.
        estimate: the number; one that cannot be had says why.
        reference: label of the learner it is relative to; empty where it is relative to none.
    """

    learner: str
    key: str
    of: str
    estimate: Estimate
    reference: str = ""

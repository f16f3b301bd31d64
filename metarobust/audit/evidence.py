"""What a run folder knows of one cell: its description and its per-query evidence (no torch)."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

NOT_COMPARED = -2.0
"""Stands for the agreement of two explanations that cannot be compared."""


@dataclass(frozen=True)
class CellEvidence:
    """The stored evidence of one cell: one learner x one threat x one protocol on one data set.

    Attributes:
        key: digest of everything that decides the cell's numbers.
        description: JSON-ready facts: `learner`, `threat`, `protocol`, `dataset`, `seed`.
        expected: how many episodes the plan asks for.
        arrays: evidence by name, episodes of all finished blocks concatenated in episode order.
            With E episodes, Q queries, N ways: `logits` float32 [E, Q, N], `labels` int64 [E, Q],
            `class_ids` int64 [E, N], `query_ids` int64 [E, Q], `support_ids` int64 [E, S],
            `number` int64 [E] (episode index), and the attack's record, each [E]:
            `budget_used` (largest perturbation norm of an image), `changed` (fraction of images of
            the surface that changed), `gradient_calls`, `zero_gradients` (fraction of gradients
            that were exactly zero), `objective_start`, `objective_end` (mean attack objective
            before and after), `attacker_correct` (accuracy on the attacker's own queries, -1
            where it has none). Only for threats that look for it: `radius` [E, Q] (norm of the
            smallest perturbation found that changes the prediction, -1 where none was found);
            how gradient searches ended (`late_improvement`, `silent_success`, `restart_spread`,
            [E], see `attacks.convergence`); and certificates of correct predictions [E, Q], -1
            where there is none: `certified_poison` (images of every class that may be replaced),
            `certified_radius` (l2 norm within which the smoothed classifier does not change).
            Only for backdoors: `backdoor_target` int64 [E], and the predicted labels of queries
            with the trigger on, int64 [E, Q]: `backdoor_prediction` after the poisoned support set
            and `trigger_prediction` after the clean one.
            Only where the audit asks for them: `distractor_logits` float32 [E, D, N] and
            `distractor_ids` int64 [E, D] (queries of classes outside the episode), and for
            threats to the support set `explanation_rank` in [-1, 1] and `explanation_overlap` in
            [0, 1], both [E, Q] (agreement of the saliency maps of a clean query before and after
            the threat, `NOT_COMPARED` where the prediction changed or a map ranks nothing). Only
            for regressions, whose `logits` are predicted means [E, Q, 1]: `targets` [E, Q], the
            true values, and `deviations` [E, Q], the standard deviations a learner states.
        picture: arrays of the first episode, empty if none was stored: `support_clean`,
            `support` float32 [S, C, H, W], `query_clean`, `query` float32 [Q, C, H, W],
            `support_y` int64 [S] (labels the learner was given), `support_true` int64 [S]. Of a
            regression, instead of labels, `support_values` [S], and the points that the data set
            has of the function, `function_x` [P, *input] and `function_y` [P].
        extras: scalars measured once for the cell, e.g. `zero_budget_difference`.
        failures: messages of blocks that failed and were not mended.
    """

    key: str
    description: dict[str, Any]
    expected: int
    arrays: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    picture: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    extras: dict[str, float] = field(default_factory=dict)
    failures: tuple[str, ...] = ()

    @property
    def threat(self) -> dict[str, Any]:
        """The facts of its threat."""
        facts: dict[str, Any] = self.description["threat"]
        return facts

    @property
    def episodes(self) -> int:
        """How many episodes have been evaluated."""
        return len(self.arrays["number"]) if "number" in self.arrays else 0

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """Whether each query was classified correctly, bool [E, Q]."""
        hits: npt.NDArray[np.bool_] = self.arrays["logits"].argmax(-1) == self.arrays["labels"]
        return hits

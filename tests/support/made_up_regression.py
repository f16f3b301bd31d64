"""Evidence of regressions whose errors are chosen query by query."""

from typing import Any

import numpy as np

from metarobust.audit.evidence import CellEvidence
from tests.support.made_up_contest import CLEAN


def errors_cell(
    label: str,
    errors: Any,
    threat: dict[str, Any] = CLEAN,
    *,
    deviations: Any = None,
    noise: float | None = 1.0,
    **learner: Any,
) -> CellEvidence:
    """A cell whose predictions miss the truth by `errors` [E, Q]."""
    errors = np.asarray(errors, dtype=np.float64)
    count, queries = errors.shape
    targets = np.random.default_rng(9).normal(size=errors.shape)
    arrays = {
        "logits": (targets + errors)[..., None],
        "targets": targets,
        "labels": np.zeros(errors.shape, dtype=np.int64),
        "class_ids": np.zeros((count, 1), dtype=np.int64),
        "query_ids": np.arange(errors.size).reshape(errors.shape),
        "support_ids": np.zeros((count, 3), dtype=np.int64),
        "number": np.arange(count),
    }
    arrays |= dict.fromkeys(
        ("budget_used", "changed", "zero_gradients", "objective_start", "objective_end"),
        np.ones(count),
    )
    arrays |= {"gradient_calls": np.zeros(count, int), "attacker_correct": -np.ones(count)}
    if deviations is not None:
        arrays["deviations"] = np.broadcast_to(deviations, errors.shape)
    description = {
        "learner": {"label": label, "name": "maml", "backbone": "mlp", "norm_mode": "support",
                    "options": {}, "training": "none", "weights": label, "noise": noise,
                    **learner},
        "threat": threat,
        "protocol": {"ways": 1, "shots": 3, "queries": queries, "attacker_queries": 0,
                     "split": "test", "replacement": "classes", "episodes": count},
        "dataset": {"name": "made up", "digest": "5eed" * 16, "task": "regression",
                    "input_shape": [1]},
        "seed": 0,
    }  # fmt: skip
    return CellEvidence(f"{label}/{threat['label']}", description, count, arrays)

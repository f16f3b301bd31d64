"""Runs whose answers are chosen query by query, so that every number can be checked by hand."""

from copy import deepcopy
from typing import Any

import numpy as np

from metarobust.audit.checks import Verdict
from metarobust.audit.contest import NamedRun
from metarobust.audit.evidence import CellEvidence
from metarobust.audit.read import Run
from metarobust.audit.scores import CellScores, score_cells
from tests.support.synthetic_run import HOSTILE, synthetic_run

WAYS = 5

CLEAN = {"name": "clean", "label": "clean", "family": "clean", "engine": "none", "surface": None}


def pgd(eps: float = 0.1, **facts: Any) -> dict[str, Any]:
    return {"name": "pgd", "label": f"pgd eps={eps}", "family": "attack", "engine": "pgd",
            "surface": "query", "norm": "linf", "eps": eps, "steps": 10, **facts}  # fmt: skip


def blur(severity: int) -> dict[str, Any]:
    return {"name": "blur", "label": f"blur severity={severity}", "family": "corruption",
            "engine": "corruption:blur", "surface": "query", "severity": severity}  # fmt: skip


def answers(right: Any, queries: int = 10) -> np.ndarray:
    """bool [E, Q] of which the first `right[e]` queries of each episode are correct."""
    return np.arange(queries) < np.asarray(right)[:, None]


def cell(label, threat, correct, *, start=0, learner=None, failures=()) -> CellEvidence:
    """Evidence with these answers for episodes from `start` on; none if `correct` is None."""
    description = {
        "learner": {"label": label, "name": "protonet", "backbone": "mlp", "norm_mode": "running",
                    "options": {}, "training": "none", "weights": label, **(learner or {})},
        "threat": threat,
        "protocol": {"ways": WAYS, "shots": 1, "queries": 2, "attacker_queries": 0,
                     "split": "test", "replacement": "classes", "episodes": 100},
        "dataset": {"name": "made up", "digest": "0b5e" * 16},
        "seed": 0,
    }  # fmt: skip
    if correct is None:
        return CellEvidence(f"{label}/{threat['label']}", description, 4, failures=failures)
    episodes, queries = correct.shape
    labels = np.broadcast_to(np.arange(queries) % WAYS, correct.shape).astype(np.int64)
    said = np.where(correct, labels, (labels + 1) % WAYS)
    number = np.arange(start, start + episodes)
    return CellEvidence(
        f"{label}/{threat['label']}",
        description,
        episodes,
        {
            "logits": np.eye(WAYS, dtype=np.float32)[said],
            "labels": labels,
            "class_ids": number[:, None] + np.arange(WAYS),
            "query_ids": 1000 * number[:, None] + np.arange(queries),
            "support_ids": 1000 * number[:, None] + 500 + np.arange(WAYS),
            "number": number,
        },
        failures=tuple(failures),
    )


def run(name: str, *cells: CellEvidence, **manifest: Any) -> NamedRun:
    """A run of these cells, every verdict as its evidence says."""
    scored = tuple(CellScores(c, {}, ()) for c in cells)
    verdicts = {
        c.key: Verdict("ok" if c.episodes else "error" if c.failures else "incomplete", ())
        for c in cells
    }
    facts = {"name": name, "status": "complete", "limited": False, **manifest}
    return NamedRun(name, Run(facts, scored, verdicts))


def rescored(named: NamedRun) -> NamedRun:
    """The run with real scores, as a report needs them."""
    scored = tuple(score_cells([c.evidence for c in named.run.cells]))
    return NamedRun(named.name, Run(named.run.manifest, scored, named.run.verdicts))


def synthetic_contest(
    *, hostile: bool = False, faults: bool = True, yardstick: bool = False
) -> list[NamedRun]:
    """The synthetic audit as two runs: protonet, and maml, which says it was trained with PGD.

    Args:
        hostile: names are attempts to break a page, a table, a spreadsheet or a figure.
        faults: whether some cells go wrong.
        yardstick: add the run of multitask, which says it was trained without episodes.
    """
    learners = ("protonet", "maml", *(("multitask",) if yardstick else ()))
    whole = synthetic_run(hostile=hostile, faults=faults, learners=learners)
    labels = list(dict.fromkeys(c.evidence.description["learner"]["label"] for c in whole.scored))
    runs = []
    for place, label in enumerate(labels):
        own = [c for c in whole.scored if c.evidence.description["learner"]["label"] == label]
        name = HOSTILE[place] if hostile else f"run-{'abc'[place]}"
        for scored in own:
            learner = scored.evidence.description["learner"]
            learner["training"] = "none" if place != 1 else HOSTILE[5] if hostile else "pgd-linf"
            learner["objective"] = ("episodic", "aq", "classification")[place]
            learner["training_seed"], learner["method"] = 0, "0" * 64
        manifest = {**deepcopy(whole.manifest), "name": name}
        runs.append(NamedRun(name, Run(manifest, tuple(own), whole.verdicts)))
    return runs

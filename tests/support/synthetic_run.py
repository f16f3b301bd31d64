"""A made-up audit that looks like a real one: evidence, scores and verdicts from closed forms."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from metarobust.audit.checks import CheckResult, Verdict
from metarobust.audit.evidence import CellEvidence
from metarobust.audit.scores import CellScores, ReliabilityBin, score_cells
from metarobust.stats.estimate import Estimate
from tests.support.synthetic_images import QUERIES, SHOTS, WAYS, picture

EPISODES = 40

HOSTILE = (
    "<script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "-2+3",
    r"$\frac{ $ 50% & #1 _x_ {y} ~ ^ \input{/etc/passwd}",
    "a | b `c` **d** [e](http://example.com)",
    "null\x00bell\x07 \u202eevil\u202c \ud800 line\nbreak",
    "Ա Բ 漢字 🙂",
)


@dataclass(frozen=True)
class SyntheticRun:
    """What `build_report` takes."""

    manifest: dict[str, Any]
    scored: list[CellScores]
    verdicts: dict[str, Verdict]
    curves: list[CellScores]


def _threat(name, family, engine, words="", *, surface="query", **budget):
    return {
        **dict.fromkeys(_BUDGET),
        "name": name,
        "label": f"{name} {words}".strip(),
        "family": family,
        "engine": engine,
        "surface": surface,
        "knowledge": "none",
        "summary": _SUMMARIES.get(name, ""),
        "citation": _CITATIONS.get(name, ""),
        "notes": "",
        **budget,
    }


_BUDGET = ("norm", "eps", "steps", "step_size", "restarts", "severity", "table", "fraction",
           "shot_fraction", "class_fraction", "first_order", "targets", "loss")  # fmt: skip
_SUMMARIES = {
    "noise-linf": "Adds uniform noise to every pixel; a control that any attack must beat.",
    "fgsm-linf": "One step along the sign of the gradient.",
    "pgd-linf": "Projected gradient ascent on each query, random start.",
    "support-pgd-linf": "Poisons the support images through adaptation; scored on unseen queries.",
    "label-flip": "Gives a share of the support images a wrong label, drawn at random.",
}
_CITATIONS = {
    "fgsm-linf": "Goodfellow et al., ICLR 2015",
    "pgd-linf": "Madry et al., ICLR 2018",
    "support-pgd-linf": "Oldewage et al., 2021",
}
_GRID = {"4/255": 4 / 255, "8/255": 8 / 255, "16/255": 16 / 255, "0.1": 0.1}


def _threats():
    attack = {"knowledge": "white-box", "loss": ["cross-entropy", "margin"], "step_size": 0.25}
    yield _threat("clean", "clean", "none", surface=None)
    for name, eps in _GRID.items():
        yield _threat("noise-linf", "noise", "noise", f"eps={name}", norm="linf", eps=eps)
    for name, eps in _GRID.items():
        yield _threat(
            "fgsm-linf", "attack", "fgsm", f"eps={name}", norm="linf", eps=eps, steps=1, **attack
        )
    for name, eps in _GRID.items():
        yield _threat(
            "pgd-linf",
            "attack",
            "pgd",
            f"eps={name} steps=20 restarts=2",
            norm="linf",
            eps=eps,
            steps=20,
            restarts=2,
            **attack,
        )
    for name, eps in list(_GRID.items())[1:]:
        yield _threat(
            "support-noise-linf",
            "noise",
            "noise",
            f"eps={name}",
            surface="support",
            norm="linf",
            eps=eps,
        )
    for name, eps in list(_GRID.items())[1:]:
        yield _threat(
            "support-pgd-linf",
            "poison",
            "pgd",
            f"eps={name} steps=50",
            surface="support",
            norm="linf",
            eps=eps,
            steps=50,
            restarts=1,
            shot_fraction=1.0,
            class_fraction=1.0,
            **attack,
        )
    for share in (0.2, 0.4, 0.6):
        yield _threat(
            "label-flip",
            "labels",
            "label-noise",
            f"fraction={share}",
            surface="support",
            fraction=share,
        )
    for kind in ("gaussian-noise", "gaussian-blur", "contrast", "pixelate"):
        for severity in (1, 3, 5):
            yield _threat(
                kind,
                "corruption",
                f"corruption:{kind}",
                f"severity={severity}",
                severity=severity,
                table="mnist-c",
            )


_SLOPES = {
    ("noise-linf", "protonet"): 0.6, ("noise-linf", "maml"): 0.8,
    ("support-noise-linf", "protonet"): 0.4, ("support-noise-linf", "maml"): 0.5,
    ("fgsm-linf", "protonet"): 14.0, ("fgsm-linf", "maml"): 17.0,
    ("pgd-linf", "protonet"): 42.0, ("pgd-linf", "maml"): 55.0,
    ("support-pgd-linf", "protonet"): 16.0, ("support-pgd-linf", "maml"): 11.0,
    ("label-flip", "protonet"): 0.9, ("label-flip", "maml"): 1.5,
    ("gaussian-noise", "protonet"): 0.05, ("gaussian-noise", "maml"): 0.09,
    ("gaussian-blur", "protonet"): 0.12, ("gaussian-blur", "maml"): 0.1,
    ("contrast", "protonet"): 0.16, ("contrast", "maml"): 0.3,
    ("pixelate", "protonet"): 0.03, ("pixelate", "maml"): 0.05,
}  # fmt: skip
_FOLLOWED = {"clean", "pgd-linf eps=8/255 steps=20 restarts=2", "support-pgd-linf eps=0.1 steps=50"}
_CURVES = {"inner_steps": (1, 3, 10), "shots": (1, 2, 10)}
_CLEAN = {"protonet": 0.948, "maml": 0.912, "multitask": 0.93}


def _accuracy(learner: str, threat: dict[str, Any]) -> float:
    clean = _CLEAN[learner]
    if threat["family"] == "clean":
        return clean
    strength = threat["eps"] or threat["fraction"] or threat["severity"]
    floor = 0.0 if threat["family"] == "attack" else 0.8 / WAYS
    like = "protonet" if learner == "multitask" else learner
    slope = _SLOPES[threat["name"], like] * (1.3 if learner == "multitask" else 1.0)
    return round(float(floor + (clean - floor) * np.exp(-slope * strength)), 4)


def _scores(accuracy: float, clean: float, attacked: bool) -> dict[str, Estimate]:
    def around(value, half, *, bounds=(-np.inf, np.inf), method="t, by episode"):
        low, high = np.clip((value - half, value + half), *bounds)
        return Estimate(round(value, 4), round(float(low), 4), round(float(high), 4), method=method)

    half = 0.008 + 0.06 * accuracy * (1 - accuracy)
    ece = 0.014 + 0.8 * max(0.0, clean - accuracy) * (1 - 0.3 * accuracy)
    unit = {"bounds": (0, 1)}
    above = (accuracy - 1 / WAYS) / (clean - 1 / WAYS)
    return {
        **_beyond(accuracy, clean, around, attacked),
        "accuracy": around(accuracy, half, **unit),
        "drop_points": around(100 * (clean - accuracy), 80 * half),
        "relative_drop": around(1 - accuracy / clean, half),
        "retention": around(above, half),
        "robust_given_correct": around(min(1.0, accuracy / clean), half, **unit),
        "ece": around(ece, 0.3 * ece, bounds=(0, 1), method="bootstrap, by episode"),
        "ece_null": around(0.013, 0.004, bounds=(0, 1)),
        "brier": around(1.6 * (1 - accuracy) * (0.4 + accuracy * 0.3), 0.03),
        "nll": around(0.15 + 3.2 * (1 - accuracy) ** 1.5, 0.08),
        "attacker_accuracy": around(0.2 * accuracy, 0.02, **unit)
        if attacked
        else Estimate(None, reason="this threat has no queries of the attacker's own"),
    }


def _beyond(accuracy, clean, around, attacked):
    """Made-up answers to distractors, and agreement of explanations where the support is poisoned.

    The numbers fall with the accuracy, as they do in real audits.
    """
    unit, told = {"bounds": (0, 1)}, 0.5 + 0.4 * accuracy
    found = {
        "ood_auroc": around(told, 0.03, **unit),
        "fpr95": around(1.7 - 1.6 * told, 0.06, **unit),
        "ood_auroc_energy": around(told + 0.03, 0.03, **unit),
        "fpr95_energy": around(1.65 - 1.6 * told, 0.06, **unit),
    }
    if attacked:
        kept = accuracy / clean
        found |= {
            "explanation_rank": around(0.8 * kept, 0.02, bounds=(-1, 1)),
            "explanation_overlap": around(0.1 + 0.75 * kept, 0.02, **unit),
            "explanation_kept": around(kept, 0.02, **unit),
        }
    return found


def _reliability(accuracy: float, clean: float) -> tuple[ReliabilityBin, ...]:
    confidences = (0.58, 0.77, 0.86, 0.91, 0.94, 0.965, 0.98, 0.99, 0.995, 0.999)
    kept = accuracy / clean
    return tuple(
        ReliabilityBin(c, round(min(1.0, max(0.0, c * kept + 0.02 * (i % 3 - 1))), 4), 100)
        for i, c in enumerate(confidences)
    )


def _arrays(threat, accuracy: float, episodes: int, rng: np.random.Generator):
    labels = np.broadcast_to(np.repeat(np.arange(WAYS), QUERIES), (episodes, WAYS * QUERIES))
    right = rng.random(labels.shape) < accuracy
    said = np.where(right, labels, (labels + rng.integers(1, WAYS, labels.shape)) % WAYS)
    logits = rng.normal(0, 0.8, (*labels.shape, WAYS)).astype(np.float32)
    np.put_along_axis(logits, said[..., None], logits.max(-1, keepdims=True) + 2.5, -1)
    calls = threat["steps"] or 0
    ids = np.arange(episodes)[:, None] * WAYS * QUERIES + np.arange(WAYS * QUERIES)
    return {
        "logits": logits,
        "labels": labels.astype(np.int64),
        "class_ids": np.broadcast_to(np.arange(WAYS), (episodes, WAYS)).astype(np.int64),
        "query_ids": ids,
        "support_ids": ids + 100_000,
        "number": np.arange(episodes),
        "budget_used": np.full(episodes, threat["eps"] or 0.0),
        "changed": np.full(
            episodes, float(bool(threat["eps"] or threat["severity"])) or threat["fraction"] or 0.0
        ),
        "gradient_calls": np.full(episodes, calls * (threat["restarts"] or 1)),
        "zero_gradients": np.full(episodes, 0.002 if calls else 0.0),
        "objective_start": np.full(episodes, 0.2),
        "objective_end": np.full(episodes, 0.2 + (1 - accuracy)),
        "attacker_correct": np.full(
            episodes, 0.2 * accuracy if threat["family"] == "poison" else -1.0
        ),
    }


def synthetic_run(
    *,
    hostile: bool = False,
    faults: bool = True,
    learners: tuple[str, ...] = ("protonet", "maml"),
) -> SyntheticRun:
    """Learners under every kind of threat, with a suspect, a failed and an unfinished cell.

    Args:
        hostile: names are attempts to break a page, a table, a spreadsheet or a figure.
        faults: whether some cells go wrong.
        learners: of protonet, maml and multitask.
    """
    names = (lambda i, name: HOSTILE[i % len(HOSTILE)]) if hostile else (lambda i, name: name)
    class_names = [names(i, f"letter {i}") for i in range(WAYS)]
    scored, curves, verdicts = [], [], {}
    for which, learner in enumerate(learners):
        for position, threat in enumerate(_threats()):
            key = f"{which}{position:03d}" + "c0ffee" * 10
            about = _description(names(which, learner), learner, threat, class_names)
            if hostile:
                about["dataset"]["groups"] = {HOSTILE[0]: [0, 1], HOSTILE[7]: [2, 3, 4]}
                title = f"{HOSTILE[position % len(HOSTILE)]} {position}"
                about["threat"] |= {
                    "label": title,
                    "name": title,
                    "summary": HOSTILE[0],
                    "notes": HOSTILE[6],
                    "citation": HOSTILE[5],
                }
            cell = _cell(key, about, learner, threat, position)
            verdict = Verdict("ok", (CheckResult("budget", True, "no image left its ball"),))
            if faults:
                cell, verdict = _with_faults(cell, verdict, learner, threat, names)
            scored.append(cell)
            verdicts[key] = verdict
            if threat["label"] in _FOLLOWED:
                curves += _points(cell)
    manifest = {**_MANIFEST, "name": names(0, "synthetic-example")}
    if hostile:
        manifest["command"] = ["metarobust", "audit", *HOSTILE]
        manifest["platform"] = HOSTILE[0]
    verdicts |= {cell.evidence.key: Verdict("ok", ()) for cell in curves}
    return SyntheticRun(manifest, scored, verdicts, curves)


def _points(cell: CellScores):
    """The cells of the adaptation curves that a cell of the audit lies on."""
    about = cell.evidence.description
    for axis, values in _CURVES.items():
        own = about["own_point"][axis]
        for value in values if own else ():
            share = cell.scores["accuracy"].value * (value / own) ** 0.1
            mark = {"axis": axis, "value": value}
            there = {key: fact for key, fact in about.items() if key != "own_point"}
            evidence = replace(
                cell.evidence,
                key=f"{axis}{value}{cell.evidence.key}",
                description={**there, "adaptation": mark},
            )
            clean = _CLEAN[about["learner"]["name"]]
            scores = {**cell.scores, **_scores(min(share, 0.99), clean, False)}
            yield CellScores(evidence, scores, ())


def _description(label, learner, threat, class_names):
    return {
        "learner": {"label": label, "name": learner, "checkpoint": f"{learner}-glyphs",
                    "norm_mode": "support" if learner == "maml" else "running",
                    "weights": "9f2c" * 16, "options": {}, "training": {"threat": "none"},
                    "differentiable": True, "logit_scale": 1.0,
                    "recalibration": {"temperature": 1.21, "episodes": 40, "reason": "",
                                      "thresholds": {"0.9": 0.71, "0.95": 0.86}}},
        "threat": dict(threat),
        "protocol": {"ways": WAYS, "shots": SHOTS, "queries": QUERIES, "attacker_queries": QUERIES,
                     "split": "test", "replacement": "classes", "episodes": EPISODES},
        "dataset": {"name": "made-up strokes", "digest": "0b5e" * 16,
                    "info": {}, "picture_classes": class_names,
                    "groups": {"round": [0, 1], "angular": [2, 3, 4]}},
        "seed": 0,
        "own_point": {"inner_steps": 5 if learner == "maml" else None, "shots": SHOTS},
    }  # fmt: skip


def _cell(key, about, learner, threat, position) -> CellScores:
    accuracy, clean = _accuracy(learner, threat), _CLEAN[learner]
    rng = np.random.default_rng([position, len(learner)])
    evidence = CellEvidence(
        key=key,
        description=about,
        expected=EPISODES,
        arrays=_arrays(threat, accuracy, EPISODES, rng),
        picture={} if threat["family"] == "clean" else picture(threat, rng),
    )
    made_up = _scores(accuracy, clean, threat["family"] == "poison")
    scores = {**_measured(learner)[position], **made_up}
    return CellScores(evidence, scores, _reliability(accuracy, clean))


@lru_cache(maxsize=3)
def _measured(learner: str) -> list[dict[str, Estimate]]:
    """What the evidence of a learner's cells says, where no number is made up for it."""
    cells = [
        CellEvidence(str(position), _description(learner, learner, threat, []), EPISODES, arrays)
        for position, threat in enumerate(_threats())
        for rng in [np.random.default_rng([position, len(learner)])]
        for arrays in [_arrays(threat, _accuracy(learner, threat), EPISODES, rng)]
    ]
    return [cell.scores for cell in score_cells(cells)]


def _with_faults(cell, verdict, learner, threat, names):
    """A suspect FGSM, a pixelate cell that failed and a contrast cell that was not finished."""
    which = (learner, threat["label"])
    if which == ("maml", "fgsm-linf eps=16/255"):
        detail = "accuracy 51.2% at eps 16/255 is above 49.0% at 8/255, beyond the intervals"
        checks = (*verdict.checks, CheckResult("monotone in eps", False, names(0, detail)))
        return cell, Verdict("suspect", checks)
    if which == ("maml", "pixelate severity=5"):
        message = names(1, "RuntimeError: out of memory in episode 0")
        empty = replace(cell.evidence, arrays={}, picture={}, failures=(message,))
        reason = f"no episode was evaluated: {message}"
        missing = {name: Estimate(None, reason=reason) for name in cell.scores}
        return CellScores(empty, missing, ()), Verdict("error", ())
    if which == ("protonet", "contrast severity=5"):
        part = {name: values[:12] for name, values in cell.evidence.arrays.items()}
        detail = "12 of 40 episodes"
        half = replace(cell, evidence=replace(cell.evidence, arrays=part))
        return half, Verdict("incomplete", (CheckResult("all episodes", False, detail),))
    return cell, verdict


_MANIFEST = {
    "schema": 1,
    "name": "synthetic-example",
    "status": "complete",
    "limited": False,
    "command": ["metarobust", "audit", "configs/audit/quick.yaml", "--set", "seed=0"],
    "created": "2025-01-02T03:04:05Z",
    "finished": "2025-01-02T03:07:37Z",
    "seconds": 212.4,
    "seed": 0,
    "device": "cpu",
    "workers": 2,
    "versions": {"metarobust": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "numpy": "2.2.0"},
    "platform": "Linux x86_64",
    "digests": {"config": "c0de" * 16, "dataset": "0b5e" * 16},
    "commit": None,
}

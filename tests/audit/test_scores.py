import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.score_backdoor import BACKDOOR_FAMILY
from metarobust.audit.score_explanation import EXPLANATION_FAMILY
from metarobust.audit.score_ood import OOD_FAMILY
from metarobust.audit.scores import FAMILIES, MEASURES, SCORES, CellScores, score_cells
from metarobust.metrics.calibration import probabilities

WAYS, QUERIES = 5, 25
RECALIBRATION = {
    "temperature": 1.25,
    "thresholds": {"0.9": 0.75, "0.95": None},
    "episodes": 40,
    "reason": "",
}
AGAINST_CLEAN = ("drop_points", "relative_drop", "retention", "robust_given_correct")
OF_CONFIDENCE = [m.key for family in FAMILIES if family.of_confidence for m in family.measures]


def cell(
    family: str = "clean",
    label: str = "protonet",
    *,
    episodes: int = 40,
    skill: float = 3.0,
    seed: int = 0,
    **changes: Any,
) -> CellEvidence:
    """A cell whose logits are noise around `skill` times the truth; the queries are fixed."""
    queries = np.random.default_rng(99)
    labels = queries.integers(WAYS, size=(500, QUERIES))[:episodes]
    ids = queries.integers(10_000, size=(500, QUERIES))[:episodes]
    noise = np.random.default_rng(seed).normal(size=(episodes, QUERIES, WAYS))
    arrays = {
        "logits": (noise + skill * np.eye(WAYS)[labels]).astype(np.float32),
        "labels": labels,
        "query_ids": ids,
        "number": np.arange(episodes),
        "class_ids": np.argsort(queries.random((500, 20)))[:episodes, :WAYS],
        "attacker_correct": np.full(episodes, -1.0),
    }
    learner = {"label": label, "recalibration": RECALIBRATION}
    description = {"learner": learner, "threat": {"family": family}}
    arrays |= changes.pop("arrays", {})
    return CellEvidence(f"{family}-{label}-{seed}", description, episodes, arrays, **changes)


def score(*cells: CellEvidence) -> list[CellScores]:
    scored = score_cells(cells)
    for found in scored:
        assert tuple(found.scores) == SCORES
        for name, estimate in found.scores.items():
            missing = estimate.value is None or estimate.low is None
            assert bool(estimate.reason) == missing, name
            assert bool(estimate.method) == (not missing), name
        json.dumps([asdict(e) for e in found.scores.values()], allow_nan=False)
        json.dumps([asdict(b) for b in found.reliability], allow_nan=False)
    return scored


def test_scores_are_those_of_sklearn() -> None:
    clean, attacked = cell(), cell("attack", skill=1.0, seed=1)
    found = score(clean, attacked)[1]
    said = attacked.arrays["logits"].argmax(-1).ravel()
    before = clean.arrays["logits"].argmax(-1).ravel()
    truth = attacked.arrays["labels"].ravel()
    shares = probabilities(attacked.arrays["logits"]).reshape(-1, WAYS)
    values = {name: estimate.value for name, estimate in found.scores.items()}
    after, ahead = accuracy_score(truth, said), accuracy_score(truth, before)
    assert values["accuracy"] == pytest.approx(after)
    assert values["drop_points"] == pytest.approx(100 * (ahead - after))
    assert values["relative_drop"] == pytest.approx((ahead - after) / ahead)
    assert values["retention"] == pytest.approx((after - 0.2) / (ahead - 0.2))
    right = before == truth
    assert values["robust_given_correct"] == pytest.approx(
        accuracy_score(truth[right], said[right])
    )
    expected = brier_score_loss(truth, shares, scale_by_half=False, labels=range(WAYS))
    assert values["brier"] == pytest.approx(expected)
    assert values["nll"] == pytest.approx(log_loss(truth, shares, labels=range(WAYS)))


def test_ece_is_uncertainty_calibrations_and_its_bins_add_up_to_it() -> None:
    oracle = pytest.importorskip("calibration")
    evidence = cell(episodes=60)  # 1500 queries: 15 bins of 100
    found = score(evidence)[0]
    shares = probabilities(evidence.arrays["logits"]).reshape(-1, WAYS)
    expected = oracle.get_ece_em(shares, evidence.arrays["labels"].ravel())
    assert found.scores["ece"].value == pytest.approx(expected, abs=1e-12)
    assert [b.count for b in found.reliability] == [100] * 15
    gap = sum(b.count * abs(b.accuracy - b.confidence) for b in found.reliability) / 1500
    assert gap == pytest.approx(expected, abs=1e-12)
    assert [b.confidence for b in found.reliability] == sorted(
        b.confidence for b in found.reliability
    )


def test_a_clean_cell_is_its_own_reference() -> None:
    found = score(cell())[0].scores
    assert [found[name].value for name in AGAINST_CLEAN] == [0, 0, 1, 1]
    assert all("same value" in found[name].reason for name in AGAINST_CLEAN)


def test_each_learner_has_its_own_clean_cell_in_any_order() -> None:
    attacked = [cell("attack", label, skill=1.0, seed=1) for label in ("maml", "protonet")]
    clean = [cell("clean", "protonet"), cell("clean", "maml", skill=1.5)]
    drops = [s.scores["drop_points"].value for s in score(*attacked, *clean)]
    assert drops[0] < drops[1]
    alone = score(clean[1], attacked[0])[1]
    assert alone.scores["drop_points"].value == drops[0]


def test_a_failed_cell_says_why_everywhere() -> None:
    failed = replace(cell("attack"), arrays={}, failures=("AttackError: out of memory", "again"))
    found = score(cell(), failed)[1]
    assert found.reliability == ()
    assert {e.value for e in found.scores.values()} == {None}
    assert {e.reason for e in found.scores.values()} == {
        "no episode was evaluated: AttackError: out of memory"
    }


def test_pairing_uses_the_episodes_that_both_cells_have() -> None:
    clean, attacked = cell(), cell("attack", skill=1.0, seed=1)
    kept = np.array([3, 7, 8, 20, 31])
    partial = replace(attacked, arrays={k: v[kept] for k, v in attacked.arrays.items()})
    found = score(replace(clean, arrays={k: v[::-1] for k, v in clean.arrays.items()}), partial)[1]
    expected = 100 * (clean.correct[kept].mean() - attacked.correct[kept].mean())
    assert found.scores["drop_points"].value == pytest.approx(expected)
    assert found.scores["accuracy"].value == pytest.approx(attacked.correct[kept].mean())


@pytest.mark.parametrize(
    ("clean", "reason"),
    [
        (None, "no evaluated clean cell"),
        (cell(label="maml"), "no evaluated clean cell"),
        (replace(cell(), arrays={}), "no evaluated clean cell"),
        (cell(arrays={"number": np.arange(100, 140)}), "no episode is shared"),
        (
            cell(arrays={"query_ids": np.zeros((40, QUERIES))}),
            "differ from the clean cell's in query_ids",
        ),
    ],
)
def test_without_a_matching_clean_cell_only_the_comparison_is_missing(clean, reason: str) -> None:
    attacked = cell("attack", skill=1.0)
    found = score(*([clean] if clean else []), attacked)[-1].scores
    assert all(found[name].value is None and reason in found[name].reason for name in AGAINST_CLEAN)
    assert found["accuracy"].value is not None
    assert found["ece"].value is not None


def test_a_learner_at_chance_retains_nothing_that_could_be_named() -> None:
    guessing = cell(skill=0.0)
    found = score(guessing, cell("attack", skill=0.0, seed=1))[1].scores
    assert found["retention"].value is None
    assert "clean accuracy above chance" in found["retention"].reason
    assert found["relative_drop"].value is not None
    wrong = score(cell(skill=-9.0), cell("attack", skill=-9.0))[1].scores
    assert "clean accuracy is 0, not above 0" in wrong["relative_drop"].reason
    assert "clean accuracy is 0, not above 0" in wrong["robust_given_correct"].reason


def test_one_episode_has_values_and_no_intervals() -> None:
    found = score(cell(episodes=1), cell("attack", episodes=1, skill=1.0, seed=1))[1].scores
    named = {measure.key for measure in MEASURES if measure.has_interval}
    of_groups = {"worst_class_accuracy", "class_gap"}
    of_some = (OOD_FAMILY, EXPLANATION_FAMILY, BACKDOOR_FAMILY)
    asked_for = {m.key for family in of_some for m in family.measures}
    elsewhere = {"attacker_accuracy", "median_radius", "worst_group_accuracy", "group_gap"}
    for name in named - {"ece_null"} - elsewhere - of_groups - asked_for:
        assert found[name].value is not None, name
        assert found[name].low is None
        assert "one episode" in found[name].reason
    assert all("one episode" in found[name].reason for name in of_groups)


def test_the_ceiling_and_the_floor_have_exact_intervals() -> None:
    ceiling, floor = score(cell(skill=40.0), cell("attack", skill=-40.0))
    exact = 1 - 0.025 ** (1 / 40)
    best, worst = ceiling.scores["accuracy"], floor.scores["accuracy"]
    assert (best.value, best.low, best.high) == (1.0, pytest.approx(1 - exact), 1.0)
    assert (worst.value, worst.low, worst.high) == (0.0, 0.0, pytest.approx(exact))
    assert floor.scores["drop_points"].value == 100
    assert floor.scores["retention"].value == pytest.approx(-0.25)
    assert ceiling.scores["ece"].value == pytest.approx(0.0, abs=1e-12)
    claimed = probabilities(floor.evidence.arrays["logits"]).max(-1).mean()
    assert floor.scores["ece"].value == pytest.approx(claimed)


def test_logits_that_are_not_finite_are_errors_without_confidence() -> None:
    clean = cell(skill=40.0)
    logits = clean.arrays["logits"].copy()
    logits[0, :5] = np.nan
    logits[1, 0, clean.arrays["labels"][1, 0]] = np.inf
    found = score(clean, cell("attack", arrays={"logits": logits}))[1]
    assert found.scores["accuracy"].value == pytest.approx(1 - 6 / 1000)
    assert found.reliability == ()
    for name in OF_CONFIDENCE:
        assert found.scores[name].reason == "6 of 1000 queries have logits that are not finite"


@pytest.mark.parametrize("arrays", [{}, {"attacker_correct": np.full(40, 0.5)}])
def test_the_attackers_own_accuracy(arrays: dict[str, np.ndarray]) -> None:
    found = score(cell("poison", arrays=arrays))[0].scores["attacker_accuracy"]
    assert found.value == (0.5 if arrays else None)
    assert found.reason
    spread = np.r_[np.full(20, -1.0), np.linspace(0, 0.95, 20)]
    found = score(cell("poison", arrays={"attacker_correct": spread}))[0].scores
    assert found["attacker_accuracy"].value == pytest.approx(0.475)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(12)), st.permutations(range(WAYS)), st.floats(-100, 100))
def test_neither_order_nor_names_nor_a_shift_of_logits_matters(order, names, shift: float) -> None:
    clean, attacked = cell(episodes=12), cell("attack", episodes=12, skill=1.0, seed=1)
    arrays = {k: v[order] for k, v in attacked.arrays.items()}
    arrays["logits"] = arrays["logits"][..., names].astype(np.float64) + shift
    arrays["labels"] = np.argsort(names)[arrays["labels"]]
    arrays["class_ids"] = arrays["class_ids"][:, names]
    renamed = replace(
        clean, arrays=clean.arrays | {"labels": np.argsort(names)[clean.arrays["labels"]]}
    )
    renamed.arrays["logits"] = clean.arrays["logits"][..., names]
    before = score(clean, attacked)[1].scores
    after = score(renamed, replace(attacked, arrays=arrays))[1].scores
    for name, estimate in before.items():
        assert after[name].value == pytest.approx(estimate.value, abs=1e-9), name
        if not re.match("bootstrap|simultaneous", estimate.method):  # resampled by position
            assert after[name].high == pytest.approx(estimate.high, abs=1e-9), name


def test_the_seed_alone_decides_the_resamples() -> None:
    clean, attacked = cell(), cell("attack", skill=1.0, seed=1)
    assert score(clean, attacked)[1].scores == score(attacked, clean)[0].scores
    other = score_cells([attacked], seed=1)[0].scores
    assert other["ece"].value == score(attacked)[0].scores["ece"].value
    assert other["ece"].high != score(attacked)[0].scores["ece"].high


def test_scoring_needs_no_torch() -> None:
    code = "import sys, metarobust.audit.scores; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_audit_is_scored_in_seconds() -> None:
    cells = [cell("attack" if i else "clean", skill=3 - i / 4, seed=i) for i in range(8)]
    start = time.process_time()
    score_cells(cells)
    assert time.process_time() - start < 4

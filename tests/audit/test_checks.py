"""Each sanity check passes on healthy evidence and trips on evidence that breaks it alone."""

import math
from dataclasses import replace

import numpy as np
import pytest

from metarobust.audit.checks import CHECKS, check_cells
from metarobust.audit.evidence import CellEvidence
from metarobust.audit.scores import score_cells

EPISODES, QUERIES, WAYS = 20, 10, 5
RECORD = ("budget_used", "changed", "zero_gradients", "objective_start", "objective_end")
NAMES = (
    "budget respected",
    "zero budget is the identity",
    "the threat changed something",
    "gradients alive",
    "loss rises",
    "monotone in eps",
    "no weaker attack does more",
)


def cell(engine, eps, accuracy, *, learner="protonet", **facts):
    """A cell whose episodes differ in accuracy by one query, so that its intervals are short."""
    searching = engine in ("pgd", "fgsm", "fgsm-rs")
    family = {"none": "clean", "noise": "noise"}.get(engine, "attack")
    threat = {
        "name": engine,
        "label": f"{engine} eps={eps}",
        "engine": engine,
        "family": family,
        "surface": None if eps is None else "query",
        "norm": None if eps is None else "linf",
        "eps": eps,
        "steps": 20 if engine == "pgd" else None,
        "targets": "untargeted" if searching else None,
        "shot_fraction": None,
        "class_fraction": None,
        **facts,
    }
    right = np.arange(QUERIES)[None] < np.round(accuracy * QUERIES) + (
        np.arange(EPISODES)[:, None] % 2
    )
    labels = np.tile(np.arange(QUERIES) % WAYS, (EPISODES, 1))
    said = np.where(right, labels, (labels + 1) % WAYS)
    logits = np.eye(WAYS, dtype=np.float32)[said]
    used = 0.0 if eps is None else eps
    arrays = {
        "logits": logits,
        "labels": labels,
        "class_ids": np.tile(np.arange(WAYS), (EPISODES, 1)),
        "number": np.arange(EPISODES),
        "query_ids": np.tile(np.arange(QUERIES), (EPISODES, 1)),
        "gradient_calls": np.full(EPISODES, 20 if searching else 0),
        "budget_used": np.full(EPISODES, used),
        "changed": np.full(EPISODES, float(used > 0)),
        "zero_gradients": np.zeros(EPISODES),
        "objective_start": np.full(EPISODES, 0.5),
        "objective_end": np.full(EPISODES, 2.0 if searching and used else 0.5),
        "attacker_correct": np.full(EPISODES, -1.0),
    }
    return CellEvidence(
        key=f"{learner}/{threat['label']}/{facts}",
        description={"learner": {"label": learner}, "threat": threat},
        expected=EPISODES,
        arrays=arrays,
        extras={} if engine == "none" else {"zero_budget_difference": 0.0},
    )


def healthy():
    """Noise >= FGSM >= PGD at two budgets, every record as it should be."""
    return {
        "clean": cell("none", None, 0.9),
        "noise small": cell("noise", 0.05, 0.9),
        "noise": cell("noise", 0.1, 0.8),
        "fgsm small": cell("fgsm", 0.05, 0.6),
        "fgsm": cell("fgsm", 0.1, 0.5),
        "pgd small": cell("pgd", 0.05, 0.4),
        "pgd": cell("pgd", 0.1, 0.2),
    }


def verdicts(cells):
    found = check_cells(score_cells(list(cells.values())))
    return {name: found[evidence.key] for name, evidence in cells.items()}


def failed(cells, name):
    return [check.name for check in verdicts(cells)[name].failed]


def changed(evidence, **arrays):
    spoilt = {name: np.full(EPISODES, value) for name, value in arrays.items()}
    return replace(evidence, arrays={**evidence.arrays, **spoilt})


def test_healthy_evidence_passes_every_check_that_applies():
    found = verdicts(healthy())
    assert {verdict.status for verdict in found.values()} == {"ok"}
    assert [c.name for c in found["pgd"].checks] == list(NAMES)
    assert len(CHECKS) == len(NAMES)
    assert found["clean"].checks == ()
    assert [c.name for c in found["noise"].checks] == [NAMES[0], NAMES[1], NAMES[2], NAMES[5]]
    for verdict in found.values():
        assert all(any(digit in c.detail for digit in "0123456789") for c in verdict.checks)


SPOILS = {
    "budget respected": {"budget_used": 0.11},
    "the threat changed something": {"changed": 0.0},
    "gradients alive": {"zero_gradients": 0.02},
    "loss rises": {"objective_end": 0.5},
}


@pytest.mark.parametrize("check", SPOILS)
@pytest.mark.parametrize("name", ["fgsm", "pgd"])
def test_one_spoilt_record_trips_its_own_check_alone(check, name):
    cells = healthy()
    cells[name] = changed(cells[name], **SPOILS[check])
    assert failed(cells, name) == [check]
    assert verdicts(cells)[name].status == "suspect"
    assert {v.status for other, v in verdicts(cells).items() if other != name} == {"ok"}


@pytest.mark.parametrize(
    ("value", "passes"), [(0.1, True), (0.1 * (1 + 1e-5), True), (0.1002, False)]
)
def test_the_budget_has_room_for_rounding_and_no_more(value, passes):
    cells = healthy()
    cells["pgd"] = changed(cells["pgd"], budget_used=value)
    assert (failed(cells, "pgd") == []) == passes


def test_one_image_beyond_the_budget_is_enough():
    cells = healthy()
    cells["noise"].arrays["budget_used"][7] = 0.2
    assert failed(cells, "noise") == ["budget respected"]


def test_the_smallest_difference_at_budget_zero_is_too_much():
    cells = healthy()
    cells["pgd"] = replace(cells["pgd"], extras={"zero_budget_difference": 1e-7})
    assert failed(cells, "pgd") == ["zero budget is the identity"]


def test_more_accuracy_at_more_eps_is_suspect():
    cells = healthy() | {"pgd": cell("pgd", 0.1, 0.6)}
    found = verdicts(cells)["pgd"].failed
    assert [check.name for check in found] == ["monotone in eps", "no weaker attack does more"]
    assert found[0].detail == "accuracy 0.650 against 0.450 for eps 0.05"
    assert failed(cells, "pgd small") == []


def test_a_difference_within_the_intervals_is_not_suspect():
    cells = healthy()
    pgd = cell("pgd", 0.1, 0.4)
    pgd.arrays["logits"][::5] = np.roll(pgd.arrays["logits"][::5], 1, axis=-1)
    cells["pgd"] = pgd
    scores = score_cells(list(cells.values()))
    low, high = scores[-1].scores["accuracy"].low, scores[-2].scores["accuracy"].high
    assert low <= high, "the example is meant to be a close call"
    assert failed(cells, "pgd") == []


def test_a_stronger_attack_beaten_by_a_weaker_one_is_suspect():
    cells = {k: v for k, v in healthy().items() if "small" not in k}
    cells["pgd"] = cell("pgd", 0.1, 0.7)
    assert failed(cells, "pgd") == ["no weaker attack does more"]
    assert failed(cells, "fgsm") == []
    cells["fgsm"] = cell("fgsm", 0.1, 0.9)
    assert failed(cells, "fgsm") == ["no weaker attack does more"]


@pytest.mark.parametrize(
    "facts",
    [
        {"eps": 0.2},
        {"norm": "l2"},
        {"surface": "support"},
        {"shot_fraction": 0.4},
        {"class_fraction": 0.4},
        {"targets": "shifted"},
        {"learner": "maml"},
    ],
)
def test_only_like_is_compared_with_like(facts):
    eps = facts.pop("eps", 0.1)
    cells = {"noise": cell("noise", 0.1, 0.3), "pgd": cell("pgd", eps, 0.9, **facts)}
    assert "no weaker attack does more" not in [c.name for c in verdicts(cells)["pgd"].checks]


def test_another_recipe_or_more_steps_is_another_curve():
    for facts in ({"name": "pgd-long"}, {"steps": 100}, {"targets": "shifted"}):
        cells = {"small": cell("pgd", 0.05, 0.2), "large": cell("pgd", 0.1, 0.9, **facts)}
        assert "monotone in eps" not in [c.name for c in verdicts(cells)["large"].checks]


def test_a_budget_of_zero_is_allowed_to_do_nothing():
    cells = healthy() | {"pgd zero": cell("pgd", 0.0, 0.9), "noise zero": cell("noise", 0.0, 0.9)}
    assert verdicts(cells)["pgd zero"].status == "ok"
    assert verdicts(cells)["noise zero"].status == "ok"
    assert verdicts(cells)["pgd small"].status == "ok"


def test_queries_without_an_answer_count_as_wrong_and_not_as_a_crash():
    cells = healthy()
    cells["pgd"].arrays["logits"][:, 0] = math.nan
    assert verdicts(cells)["pgd"].status == "ok"


def part(evidence, episodes, failures=()):
    arrays = {name: array[:episodes] for name, array in evidence.arrays.items()}
    return replace(evidence, arrays=arrays if episodes else {}, failures=failures)


@pytest.mark.parametrize(
    ("episodes", "failures", "status"),
    [
        (EPISODES, (), "ok"),
        (10, (), "incomplete"),
        (0, (), "incomplete"),
        (10, ("block 1: boom",), "error"),
        (0, ("block 0: boom",), "error"),
    ],
)
def test_missing_episodes_and_failures_are_told(episodes, failures, status):
    cells = healthy()
    cells["pgd"] = part(cells["pgd"], episodes, failures)
    verdict = verdicts(cells)["pgd"]
    assert verdict.status == status
    assert bool(verdict.checks) == bool(episodes)


def test_suspicion_comes_before_incompleteness():
    cells = healthy()
    cells["pgd"] = part(changed(cells["pgd"], zero_gradients=0.5), 10)
    assert verdicts(cells)["pgd"].status == "suspect"


def test_a_cell_without_evidence_does_not_stop_the_checks_of_others():
    cells = healthy()
    cells["noise"] = part(cells["noise"], 0)
    assert verdicts(cells)["pgd"].status == "ok"

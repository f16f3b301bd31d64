"""Each sanity check passes on healthy evidence and trips on evidence that breaks it alone."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from metarobust.audit.checks import CHECKS, check_cells
from metarobust.audit.evidence import CellEvidence
from metarobust.audit.scores import CellScores

EPISODES, QUERIES, WAYS = 20, 10, 5
RECORD = ("budget_used", "changed", "zero_gradients", "objective_start", "objective_end")
OF_NOISE = (
    "budget respected",
    "same learner afterwards",
    "reproducible",
    "zero budget is the identity",
    "the threat changed something",
    "monotone in eps",
    "deterministic",
    "queries independent",
)
OF_PGD = (
    "budget respected",
    "same learner afterwards",
    "reproducible",
    "zero budget is the identity",
    "the threat changed something",
    "the answers changed",
    "gradients alive",
    "margin gradients at the start",
    "loss rises",
    "loss converged",
    "no silent success",
    "restarts agree",
    "monotone in eps",
    "no weaker attack does more",
    "deterministic",
    "queries independent",
    "logits, not probabilities",
    "logits not saturated",
    "gradients true",
    "unbounded attack succeeds",
)
PROBES = {
    "repeat_spread": 0.0,
    "repeat_count_change": 0.0,
    "neighbour_effect": 1e-6,
    "probability_like": 0.0,
    "saturated_share": 0.02,
    "zero_cross_entropy_gradients_clean": 0.0,
    "zero_cross_entropy_gradients_start": 0.0,
    "zero_margin_gradients_clean": 0.0,
    "zero_margin_gradients_start": 0.0,
    "gradient_error": 0.01,
    "support_gradient": 3.0,
    "unbounded_accuracy": 0.0,
}
WATCHED = dict.fromkeys(
    (
        "zero_budget_difference",
        "clean_logits_moved",
        "training_flags_changed",
        "random_state_changed",
        "rerun_difference",
    ),
    0.0,
)
SEARCHING = ("pgd", "fgsm", "fgsm-rs", "apgd", "episode-autoattack", "torchattacks:PGD")
KNOWLEDGE = {"none": "none", "noise": "none", "square": "black-box", "transfer": "black-box"}


def cell(engine, eps, accuracy, *, learner="protonet", **facts):
    """A cell whose episodes differ in accuracy by one query, so that its intervals are short."""
    searching = engine in SEARCHING
    family = {"none": "clean", "noise": "noise"}.get(engine, "attack")
    threat = {
        "name": engine,
        "label": f"{engine} eps={eps}",
        "engine": engine,
        "knowledge": KNOWLEDGE.get(engine, "white-box"),
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
    if searching:
        arrays |= {
            "late_improvement": np.full(EPISODES, 0.01 if engine == "pgd" else -1.0),
            "silent_success": np.zeros(EPISODES),
            "restart_spread": np.full(EPISODES, 0.1 if engine == "pgd" else -1.0),
        }
    return CellEvidence(
        key=f"{learner}/{threat['label']}/{facts}",
        description={"learner": {"label": learner}, "threat": threat},
        expected=EPISODES,
        arrays=arrays,
        extras=dict(PROBES if engine == "none" else WATCHED),
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
    found = check_cells([CellScores(evidence, {}, ()) for evidence in cells.values()])
    return {name: found[evidence.key] for name, evidence in cells.items()}


def failed(cells, name):
    return [check.name for check in verdicts(cells)[name].failed]


def changed(evidence, **arrays):
    spoilt = {name: np.full(EPISODES, value) for name, value in arrays.items()}
    return replace(evidence, arrays={**evidence.arrays, **spoilt})


def test_healthy_evidence_passes_every_check_that_applies():
    found = verdicts(healthy())
    assert {verdict.status for verdict in found.values()} == {"ok"}
    assert tuple(c.name for c in found["pgd"].checks) == OF_PGD
    assert tuple(c.name for c in found["noise"].checks) == OF_NOISE
    assert [c.name for c in found["clean"].checks] == ["deterministic", "queries independent"]
    for verdict in found.values():
        assert all(any(digit in c.detail for digit in "0123456789") for c in verdict.checks)


SPOILS = {
    "budget respected": {"budget_used": 0.11},
    "the threat changed something": {"changed": 0.0},
    "gradients alive": {"zero_gradients": 0.02},
    "loss rises": {"objective_end": 0.5},
    "loss converged": {"late_improvement": 0.21},
    "no silent success": {"silent_success": 0.01},
    "restarts agree": {"restart_spread": 0.6},
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
    cells["pgd"] = replace(cells["pgd"], extras={**WATCHED, "zero_budget_difference": 1e-7})
    assert failed(cells, "pgd") == ["zero budget is the identity"]


@pytest.mark.parametrize(
    ("measured", "check"),
    [
        ("clean_logits_moved", "same learner afterwards"),
        ("training_flags_changed", "same learner afterwards"),
        ("rerun_difference", "reproducible"),
        ("random_state_changed", "reproducible"),
    ],
)
def test_what_a_threat_leaves_behind_trips_its_check(measured, check):
    cells = healthy()
    cells["noise"] = replace(cells["noise"], extras={**WATCHED, measured: 1.0})
    assert failed(cells, "noise") == [check]
    assert failed(cells, "pgd") == []


@pytest.mark.parametrize(
    ("measured", "value", "check"),
    [
        ("repeat_spread", 2e-4, "deterministic"),
        ("repeat_count_change", 1.0, "deterministic"),
        ("neighbour_effect", 2e-4, "queries independent"),
        ("probability_like", 1.0, "logits, not probabilities"),
        ("saturated_share", 0.06, "logits not saturated"),
        ("zero_margin_gradients_clean", 0.04, "margin gradients at the start"),
        ("zero_margin_gradients_start", 0.04, "margin gradients at the start"),
        ("gradient_error", 0.21, "gradients true"),
        # 1/5 + 2 sqrt(0.2 * 0.8 / 10) = 0.45298
        ("unbounded_accuracy", 0.453, "unbounded attack succeeds"),
    ],
)
def test_a_learner_s_fault_is_told_at_every_gradient_attack_on_it(measured, value, check):
    cells = healthy()
    cells["clean"] = replace(cells["clean"], extras={**PROBES, measured: value})
    assert failed(cells, "pgd") == failed(cells, "fgsm") == [check]
    both = check in ("deterministic", "queries independent")
    assert failed(cells, "noise") == ([check] if both else [])
    other = cell("pgd", 0.1, 0.2, learner="maml")
    assert failed({**cells, "other": other}, "other") == []


def test_cross_entropy_s_gradients_count_where_nothing_else_is_climbed():
    dead = {**PROBES, "zero_cross_entropy_gradients_clean": 1.0}
    clean = replace(cell("none", None, 0.9), extras=dead)
    for losses, expected in (
        (["cross-entropy"], ["cross-entropy gradients at the start"]),
        (["cross-entropy", "margin"], []),
    ):
        cells = {"clean": clean, "pgd": cell("pgd", 0.1, 0.2, loss=losses)}
        assert failed(cells, "pgd") == expected


@pytest.mark.parametrize(
    ("gradient", "zeros", "passes"), [(3.0, 0.5, True), (0.0, 0.0, False), (3.0, 1.0, False)]
)
def test_a_poisoner_needs_a_gradient_through_adaptation(gradient, zeros, passes):
    clean = replace(cell("none", None, 0.9), extras={**PROBES, "support_gradient": gradient})
    poison = cell("pgd", 0.1, 0.2, surface="support")
    poison.arrays["zero_gradients"][3] = zeros
    results = {c.name: c.passed for c in verdicts({"c": clean, "p": poison})["p"].checks}
    assert results["support gradient alive"] == passes
    assert "margin gradients at the start" not in results


def test_poisoned_accuracy_that_equals_natural_accuracy_is_suspect():
    cells = {"clean": cell("none", None, 0.8), "pgd": cell("pgd", 0.1, 0.8)}
    assert failed(cells, "pgd") == ["the answers changed"]
    cells["pgd"].arrays["logits"][0, 0] = np.roll(cells["pgd"].arrays["logits"][0, 0], 1)
    assert failed(cells, "pgd") == []
    noise = {"clean": cell("none", None, 0.8), "noise": cell("noise", 0.1, 0.8)}
    assert failed(noise, "noise") == []


def test_a_random_learner_is_attacked_on_average_or_not_at_all():
    for engine, expected in (("pgd", ["randomness averaged"]), ("eot-pgd", [])):
        cells = {"clean": cell("none", None, 0.9), "pgd": cell("pgd", 0.1, 0.2, name=engine)}
        for evidence in cells.values():
            evidence.description["learner"]["stochastic"] = True
        assert failed(cells, "pgd") == expected
        assert "deterministic" not in [c.name for c in verdicts(cells)["pgd"].checks]


@pytest.mark.parametrize(
    ("weak", "check"),
    [("square", "no black box does more"), ("transfer", "no transfer does more")],
)
@pytest.mark.parametrize("strong", ["pgd", "apgd", "episode-autoattack", "torchattacks:PGD"])
def test_a_white_box_attack_beaten_without_gradients_is_suspect(weak, check, strong):
    cells = {"weak": cell(weak, 0.1, 0.3), "strong": cell(strong, 0.1, 0.5)}
    assert failed(cells, "strong") == [check]
    cells["weak"] = cell(weak, 0.1, 0.6)
    assert failed(cells, "strong") == []
    assert failed(cells, "weak") == []


def test_one_step_may_be_beaten_by_a_black_box_and_an_ensemble_by_nothing():
    cells = {"square": cell("square", 0.1, 0.3), "fgsm": cell("fgsm", 0.1, 0.5)}
    assert failed(cells, "fgsm") == []
    cells = {"pgd": cell("pgd", 0.1, 0.3), "all": cell("episode-autoattack", 0.1, 0.5)}
    assert failed(cells, "all") == ["no weaker attack does more"]


def test_a_loss_that_finds_less_than_another_is_suspect():
    entropy = cell("apgd", 0.1, 0.6, loss=["cross-entropy"], steps=50)
    margin = cell("apgd", 0.1, 0.5, loss=["dlr"], steps=50)
    assert failed({"a": entropy, "b": margin}, "a") == ["losses agree"]
    assert failed({"a": entropy, "b": margin}, "b") == []
    longer = cell("apgd", 0.1, 0.5, loss=["dlr"], steps=100)
    assert failed({"a": entropy, "b": longer}, "a") == []


def test_the_first_search_of_an_ensemble_need_not_have_ended():
    late = {name: cell(name, 0.1, 0.3) for name in ("pgd", "episode-autoattack")}
    late = {name: changed(one, late_improvement=0.5) for name, one in late.items()}
    assert "loss converged" in failed(late, "pgd")
    assert "loss converged" not in failed(late, "episode-autoattack")


def test_an_attack_that_more_steps_or_restarts_beat_is_not_converged():
    short = cell("pgd", 0.1, 0.6, steps=10, restarts=1)
    for facts in ({"steps": 20, "restarts": 1}, {"steps": 10, "restarts": 5}):
        long = cell("pgd", 0.1, 0.5, **facts)
        assert failed({"short": short, "long": long}, "short") == ["more steps find no more"]
        assert failed({"short": short, "long": long}, "long") == []
    mixed = cell("pgd", 0.1, 0.5, steps=5, restarts=5)
    assert failed({"short": short, "mixed": mixed}, "short") == []


@pytest.mark.parametrize(
    ("loss", "ways", "passes"),
    [("dlr", 2, False), ("dlr", 3, True), ("targeted-dlr", 3, False), ("targeted-dlr", 4, True)],
)
def test_a_ratio_of_logits_needs_enough_of_them(loss, ways, passes):
    short = cell("apgd", 0.1, 0.2, loss=[loss])
    short.arrays["labels"] %= ways
    short.arrays["logits"] = np.eye(ways, dtype=np.float32)[1 - short.arrays["labels"] % 2]
    found = {c.name: c.passed for c in verdicts({"only": short})["only"].checks}
    assert found["enough ways for the loss"] == passes


def test_pixels_outside_the_data_range_are_no_valid_attack():
    cells = healthy()
    for high, expected in ((1.0, []), (1.1, ["budget respected"])):
        picture = {"query": np.array([0.0, high]), "support": np.zeros(2)}
        cells["pgd"] = replace(cells["pgd"], picture=picture)
        assert failed(cells, "pgd") == expected


def test_every_check_is_declared_whole_and_once():
    assert len({check.id for check in CHECKS}) == len({check.name for check in CHECKS})
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    numbers = {re.sub(r"[a-z]$", "", check.id) for check in CHECKS}
    assert {f"R{n}" for n in range(1, 18)} <= numbers
    for check in CHECKS:
        assert all((check.looks_at, check.formula, check.threshold, check.advice))


def test_a_failure_ends_with_what_to_do():
    cells = healthy()
    cells["pgd"] = changed(cells["pgd"], late_improvement=0.21)
    (result,) = verdicts(cells)["pgd"].failed
    assert result.detail == (
        "the last steps brought 21.0% of the climb, allowed 20%; the loss was still rising: more "
        "steps, or another step size"
    )


def test_more_accuracy_at_more_eps_is_suspect():
    cells = healthy() | {"pgd": cell("pgd", 0.1, 0.6)}
    found = verdicts(cells)["pgd"].failed
    assert [check.name for check in found] == ["monotone in eps", "no weaker attack does more"]
    assert found[0].detail.startswith("accuracy 0.650 against 0.450 for eps 0.05; ")
    assert failed(cells, "pgd small") == []


def test_a_difference_that_chance_explains_is_not_suspect():
    cells = healthy()
    cells["pgd"] = cell("pgd", 0.1, 0.4)
    assert failed(cells, "pgd") == []
    # One query of one episode: 0.5 points on average, with an interval that reaches below zero.
    cells["pgd"].arrays["logits"][0, 9] = np.eye(WAYS)[cells["pgd"].arrays["labels"][0, 9]]
    assert failed(cells, "pgd") == []


def test_a_stronger_attack_beaten_by_a_weaker_one_is_suspect():
    cells = {k: v for k, v in healthy().items() if k in ("noise", "fgsm")}
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


SEARCH = {"surface": "support", "knowledge": "black-box"}


def test_a_search_may_keep_what_is_there_and_its_loss_must_rise_otherwise():
    clean = cell("none", None, 0.8)
    kept = changed(cell("natural", None, 0.8, family="poison", **SEARCH), changed=0.0)
    assert failed({"clean": clean, "search": kept}, "search") == []
    flipped = cell("worst-labels", None, 0.6, family="labels", **SEARCH)
    flipped = changed(flipped, changed=0.2, objective_end=2.0)
    assert failed({"clean": clean, "search": flipped}, "search") == []
    flat = changed(flipped, objective_end=0.5)
    assert failed({"clean": clean, "search": flat}, "search") == ["loss rises"]
    idle = changed(cell("natural", None, 0.8, family="poison", **SEARCH), changed=0.2)
    idle = changed(idle, objective_end=2.0)
    assert failed({"clean": clean, "search": idle}, "search") == ["the answers changed"]


def test_images_put_in_are_no_perturbation_of_those_that_were_there():
    facts = {"surface": "support", "family": "poison"}
    cells = {
        "clean": replace(cell("none", None, 0.9), extras={**PROBES, "support_gradient": 0.0}),
        "noise": cell("noise", 0.1, 0.3, surface="support"),
        "swap": cell("swap", 0.1, 0.6, **facts),
        "pgd": cell("pgd", 0.1, 0.7, **facts),
    }
    cells["swap"].arrays["gradient_calls"][:] = 20
    cells["swap"] = changed(cells["swap"], objective_end=2.0)
    assert failed(cells, "swap") == []
    assert failed(cells, "pgd") == ["no weaker attack does more", "support gradient alive"]
    cells["swap"] = changed(cells["swap"], budget_used=0.11)
    assert failed(cells, "swap") == ["budget respected"]


@pytest.mark.parametrize("surface", ["query", "support"])
def test_an_attack_on_both_surfaces_is_not_beaten_by_one_on_one(surface):
    both = {"surface": "both", "steps": 40}
    alone = cell("pgd", 0.1, 0.3, surface=surface, steps=40)
    check = "both surfaces do more than one"
    assert failed({"a": alone, "b": cell("pgd", 0.1, 0.5, **both)}, "b") == [check]
    assert failed({"a": alone, "b": cell("pgd", 0.1, 0.2, **both)}, "b") == []
    for facts in ({"steps": 100}, {"engine": "mim"}, {"loss": ["margin"]}):
        other = cell("pgd", 0.1, 0.3, **{"surface": surface, "steps": 40, "name": "o"})
        other.description["threat"].update(facts)
        found = verdicts({"a": other, "b": cell("pgd", 0.1, 0.5, **both)})["b"]
        assert check not in [c.name for c in found.checks]


@pytest.mark.parametrize(
    ("led", "alone", "expected"),
    [(1.0, 0.0, []), (0.5, 0.5, ["the backdoor works"]), (0.0, 0.5, ["the backdoor works"])],
)
def test_a_backdoor_that_does_no_more_than_its_trigger_did_nothing(led, alone, expected):
    backdoor = cell("backdoor", None, 0.8, family="poison", surface="support", knowledge="none")
    said = np.full((EPISODES, QUERIES), 1)
    half = np.where(np.arange(QUERIES) < QUERIES // 2, 0, 1)
    answers = {1.0: np.zeros_like(said), 0.5: np.tile(half, (EPISODES, 1)), 0.0: said}
    backdoor = changed(backdoor, changed=0.2, backdoor_target=0)
    backdoor.arrays["backdoor_prediction"] = answers[led]
    backdoor.arrays["trigger_prediction"] = answers[alone]
    cells = {"clean": cell("none", None, 0.8), "backdoor": backdoor}
    assert failed(cells, "backdoor") == expected


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

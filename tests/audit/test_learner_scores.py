"""Scores over many cells of one learner, from answers that are chosen query by query."""

from dataclasses import replace

import numpy as np
import pytest

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.learner_measure import LEARNER_MEASURES
from metarobust.audit.learner_scores import score_learners
from metarobust.audit.scores import score_cells
from metarobust.core.errors import ConfigError
from tests.support.made_up_contest import CLEAN, answers, blur, cell, pgd

CLEAN_RIGHT = [10, 8, 10, 8]


def scored(*cells: CellEvidence, **options):
    found = score_learners(score_cells(cells), **options)
    assert len({(s.learner, s.key, s.of) for s in found}) == len(found)
    return {(s.learner, s.key, s.of): s for s in found}


def value(found, *which):
    return found[which].estimate.value


def grid(label: str = "maml") -> list[CellEvidence]:
    return [
        cell(label, pgd(0.2), answers([0, 2, 0, 2])),
        cell(label, CLEAN, answers(CLEAN_RIGHT)),
        cell(label, pgd(0.1), answers([6, 4, 4, 6])),
    ]


def noise(severity: int) -> dict:
    return {**blur(severity), "name": "noise", "label": f"noise severity={severity}",
            "engine": "corruption:noise"}  # fmt: skip


def test_the_area_is_the_trapezoid_over_eps_from_the_clean_cell() -> None:
    found = scored(*grid())
    # Accuracies 0.9, 0.5 and 0.1 at 0, 0.1 and 0.2: the area is (0.7 + 0.3) / 2.
    area = found["maml", "eps_area", "pgd"].estimate
    assert area.value == pytest.approx(0.5)
    # By hand, episode by episode: (10 + 2 * 6 + 0) / 40, (8 + 2 * 4 + 2) / 40, ...
    each = np.array([22, 18, 18, 22]) / 40
    half = 3.182446 * each.std(ddof=1) / 2
    assert (area.low, area.high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-6)
    assert value(found, "maml", "half_eps", "pgd") == pytest.approx(0.1 + 0.1 * 0.05 / 0.4)


def test_a_curve_that_never_halves_says_how_far_it_was_tried() -> None:
    strong = [cell("maml", pgd(eps), answers(CLEAN_RIGHT)) for eps in (0.1, 0.2)]
    found = scored(cell("maml", CLEAN, answers(CLEAN_RIGHT)), *strong)
    estimate = found["maml", "half_eps", "pgd"].estimate
    assert estimate.value is None
    assert "0.2, leaves more than half" in estimate.reason


def test_only_strengths_of_one_threat_are_one_curve() -> None:
    other = [cell("maml", pgd(eps, steps=50, label=f"pgd eps={eps} steps=50"), answers([5] * 4))
             for eps in (0.1, 0.3)]  # fmt: skip
    found = scored(*grid(), *other)
    assert {key for key in found if key[1] == "eps_area"} == {
        ("maml", "eps_area", "pgd"),
        ("maml", "eps_area", "pgd steps=50"),
    }
    assert not any(key[1] == "eps_area" for key in scored(*grid()[:2]))


def test_severities_and_shares_of_labels_have_areas_too() -> None:
    flips = [{"name": "flip", "label": f"flip fraction={f}", "family": "labels",
              "engine": "label-noise", "surface": "support", "fraction": f}
             for f in (0.2, 0.4)]  # fmt: skip
    cells = [cell("maml", CLEAN, answers([10] * 4))]
    cells += [cell("maml", threat, answers([5] * 4)) for threat in (blur(1), blur(3), *flips)]
    found = scored(*cells)
    assert value(found, "maml", "severity_area", "blur") == pytest.approx((0.75 + 2 * 0.5) / 3)
    assert value(found, "maml", "fraction_area", "flip") == pytest.approx(0.625)


def corrupted(label: str, clean: int, right: dict[str, tuple[int, int]]) -> list[CellEvidence]:
    wobble = np.array([0, 1, 0, 1])
    make = {"blur": blur, "noise": noise}
    return [cell(label, CLEAN, answers(clean - wobble))] + [
        cell(label, make[name](severity), answers(count - wobble))
        for name, counts in right.items()
        for severity, count in zip((1, 3), counts, strict=True)
    ]


def test_corruption_errors_are_relative_to_the_first_learner() -> None:
    first = corrupted("first", 10, {"blur": (8, 6), "noise": (9, 9)})
    second = corrupted("second", 9, {"blur": (6, 2), "noise": (8, 7)})
    found = scored(*first, *second)
    of = "2 corruptions on the query"
    # Errors of ten, 0.5 more each for the wobble. Blur: (4.5 + 8.5) / (2.5 + 4.5); noise:
    # (2.5 + 3.5) / (1.5 + 1.5).
    score = found["second", "mce", of]
    assert score.reference == "first"
    assert score.estimate.value == pytest.approx((13 / 7 + 6 / 3) / 2)
    # Clean errors are 0.5 and 1.5. Blur: (3 + 7) / (2 + 4); noise: (1 + 2) / (1 + 1).
    assert value(found, "second", "relative_mce", of) == pytest.approx((10 / 6 + 3 / 2) / 2)
    assert value(found, "first", "mce", of) == pytest.approx(1.0)
    turned = scored(*first, *second, reference="second")
    assert value(turned, "first", "mce", of) == pytest.approx((7 / 13 + 3 / 6) / 2)


def test_a_reference_that_a_corruption_does_not_hurt_gives_no_relative_error() -> None:
    first = corrupted("first", 9, {"blur": (9, 9), "noise": (5, 5)})
    second = corrupted("second", 9, {"blur": (6, 2), "noise": (8, 7)})
    found = scored(*first, *second)
    estimate = found["second", "relative_mce", "2 corruptions on the query"].estimate
    assert estimate.value is None
    assert "what blur adds to the reference's error" in estimate.reason
    assert value(found, "second", "mce", "2 corruptions on the query") is not None


def test_one_learner_has_no_reference_and_no_corruption_error() -> None:
    found = scored(*corrupted("alone", 10, {"blur": (8, 6)}))
    assert not {"mce", "relative_mce"} & {key[1] for key in found}


def test_a_cell_that_failed_leaves_its_curve_without_a_number_and_says_so() -> None:
    cells = grid()
    cells[0] = cell("maml", pgd(0.2), None, failures=("out of memory",))
    found = scored(*cells)
    for key in ("eps_area", "half_eps"):
        estimate = found["maml", key, "pgd"].estimate
        assert estimate.value is None
        assert estimate.reason == "pgd eps=0.2 has no episode: out of memory"


def test_curves_are_of_the_episodes_that_all_their_cells_have() -> None:
    cells = grid()
    cells[2] = cell("maml", pgd(0.1), answers([4, 6]), start=2)
    # Of the last two episodes only: 0.9, 0.5 and 0.1 again, from (10 + 2 * 4 + 0), (8 + 12 + 2).
    area = scored(*cells)["maml", "eps_area", "pgd"].estimate
    assert area.value == pytest.approx((18 + 22) / 80)


def test_neither_cells_nor_blocks_need_an_order() -> None:
    cells = grid() + corrupted("second", 9, {"blur": (6, 2)})[1:]
    mixed = [
        replace(c, arrays={name: values[::-1] for name, values in c.arrays.items()})
        for c in (cells[2], cells[0], cells[1], *cells[3:])
    ]
    before, after = scored(*cells), scored(*mixed)
    assert before.keys() == after.keys()
    for key, score in before.items():
        assert after[key].estimate.value == pytest.approx(score.estimate.value), key


def test_the_temperature_of_a_run_is_told_or_missed() -> None:
    facts = {"temperature": 1.5, "thresholds": {}, "episodes": 40, "reason": ""}
    found = scored(cell("maml", CLEAN, answers(CLEAN_RIGHT), learner={"recalibration": facts}))
    assert value(found, "maml", "temperature", "meta-val") == 1.5
    old = scored(cell("maml", CLEAN, answers(CLEAN_RIGHT)))
    assert "audit again" in old["maml", "temperature", "meta-val"].estimate.reason


def test_an_unknown_reference_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'mamml'.*did you mean"):
        scored(*grid(), reference="mamml")


def test_radii_stand_beside_the_curves() -> None:
    cells = grid()
    threat = {**pgd(0.3), "name": "fmn", "label": "fmn eps=0.3", "engine": "fmn"}
    seeking = cell("maml", threat, answers([0] * 4))
    seeking.arrays["radius"] = np.full((4, 10), 0.05)
    assert value(scored(*cells, seeking), "maml", "median_radius", "fmn eps=0.3") == 0.05


def test_every_learner_score_has_one_name() -> None:
    keys = [measure.key for measure in LEARNER_MEASURES]
    assert len(set(keys)) == len(keys)

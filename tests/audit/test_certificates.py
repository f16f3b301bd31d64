"""Certified accuracy beside the empirical one, from made-up evidence."""

import numpy as np
import pytest

from metarobust.audit.certificates import certificates
from metarobust.audit.evidence import CellEvidence
from metarobust.audit.scores import CellScores
from metarobust.stats.estimate import Estimate

POISON = {"norm": "linf", "eps": 0.1, "surface": "support", "class_fraction": 1.0}


def cell(label, family, accuracy, arrays=None, **threat):
    facts = {"label": label, "family": family, "surface": None, "norm": None, "eps": None}
    facts |= {"shot_fraction": None, "options": {}, **threat}
    about = {"learner": {"label": "it"}, "threat": facts, "protocol": {"shots": 5}}
    arrays = {"number": np.arange(2), **(arrays or {})}
    return CellScores(CellEvidence(label, about, 2, arrays), {"accuracy": Estimate(accuracy)}, ())


def test_poison_is_compared_with_attacks_that_reach_no_more_images_of_a_class():
    proven = np.array([[2.0, 1.0, 0.0, -1.0], [1.0, 1.0, 1.0, -1.0]])
    cells = [
        cell("clean", "clean", 0.75, {"certified_poison": proven}),
        cell("one shot", "poison", 0.6, **POISON, shot_fraction=0.2),
        cell("two shots", "poison", 0.4, **POISON, shot_fraction=0.4),
        cell("all", "poison", 0.1, **POISON),
        cell("query", "attack", 0.0, **{**POISON, "surface": "query"}),
    ]
    (found,) = certificates(cells)
    assert (found.kind, found.learner, found.sigma) == ("poison", "it", None)
    rows = [(p.level, p.certified.value, p.empirical.value, p.threat) for p in found.points]
    assert rows == [
        (0.0, 0.75, 0.75, "clean"),
        (1.0, 0.625, 0.6, "one shot"),
        (2.0, 0.125, 0.4, "two shots"),
        (3.0, 0.0, 0.4, "two shots"),
    ]


def test_radii_are_compared_with_l2_attacks_of_the_plain_learner():
    radii = np.array([[0.3, 0.1, -1.0, -1.0], [0.3, 0.3, 0.2, -1.0]])
    smooth = {"certified_radius": radii}
    cells = [
        cell("clean", "clean", 0.9),
        cell("smoothed", "certificate", 0.75, smooth, surface="query", options={"sigma": 0.2}),
        cell("l2", "attack", 0.3, surface="query", norm="l2", eps=0.25),
        cell("linf", "attack", 0.0, surface="query", norm="linf", eps=0.01),
    ]
    (found,) = certificates(cells)
    assert (found.kind, found.threat, found.sigma) == ("radius", "smoothed", 0.2)
    points = {round(p.level, 3): p for p in found.points}
    assert set(points) == {0.0, 0.1, 0.2, 0.25, 0.3, 0.4}
    assert points[0.0].certified.value == pytest.approx(5 / 8)
    assert points[0.25].certified.value == pytest.approx(3 / 8)
    assert points[0.25].empirical.value == 0.3
    assert points[0.2].threat == "clean"
    assert points[0.1].certified.value == pytest.approx(4 / 8), "a radius holds strictly inside"
    assert points[0.4].certified.value == 0.0


def test_a_learner_that_proves_nothing_has_no_certificate():
    assert certificates([cell("clean", "clean", 0.9)]) == ()

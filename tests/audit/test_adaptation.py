"""Adaptation curves: the cells they add are those that audits of their own would have."""

import numpy as np
import pytest

from metarobust.audit.adaptation import by_point
from metarobust.audit.plan import make_plan
from metarobust.audit.read import read_run
from metarobust.audit.run import run_audit
from metarobust.config.audit import AuditConfig
from metarobust.core.errors import ConfigError

SUPPORT = {"recipe": "support-pgd-linf", "eps": 0.1, "steps": 2}
QUERY = [{"recipe": "fgsm-linf"}, {"recipe": "pgd-linf", "eps": 0.1, "steps": 2}]


def plan(tiny, **changes):
    return make_plan(AuditConfig.model_validate(tiny.audit(**changes)), episodes=None)


def points(found):
    """Axis, value, learner and threat of each cell that is of a curve alone."""
    return [
        (*mark.values(), cell.entry.title, cell.description["threat"]["name"])
        for cell in found.cells
        if (mark := cell.description.get("adaptation"))
    ]


@pytest.fixture(scope="module")
def both(tiny):
    """Two learners on both axes; the audit itself has 2 shots, and MAML 2 steps."""
    return {
        "learners": [str(tiny.protonet), str(tiny.maml)],
        "threats": [*QUERY, SUPPORT],
        "curves": {"shots": [1, 2, 4], "inner_steps": [1, 2]},
    }


def test_each_point_but_the_audits_own_is_planned_once(tiny, both):
    found = plan(tiny, **both)
    followed = ["clean", "pgd-linf", "support-pgd-linf"]
    expected = [("shots", k, "protonet", name) for k in (1, 4) for name in followed]
    expected += [("inner_steps", 1, "maml", name) for name in followed]
    expected += [("shots", k, "maml", name) for k in (1, 4) for name in followed]
    assert points(found) == expected
    assert [cell.position for cell in found.cells] == list(range(len(found.cells)))
    assert len({cell.key for cell in found.cells}) == len(found.cells)
    own = [c.description["own_point"] for c in found.cells if "own_point" in c.description]
    assert own == [{"inner_steps": None, "shots": 2}] * 4 + [{"inner_steps": 2, "shots": 2}] * 4


def test_curves_leave_the_audits_own_cells_as_they_are(tiny, both):
    with_curves = plan(tiny, **both)
    without = plan(tiny, **{**both, "curves": {}})
    assert [c.key for c in with_curves.cells[:8]] == [c.key for c in without.cells]
    assert "curves" not in without.experiment
    assert "aspects" not in without.experiment


def test_the_threats_of_a_curve_may_be_named(tiny):
    named = {"shots": 1, "threats": ["clean", "fgsm-linf eps=8/255"]}
    found = points(plan(tiny, threats=QUERY, curves=named))
    assert [threat for *_, threat in found] == ["clean", "fgsm-linf"]
    with pytest.raises(ConfigError, match=r"no threat 'fgsm'; known: clean, fgsm-linf eps"):
        plan(tiny, threats=QUERY, curves={"shots": 1, "threats": ["fgsm"]})


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({"shots": [2, 1]}, "rising numbers"),
        ({"shots": [0, 1]}, "greater than or equal to 1"),
        ({"steps": [1]}, "did you mean|inner_steps|steps"),
    ],
)
def test_an_impossible_curve_is_refused_by_the_configuration(tiny, curves, message):
    with pytest.raises(ValueError, match=message):
        AuditConfig.model_validate(tiny.audit(curves=curves))


def test_shots_of_disjoint_episodes_cannot_be_paired(tiny):
    protocol = {"ways": 2, "shots": 2, "queries": 2, "replacement": "disjoint"}
    with pytest.raises(ConfigError, match=r"curves\.shots: under disjoint sampling"):
        plan(tiny, protocol=protocol, curves={"shots": [1]}, episodes=2)


@pytest.fixture(scope="module")
def computed(tiny, tmp_path_factory):
    changes = {
        "learners": [str(tiny.maml)],
        "threats": [SUPPORT],
        "curves": {"shots": [1], "inner_steps": [1]},
        "aspects": {"distractors": 2, "explanation": True},
    }
    folder = tmp_path_factory.mktemp("curve") / "run"
    run_audit(plan(tiny, **changes), folder)
    return folder, changes


class TestComputed:
    """The evidence of two curves of one learner under one threat."""

    def test_a_point_is_the_audit_with_that_number(self, tiny, computed, tmp_path):
        folder, changes = computed
        found = {
            (*cell.evidence.description["adaptation"].values(), cell.evidence.key): cell
            for cell in read_run(folder).curves
        }
        assert len(found) == 4
        learner = {"checkpoint": str(tiny.maml), "options": {"inner_steps": 1}}
        protocol = {**tiny.audit()["protocol"], "shots": 1}
        for value, (axis, change) in enumerate(
            [("shots", {"protocol": protocol}), ("inner_steps", {"learners": [learner]})]
        ):
            other = tmp_path / str(value)
            run_audit(plan(tiny, **{**changes, "curves": {}, **change}), other)
            for cell in read_run(other).cells:
                point = found[axis, 1, cell.evidence.key]
                assert point.scores == cell.scores
                for name, array in cell.evidence.arrays.items():
                    np.testing.assert_array_equal(point.evidence.arrays[name], array)

    def test_fewer_shots_are_the_first_of_the_more(self, computed):
        read = read_run(computed[0])
        own = read.cells[0].evidence.arrays
        few = next(
            cell.evidence.arrays
            for cell in read.curves
            if cell.evidence.description["adaptation"]["axis"] == "shots"
        )
        ids = own["support_ids"].reshape(4, 3, 2)
        np.testing.assert_array_equal(few["support_ids"], ids[:, :, 0])
        for name in ("query_ids", "labels", "class_ids", "distractor_ids"):
            np.testing.assert_array_equal(few[name], own[name])

    def test_no_table_of_the_audit_holds_a_cell_of_a_curve(self, computed):
        read = read_run(computed[0])
        assert [c.evidence.description["threat"]["label"] for c in read.cells] == [
            "clean",
            "support-pgd-linf eps=0.1 steps=2",
        ]
        assert {c.evidence.key for c in (*read.cells, *read.curves)} == set(read.verdicts)
        audit, *others = by_point([c.evidence for c in (*read.curves, *read.cells)])
        assert [cell.key for cell in audit] == [c.evidence.key for c in read.cells]
        assert [len(cells) for cells in others] == [2, 2]

    def test_it_resumes(self, tiny, computed):
        folder, changes = computed
        again = run_audit(plan(tiny, **changes), folder)
        assert (again.computed, again.reused, again.failed) == (0, 12, 0)


def test_aspects_change_the_keys_and_the_cost_of_cells(tiny):
    changes = {"learners": [str(tiny.maml)], "threats": [SUPPORT]}
    bare = plan(tiny, **changes)
    asked = plan(tiny, **changes, aspects={"explanation": True})
    assert not {c.key for c in bare.cells} & {c.key for c in asked.cells}
    costs = [[cell.gradient_calls for cell in found.cells] for found in (bare, asked)]
    assert costs[1] == [costs[0][0], costs[0][1] + 2]

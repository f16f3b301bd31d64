"""The panels of adaptation curves, and their files."""

import csv
import io
import json

import pytest

from metarobust.report.adaptation import build_adaptation
from metarobust.report.tables import render_adaptation_csv, render_csv, render_summary


@pytest.fixture(scope="module")
def panels(run):
    return build_adaptation(run.scored, run.curves, run.verdicts)


def test_there_is_a_panel_for_each_axis_with_the_audits_own_point_on_it(panels):
    steps, shots = panels
    assert [panel.axis for panel in panels] == ["inner_steps", "shots"]
    assert {point.row.learner for point in steps.points} == {"maml"}
    assert steps.figure.missing == ("protonet has no inner steps",)
    assert {point.row.learner for point in shots.points} == {"protonet", "maml"}
    assert not shots.figure.missing
    assert [(p.value, p.own) for p in steps.points[:4]] == [
        (1, False),
        (3, False),
        (5, True),
        (10, False),
    ]
    names = ["clean", "pgd-linf", "support-pgd-linf"]
    assert list(dict.fromkeys(point.row.name for point in shots.points)) == names


def test_a_line_is_a_learner_under_a_threat(panels, model):
    learners = [card.learner for card in model.scorecards]
    for panel in panels:
        lines = {(c.learner, c.series): c for c in panel.figure.curves}
        assert len(lines) == len(panel.figure.curves)
        for (learner, threat), curve in lines.items():
            members = [p for p in panel.points if (p.row.learner, p.row.name) == (learner, threat)]
            assert [point.x for point in curve.points] == [p.value for p in members]
            assert [point.score for point in curve.points] == [p.row.accuracy for p in members]
            assert curve.colour == learners.index(learner)
        assert panel.figure.chance == pytest.approx(0.2)


def test_a_point_without_accuracy_is_named(run):
    broken = next(cell for cell in run.scored if cell.evidence.failures)
    about = {**broken.evidence.description, "adaptation": {"axis": "shots", "value": 1}}
    evidence = type(broken.evidence)("x", about, 40, failures=broken.evidence.failures)
    point = type(broken)(evidence, broken.scores, ())
    (panel,) = build_adaptation(
        run.scored, [point], {**run.verdicts, "x": run.verdicts[broken.evidence.key]}
    )
    assert len(panel.figure.missing) == 2, "its own point failed too"
    assert "out of memory" in panel.figure.missing[0]


def test_without_curves_there_is_nothing(run):
    assert build_adaptation(run.scored, [], run.verdicts) == ()


def test_the_table_holds_every_score_of_every_point(model):
    rows = list(csv.DictReader(io.StringIO(render_adaptation_csv(model))))
    expected = [(panel.axis, p.value) for panel in model.adaptation for p in panel.points]
    assert [(row["axis"], int(row["value"])) for row in rows] == expected
    every = next(csv.reader(io.StringIO(render_csv(model))))
    columns = [name for name in every if not name.startswith("certified")]
    assert list(rows[0]) == ["axis", "value", "own", *columns]
    own = [row for row in rows if row["own"] == "True"]
    cells = {row["key"]: row for row in csv.DictReader(io.StringIO(render_csv(model)))}
    for row in own:
        cell = {name: cells[row["key"]][name] for name in columns}
        assert {name: row[name] for name in columns} == cell | {"best": row["best"]}


def test_the_summary_and_the_table_agree(model):
    summary = json.loads(render_summary(model))["adaptation"]
    assert [axis["axis"] for axis in summary] == ["inner_steps", "shots"]
    keys = [point["cell"]["key"] for axis in summary for point in axis["points"]]
    assert keys == [p.row.key for panel in model.adaptation for p in panel.points]

"""The tables beyond accuracy: only what was measured, each estimate under its own heading."""

from dataclasses import replace

from metarobust.audit.score_classes import NO_GROUPS, group_accuracies
from metarobust.report.aspects import build_aspects
from metarobust.report.model import build_report


def table(model, name):
    return next(aspect for aspect in model.aspects if aspect.name == name)


def test_each_estimate_stands_under_its_heading(model):
    unknown = table(model, "unknown")
    keys = ("ood_auroc", "fpr95", "ood_auroc_energy", "fpr95_energy")
    assert len(unknown.columns) == len(keys)
    assert [column.title for column in unknown.columns][:2] == ["OOD AUROC", "FPR95"]
    for row, estimates in unknown.rows:
        assert estimates == tuple(row.scores[key] for key in keys)


def test_only_explanations_ask_about_the_support_set_alone(model):
    everywhere = [row.key for row in model.rows]
    for aspect in model.aspects:
        keys = [row.key for row, _ in aspect.rows]
        if aspect.name == "explanations":
            support = ("support", "both")
            assert keys == [row.key for row in model.rows if row.budget.surface in support]
        else:
            assert keys == everywhere


def test_a_cell_that_failed_says_why_it_has_no_value(model):
    (failed,) = [row for row in model.rows if row.status == "error"]
    for name in ("sets", "unknown", "classes"):
        found = table(model, name)
        (estimates,) = [estimates for row, estimates in found.rows if row.key == failed.key]
        assert all("out of memory" in estimate.reason for estimate in estimates)
        who = f"{failed.learner} under {failed.threat}"
        (why,) = [one for one in found.absent if who in one.names]
        assert "out of memory" in why.reason
        assert why.count == len(found.columns)


def test_a_cell_without_groups_is_shown_with_its_reason(run):
    scored = list(run.scored[:3])
    about = scored[1].evidence.description
    alone = {**about, "dataset": {**about["dataset"], "groups": {}}}
    scored[1] = replace(scored[1], evidence=replace(scored[1].evidence, description=alone))
    found = table(build_report(run.manifest, scored, run.verdicts), "groups")
    assert [row.key for row, _ in found.rows] == [cell.evidence.key for cell in scored]
    assert [estimate.value for estimate in found.rows[1][1]] == [None, None]
    assert {estimate.reason for estimate in found.rows[1][1]} == {NO_GROUPS}
    (why,) = found.absent
    assert (why.reason, why.count) == (NO_GROUPS, 2)


def test_an_audit_without_an_aspect_has_no_table_of_it(run, empty_model):
    assert empty_model.aspects == ()
    assert build_aspects([], []) == ()


def test_groups_have_the_accuracies_of_their_classes(model, run):
    groups = table(model, "groups")
    assert [column.title for column in groups.columns] == ["angular", "round"]
    by_key = {cell.evidence.key: cell.evidence for cell in run.scored}
    for row, estimates in groups.rows:
        if row.status == "error":
            continue
        expected = group_accuracies(by_key[row.key])
        assert [e.value for e in estimates] == [g.accuracy.value for g in expected]


def test_hostile_groups_are_harmless_columns(hostile_model):
    titles = [column.title for column in table(hostile_model, "groups").columns]
    assert len(titles) == 2
    assert all(title.isprintable() for title in titles)

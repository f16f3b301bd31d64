"""The tables beyond accuracy: only what was measured, each estimate under its own heading."""

from metarobust.audit.score_classes import group_accuracies
from metarobust.report.aspects import build_aspects


def table(model, name):
    return next(aspect for aspect in model.aspects if aspect.name == name)


def test_each_estimate_stands_under_its_heading(model):
    unknown = table(model, "unknown")
    keys = ("ood_auroc", "fpr95", "ood_auroc_energy", "fpr95_energy")
    assert len(unknown.columns) == len(keys)
    assert [column.title for column in unknown.columns][:2] == ["OOD AUROC", "FPR95"]
    for row, estimates in unknown.rows:
        assert estimates == tuple(row.scores[key] for key in keys)


def test_a_cell_without_an_aspect_is_not_in_its_table(model):
    explained = table(model, "explanations")
    assert {row.name for row, _ in explained.rows} == {"support-pgd-linf"}
    failed = {row.key for row in model.rows if row.status == "error"}
    for aspect in model.aspects:
        assert not failed & {row.key for row, _ in aspect.rows}


def test_an_audit_without_an_aspect_has_no_table_of_it(run, empty_model):
    assert empty_model.aspects == ()
    assert build_aspects([], []) == ()


def test_groups_have_the_accuracies_of_their_classes(model, run):
    groups = table(model, "groups")
    assert [column.title for column in groups.columns] == ["angular", "round"]
    by_key = {cell.evidence.key: cell.evidence for cell in run.scored}
    for row, estimates in groups.rows:
        expected = group_accuracies(by_key[row.key])
        assert [e.value for e in estimates] == [g.accuracy.value for g in expected]


def test_hostile_groups_are_harmless_columns(hostile_model):
    titles = [column.title for column in table(hostile_model, "groups").columns]
    assert len(titles) == 2
    assert all(title.isprintable() for title in titles)

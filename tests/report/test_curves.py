"""Curves start at the clean accuracy, keep threats apart, and never invent a point."""

from dataclasses import replace

from metarobust.report.curves import build_curves


def panel(model, start):
    return next(panel for panel in model.curves if panel.title.startswith(start))


def test_one_panel_per_surface_norm_and_corruption(model):
    assert [panel.title for panel in model.curves] == [
        "Queries perturbed, L∞",
        "Support set perturbed, L∞",
        "Wrong labels in the support set",
    ]
    assert len({panel.name for panel in model.curves}) == len(model.curves)


def test_every_curve_starts_at_the_clean_accuracy(model):
    clean = {row.learner: row.accuracy for row in model.rows if row.kind == "clean"}
    for found in model.curves:
        assert found.chance == 0.2
        for curve in found.curves:
            assert curve.points[0].x == 0
            assert curve.points[0].score == clean[curve.learner]


def test_points_are_the_rows_in_order_of_strength(model):
    curve = next(
        curve
        for curve in panel(model, "Queries").curves
        if (curve.learner, curve.series) == ("maml", "pgd")
    )
    rows = {
        row.budget.eps: row for row in model.rows if (row.learner, row.name) == ("maml", "pgd-linf")
    }
    assert [point.x for point in curve.points] == [0, 4 / 255, 8 / 255, 16 / 255, 0.1]
    assert all(point.score == rows[point.x].accuracy for point in curve.points[1:])


def test_a_failed_point_is_left_out_and_named(model):
    (found,) = build_curves([row for row in model.rows if row.name in ("clean", "pixelate")])
    maml = next(curve for curve in found.curves if curve.learner == "maml")
    assert [point.x for point in maml.points] == [0, 1, 3]
    assert found.missing == (
        "maml, pixelate severity=5: no episode was evaluated: "
        "RuntimeError: out of memory in episode 0",
    )


def test_a_doubtful_point_keeps_its_verdict(model):
    curve = next(
        curve
        for curve in panel(model, "Queries").curves
        if (curve.learner, curve.series) == ("maml", "fgsm")
    )
    assert [point.status for point in curve.points] == ["ok", "ok", "ok", "suspect", "ok"]


def test_variants_of_an_engine_are_told_apart_by_what_differs(model):
    pgd = [row for row in model.rows if row.name == "pgd-linf"]
    long = [replace(row, key=row.key + "x", budget=replace(row.budget, steps=100)) for row in pgd]
    (found,) = build_curves([*pgd, *long])
    assert {curve.series for curve in found.curves} == {"pgd 20 steps", "pgd 100 steps"}


def test_recipes_with_the_same_budget_are_told_apart_by_name(model):
    noise = [row for row in model.rows if row.name == "noise-linf"]
    sign = [replace(row, key=row.key + "x", name="noise-sign") for row in noise]
    (found,) = build_curves([*noise, *sign])
    assert {curve.series for curve in found.curves} == {"noise-linf", "noise-sign"}


def test_the_alt_text_says_where_a_curve_starts_and_ends(model):
    assert "maml, pgd: 91% at 0, 0% at 0.1." in panel(model, "Queries").alt

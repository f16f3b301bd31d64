"""Pictures show the evidence as it is: right labels, honest magnification, true answers."""

from dataclasses import replace

import numpy as np
import pytest

from metarobust.report.model import build_report


def picture(model, kind, learner="protonet"):
    return next(p for p in model.pictures if (p.kind, p.learner) == (kind, learner))


def test_the_worst_attacks_of_every_learner_are_shown(model):
    assert [(p.kind, p.learner) for p in model.pictures] == [
        ("query", "protonet"),
        ("query", "maml"),
        ("support", "protonet"),
        ("support", "maml"),
        ("corruption", "protonet"),
        ("labels", "protonet"),
    ]
    assert picture(model, "query").threat == "pgd-linf eps=0.1 steps=20 restarts=2"


def test_only_the_attacked_surface_changed(model):
    found = picture(model, "query")
    assert all(entry.tile.change is None for entry in found.support)
    assert all(entry.tile.change is not None for entry in found.queries)
    found = picture(model, "support")
    assert all(entry.tile.change is not None for entry in found.support)
    assert all(entry.tile.change is None for entry in found.queries)


def test_the_change_is_magnified_to_full_colour_and_says_so(model):
    found = picture(model, "query")
    assert found.legend == "Change magnified 10 times: orange is lighter, blue is darker."
    colours = {
        tuple(pixel) for entry in found.queries for pixel in entry.tile.change.reshape(-1, 3)
    }
    assert {(213, 94, 0), (0, 114, 178)} <= colours


def test_answers_are_those_of_the_logits(run, model):
    cell = next(
        c.evidence
        for c in run.scored
        if c.evidence.description["threat"]["label"] == "pgd-linf eps=0.1 steps=20 restarts=2"
    )
    logits = cell.arrays["logits"][0]
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    first_of_each = [0, 5, 10, 15, 20]
    found = picture(model, "query").queries
    assert [entry.true for entry in found] == list("ABCDE")
    assert [entry.after.said for entry in found] == [
        "ABCDE"[i] for i in logits[first_of_each].argmax(-1)
    ]
    assert [entry.after.confidence for entry in found] == pytest.approx(
        shares[first_of_each].max(-1), rel=1e-5
    )


def test_a_wrong_label_is_shown_beside_the_true_one(model):
    found = picture(model, "labels").support
    assert any(entry.given != entry.true for entry in found)
    assert picture(model, "labels").legend == ""


def changed(run, change):
    scored = [replace(cell, evidence=change(cell.evidence)) for cell in run.scored]
    return build_report(run.manifest, scored, run.verdicts)


def test_logits_that_are_not_finite_are_no_answer(run):
    def broken(cell):
        arrays = (
            {**cell.arrays, "logits": np.full_like(cell.arrays["logits"], np.nan)}
            if (cell.episodes)
            else {}
        )
        return replace(cell, arrays=arrays)

    answer = changed(run, broken).pictures[0].queries[0].after
    assert (answer.said, answer.confidence, answer.correct) == ("nothing", None, False)


def test_inputs_that_are_not_images_have_no_picture(run):
    def vectors(cell):
        flat = {k: v.reshape(len(v), -1) if v.ndim > 1 else v for k, v in cell.picture.items()}
        return replace(cell, picture=flat)

    assert changed(run, vectors).pictures == ()


@pytest.mark.parametrize(("side", "shown"), [(28, 28), (84, 42), (224, 56)])
def test_large_colour_images_are_shrunk_by_whole_blocks(run, side, shown):
    def enlarge(cell):
        if cell.description["threat"]["label"] != "pgd-linf eps=0.1 steps=20 restarts=2":
            return cell
        return replace(
            cell,
            picture={
                k: np.tile(v[:, :, :1, :1], (1, 3, side, side)) if v.ndim == 4 else v
                for k, v in cell.picture.items()
            },
        )

    tile = changed(run, enlarge).pictures[0].queries[0].tile
    assert tile.clean.shape == (shown, shown, 3)
    assert tile.clean.dtype == np.uint8

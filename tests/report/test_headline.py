"""The verdict in words follows from the numbers by the rules the page states."""

from dataclasses import replace

from metarobust.report.headline import build_scorecards, build_verdict
from metarobust.report.model import build_report
from metarobust.stats.estimate import Estimate
from tests.support.synthetic_run import synthetic_run


def item(model, learner, kind):
    card = next(card for card in model.scorecards if card.learner == learner)
    return next(item for item in card.items if item.kind == kind)


def test_a_line_is_the_worst_cell_of_its_kind(model):
    worst = item(model, "protonet", "query")
    assert worst.row.threat == "pgd-linf eps=0.1 steps=20 restarts=2"
    assert worst.accuracy.value == min(
        row.accuracy.value for row in model.rows if (row.learner, row.kind) == ("protonet", "query")
    )


def test_grades_follow_the_stated_shares(model):
    for card in model.scorecards:
        for line in card.items[1:]:
            kept = line.row.scores["retention"].value
            assert (line.grade == "holds") == (kept >= 0.9)
            assert (line.grade == "breaks") == (kept < 0.5)


def test_the_sentence_is_plain(model):
    assert model.scorecards[0].sentence == (
        "It names 95 of 100 clean queries correctly, where guessing would give 20. "
        "It breaks under corrupted images (51), attacked queries (1) and poisoned support sets "
        "(32). It weakens under wrong support labels (62). It holds up under random noise (90)."
    )


def test_the_verdict_names_what_breaks_whom(model):
    assert model.verdict == (
        "Corrupted images, attacked queries and poisoned support sets break both learners; "
        "wrong support labels break maml."
    )


def without(model, *kinds):
    return [row for row in model.rows if row.kind not in kinds]


def test_a_kind_that_was_not_run_says_so(model):
    cards = build_scorecards(without(model, "support"))
    line = next(entry for entry in cards[0].items if entry.kind == "support")
    assert line.accuracy == Estimate(None, reason="not part of this audit")
    assert line.grade == "unknown"


def test_verdicts_of_harmless_and_empty_audits(model):
    harmless = build_scorecards(without(model, "query", "support", "labels", "corruption"))
    assert build_verdict(harmless) == "No threat in this audit does much harm."
    assert build_verdict(
        build_scorecards(without(model, "noise", "query", "support", "labels", "corruption"))
    ) == ("This run does not say what any threat does.")
    assert build_verdict(()) == "This run holds no cells."


def test_a_clean_accuracy_near_guessing_is_flagged(model):
    rows = [
        replace(row, scores={**row.scores, "accuracy": Estimate(0.27, 0.25, 0.29)})
        for row in model.rows
    ]
    assert "close to guessing" in build_scorecards(rows)[0].sentence


def test_a_suspect_number_is_called_suspect_in_the_sentence(model):
    rows = [replace(row, status="suspect") if row.kind == "query" else row for row in model.rows]
    assert "failed for query attack" in build_scorecards(rows)[0].sentence


def test_one_learner_is_called_by_its_name():
    run = synthetic_run(faults=False)
    half = run.scored[: len(run.scored) // 2]
    assert build_report(run.manifest, half, run.verdicts).verdict == (
        "Corrupted images, attacked queries and poisoned support sets break protonet."
    )


def test_who_was_trained_without_episodes_is_marked(model):
    assert not any(card.yardstick for card in model.scorecards)
    run = synthetic_run(learners=("protonet", "multitask"))
    (protonet, multitask) = build_report({}, run.scored, run.verdicts).scorecards
    assert (protonet.marked, multitask.marked) == ("protonet", "multitask (yardstick)")

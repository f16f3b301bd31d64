"""The model keeps every cell, states what is missing, and holds nothing that a format chokes on."""

from dataclasses import replace

import pytest

from metarobust.audit.checks import check_cells
from metarobust.audit.scores import score_cells
from metarobust.report.model import build_report
from metarobust.report.text import plain
from metarobust.stats.estimate import Estimate


def test_every_cell_is_a_row(run, model):
    assert [row.key for row in model.rows] == [cell.evidence.key for cell in run.scored]
    assert model.counts == {"ok": 65, "suspect": 1, "incomplete": 1, "error": 1}
    assert model.trust == (
        "65 of 68 cells passed every sanity check; 1 suspect, 1 incomplete and 1 failed."
    )


def test_a_failed_cell_is_a_row_with_reasons_and_no_numbers(model):
    (row,) = [row for row in model.rows if row.status == "error"]
    assert all(score.value is None and score.reason for score in row.scores.values())
    assert row.failures == ("RuntimeError: out of memory in episode 0",)


def test_a_score_nobody_computed_is_missing_with_a_reason(run):
    cell = replace(run.scored[0], scores={})
    row = build_report(run.manifest, [cell], run.verdicts).rows[0]
    assert row.accuracy == Estimate(None, reason="not computed")


def test_limited_and_interrupted_runs_warn(run, model, limited_model):
    assert model.warnings == ()
    assert limited_model.warnings == (
        "Limited run: 40 episodes per cell. A trial, not a measurement.",
    )
    cut = build_report({**run.manifest, "status": "interrupted"}, run.scored, run.verdicts)
    assert cut.warnings == ("This run is interrupted: some numbers may be missing.",)


def test_transductive_learners_are_called_out(run):
    scored = [
        replace(
            cell,
            evidence=replace(
                cell.evidence,
                description={
                    **cell.evidence.description,
                    "learner": {**cell.evidence.description["learner"], "norm_mode": "batch"},
                },
            ),
        )
        for cell in run.scored
    ]
    (warning,) = build_report(run.manifest, scored, run.verdicts).warnings
    assert warning.startswith("protonet and maml: normalised with statistics of the queries")


def test_a_run_without_cells_or_facts_still_reports(empty_model):
    assert empty_model.verdict == "This run holds no cells."
    assert empty_model.trust == "There are no numbers to check."
    assert dict(empty_model.provenance)["Seed"] == "unknown"


def test_provenance_tells_how_to_repeat_the_run(model):
    assert model.command == "metarobust audit configs/audit/quick.yaml --set seed=0"
    facts = dict(model.provenance)
    assert facts["Duration"] == "3 min 32 s"
    assert "protonet-glyphs" in facts["Learner protonet"]


def test_real_scores_and_verdicts_fit(run):
    scored = score_cells([cell.evidence for cell in run.scored])
    model = build_report(run.manifest, scored, check_cells(scored))
    assert len(model.rows) == len(run.scored)
    assert model.counts["error"] == 1


@pytest.mark.parametrize("text", ["a\x00b", "a\x1bb", "a\u202eb", "a\ud800b", "a\x7fb"])
def test_characters_that_break_files_or_mislead_are_replaced(text):
    assert plain(text) == "a\N{REPLACEMENT CHARACTER}b"


def test_long_names_are_cut():
    assert plain("x" * 500, limit=10) == "x" * 9 + "…"

"""Gates are judged on the pessimistic end of an interval; nothing passes for want of evidence."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from metarobust.audit.checks import Verdict
from metarobust.audit.gates import check_gates, judge_gates
from metarobust.audit.scores import SCORES
from metarobust.core.errors import ConfigError
from metarobust.report.fields import SCORES as FIELDS
from metarobust.stats.estimate import Estimate
from tests.support.synthetic_run import synthetic_run

RECIPES = [
    None,
    SimpleNamespace(label="pgd-linf eps=4/255 steps=20", name="pgd-linf", family="attack"),
    SimpleNamespace(label="pgd-linf eps=8/255 steps=20", name="pgd-linf", family="attack"),
    SimpleNamespace(label="label-flip fraction=0.2", name="label-flip", family="labels"),
]


@pytest.fixture(scope="module")
def sound():
    return synthetic_run(faults=False)


def judge(run, *lines):
    return judge_gates(lines, run.scored, run.verdicts)


def only(run, line):
    (result,) = judge(run, line)
    return result


def cell_of(run, learner, label):
    return next(
        cell
        for cell in run.scored
        if cell.evidence.description["learner"]["label"] == learner
        and cell.evidence.description["threat"]["label"] == label
    )


def changed(run, learner, label, *, status="ok", score=None, **evidence):
    """The run with one cell of another verdict, score or evidence."""
    old = cell_of(run, learner, label)
    scores = old.scores if score is None else {**old.scores, "accuracy": score}
    new = replace(old, evidence=replace(old.evidence, **evidence), scores=scores)
    cells = [new if cell is old else cell for cell in run.scored]
    verdicts = {**run.verdicts, old.evidence.key: Verdict(status, ())}
    return replace(run, scored=cells, verdicts=verdicts)


def test_the_lower_end_must_reach_and_the_upper_end_must_keep_the_limit(sound):
    cell = cell_of(sound, "protonet", "clean").scores
    low, high = cell["accuracy"].low, cell["ece"].high
    assert only(sound, f"protonet: accuracy[clean] >= {low}").passed
    assert not only(sound, f"protonet: accuracy[clean] >= {low + 1e-4:.4f}").passed
    assert only(sound, f"protonet: ece[clean] <= {high}").passed
    assert not only(sound, f"protonet: ece[clean] <= {high - 1e-4:.4f}").passed
    assert low + 1e-4 < cell["accuracy"].value  # so the value alone would have passed
    result = only(sound, "protonet: accuracy[clean] >= 10 %")
    assert (result.bound, result.limit, result.reason) == (low, 0.1, "")
    assert result.cell == cell_of(sound, "protonet", "clean").evidence.key


def test_robust_accuracy_is_accuracy(sound):
    result = only(sound, "maml: robust_accuracy[fgsm-linf eps=4/255] >= 0.1")
    assert result.score == "accuracy"
    assert result.value == cell_of(sound, "maml", "fgsm-linf eps=4/255").scores["accuracy"].value


def test_without_a_learner_every_learner_is_judged(sound):
    assert [r.learner for r in judge(sound, "accuracy[clean] >= 0.5")] == ["protonet", "maml"]


def test_a_family_is_judged_by_its_worst_cell(sound):
    result = only(sound, "protonet: accuracy[attack] >= 0")
    assert result.threat == "pgd-linf eps=0.1 steps=20 restarts=2"
    assert result.passed
    attacked = [c for c in sound.scored if c.evidence.description["threat"]["family"] == "attack"]
    lows = [c.scores["accuracy"].low for c in attacked
            if c.evidence.description["learner"]["label"] == "protonet"]  # fmt: skip
    assert result.bound == min(lows)
    highs = [c.scores["ece"].high for c in attacked
             if c.evidence.description["learner"]["label"] == "protonet"]  # fmt: skip
    assert only(sound, "protonet: ece[attack] <= 1").bound == max(highs)


def test_a_recipe_of_one_cell_may_be_named_alone(sound):
    clean = [c for c in sound.scored if c.evidence.description["threat"]["family"] == "clean"]
    one = replace(sound, scored=[*clean, cell_of(sound, "protonet", "contrast severity=3"),
                                 cell_of(sound, "maml", "contrast severity=3")])  # fmt: skip
    assert {r.threat for r in judge(one, "accuracy[contrast] >= 0")} == {"contrast severity=3"}


def test_so_may_some_words_of_a_label_that_single_it_out(sound):
    result = only(sound, "maml: accuracy[pgd-linf steps=20 eps=8/255] >= 0")
    assert result.threat == "pgd-linf eps=8/255 steps=20 restarts=2"
    assert only(sound, "maml: accuracy[pgd-linf-8/255] >= 0").threat == result.threat


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "suspect"}, "the cell is suspect"),
        ({"status": "error", "failures": ("boom",)}, "blocks of the cell failed: boom"),
        ({"status": "incomplete", "expected": 41}, "the cell has 40 of 41 episodes"),
        ({"score": Estimate(None, reason="no episode")}, "no value: no episode"),
        ({"score": Estimate(0.9, reason="one episode")}, "no interval: one episode"),
    ],
)
def test_nothing_passes_for_want_of_evidence(sound, change, words):
    label = "label-flip fraction=0.2"
    run = changed(sound, "maml", label, **change)
    for threat in (label, "labels"):
        result = only(run, f"maml: accuracy[{threat}] >= 0")
        assert not result.passed
        assert words in result.reason
        assert result.threat == label


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("accurracy[clean] >= 0.3", "unknown score 'accurracy': did you mean 'accuracy'"),
        ("robust_acuracy[clean] >= 0.3", "did you mean 'robust_accuracy'"),
        ("accuracy[clean] >= 95", r"a limit in \[0, 1\], got 95; did you mean 95 %\?"),
        ("ece[clean] <= -0.1", r"expected a limit in \[0, 1\], got -0.1$"),
        ("drop_points[labels] <= 5 %", "drop_points is in percentage points; expected a limit w"),
        ("mamml: accuracy[clean] >= 0.3", "unknown learner 'mamml': did you mean 'maml'"),
        ("accuracy[pgd-linf] >= 0.3", r"names 2 threats.*\[pgd-linf eps=4/255 steps=20\], \["),
        ("accuracy[pgd-linf steps=20] >= 0.3", r"names 2 threats.*\[pgd-linf eps=4/255 steps=20\]"),
        ("accuracy[pgd-linf eps=8/256] >= 0", "no cell .*: did you mean 'pgd-linf eps=8/255 st"),
        ("accuracy[corruption] >= 0.3", "no threat of the family 'corruption', only of: attack, l"),
        ("accuracy[weather] >= 0.3", "no cell 'weather': known: attack, clean, label-flip"),
    ],
)
def test_gates_that_no_cell_can_answer_are_mistakes_of_the_configuration(line, words):
    with pytest.raises(ConfigError, match=f"gates.1: .*{words}"):
        check_gates(["ece[clean] <= 0.1", line], ["maml", "protonet"], RECIPES)


def test_all_mistakes_are_listed_at_once():
    with pytest.raises(ConfigError, match=r"(?s)gates.0: .*gates.1: "):
        check_gates(["a[clean] >= 0", "accuracy[b] >= 0"], ["maml"], RECIPES)


def test_every_unit_is_that_of_the_report():
    """Every score has a place in a report, and a percent sign is refused where it means nothing."""
    assert {field.key for field in FIELDS} == set(SCORES)
    for field in FIELDS:
        line = f"{field.key}[clean] >= 0 %"
        if field.unit == "share":
            check_gates([line], ["maml"], RECIPES)
        else:
            with pytest.raises(ConfigError, match="without %"):
                check_gates([line], ["maml"], RECIPES)

"""Runs that cannot be compared are refused, each for its reason; the others are matched."""

from dataclasses import replace

import numpy as np
import pytest

from metarobust.audit.contest import bring_together, read_contest
from metarobust.core.errors import ConfigError
from tests.support.made_up_contest import CLEAN, answers, blur, cell, pgd, run

RIGHT = answers([9, 8, 7, 10])


def pair(**changes):
    """Two runs of one learner each; `changes` are made to the description of the second."""
    other = cell("b", CLEAN, RIGHT)
    for group, facts in changes.items():
        if isinstance(facts, dict):
            other.description[group] = {**other.description[group], **facts}
        else:
            other.description[group] = facts
    return [run("one", cell("a", CLEAN, RIGHT)), run("two", other)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset": {"digest": "feed" * 16}}, "dataset.digest: expected 0b5e0b5e0b5e0b5e…"),
        ({"protocol": {"shots": 5}}, "protocol.shots: expected 1 as in one, got 5 in two"),
        ({"protocol": {"split": "val"}}, "protocol.split: expected test as in one, got val in two"),
        ({"protocol": {"replacement": "disjoint"}}, "protocol.replacement"),
        ({"seed": 3}, "seed: expected 0 as in one, got 3 in two"),
    ],
)
def test_another_question_is_refused(changes, words):
    with pytest.raises(ConfigError, match="cannot be compared") as caught:
        bring_together(pair(**changes))
    assert words in str(caught.value)


def test_every_difference_is_named_once():
    with pytest.raises(ConfigError) as caught:
        bring_together(pair(seed=3, protocol={"ways": 2}, dataset={"digest": "x"}))
    lines = [line for line in str(caught.value).splitlines() if "expected" in line]
    assert [line.split(":")[0].strip() for line in lines] == [
        "dataset.digest",
        "protocol.ways",
        "seed",
    ]


def test_the_planned_number_of_episodes_may_differ():
    assert bring_together(pair(protocol={"episodes": 7})).threats


@pytest.mark.parametrize("name", ["query_ids", "labels", "class_ids", "support_ids"])
def test_other_images_are_refused(name):
    other = cell("b", CLEAN, RIGHT)
    changed = other.arrays[name].copy()
    changed[2, 0] += 1
    other = replace(other, arrays={**other.arrays, name: changed})
    with pytest.raises(ConfigError, match=f"{name}: expected episode 2 under clean as in one"):
        bring_together([run("one", cell("a", CLEAN, RIGHT)), run("two", other)])


def test_another_number_of_queries_is_refused():
    other = cell("b", CLEAN, answers([4, 4, 4, 4], queries=5))
    with pytest.raises(ConfigError, match="query_ids"):
        bring_together([run("one", cell("a", CLEAN, RIGHT)), run("two", other)])


def test_one_learner_is_refused():
    with pytest.raises(ConfigError, match="at least two learners to compare, got a alone"):
        bring_together([run("one", cell("a", CLEAN, RIGHT))])


def test_a_run_without_cells_is_refused():
    with pytest.raises(ConfigError, match="two: expected a run with cells"):
        bring_together([run("one", cell("a", CLEAN, RIGHT)), run("two")])


def test_no_common_threat_is_refused():
    with pytest.raises(ConfigError, match="expected a threat that all runs have"):
        bring_together([run("one", cell("a", CLEAN, RIGHT)), run("two", cell("b", pgd(), RIGHT))])


def test_a_folder_is_named_once(tmp_path):
    with pytest.raises(ConfigError, match="more than once"):
        read_contest([tmp_path, tmp_path / ".." / tmp_path.name])


def test_threats_of_some_runs_are_left_out_with_the_reason():
    one = run("one", *(cell("a", t, RIGHT) for t in (CLEAN, pgd(), blur(1))))
    two = run("two", *(cell("b", t, RIGHT) for t in (CLEAN, pgd(steps=20), blur(3))))
    contest = bring_together([one, two])
    assert [threat.label for threat in contest.threats] == ["clean"]
    assert {(x.label, x.reason) for x in contest.left_out} == {
        ("pgd eps=0.1", "steps is 10 in one and 20 in two"),
        ("blur severity=1", "not part of two"),
        ("blur severity=3", "not part of one"),
    }


def test_words_do_not_make_another_threat():
    described = pgd(summary="Better words.", citation="Somebody, 2020", knowledge="white-box")
    one = run("one", cell("a", pgd(), RIGHT))
    assert bring_together([one, run("two", cell("b", described, RIGHT))]).threats


def test_equal_labels_are_told_apart_by_run():
    contest = bring_together(
        [
            run("one", cell("net", CLEAN, RIGHT), cell("other", CLEAN, RIGHT)),
            run("two", cell("net", CLEAN, RIGHT)),
        ]
    )
    assert [c.label for c in contest.contestants] == ["net (one)", "other", "net (two)"]
    assert [c.given for c in contest.contestants] == ["net", "other", "net"]


def test_one_run_of_two_learners_is_a_contest():
    named = run("one", cell("a", CLEAN, RIGHT), cell("b", CLEAN, RIGHT))
    assert len(bring_together([named]).contestants) == 2


def test_episodes_of_different_number_are_no_contradiction():
    later = cell("b", CLEAN, RIGHT, start=2)
    contest = bring_together([run("one", cell("a", CLEAN, RIGHT)), run("two", later)])
    assert np.intersect1d(*(c.cells["clean"].arrays["number"] for c in contest.contestants)).size

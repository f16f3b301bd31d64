"""Every number of a comparison against SciPy, statsmodels-free hand calculations, or arithmetic."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import friedmanchisquare, permutation_test, ttest_ind, ttest_rel

from metarobust.audit.compare import comparable, compare
from metarobust.audit.contest import bring_together
from metarobust.audit.ranking import rank_methods
from metarobust.core.errors import ConfigError
from tests.support.made_up_contest import CLEAN, answers, blur, cell, pgd, run

QUERIES = 20
RNG = np.random.default_rng(3)
OURS = RNG.integers(9, 20, 12)
THEIRS = np.clip(OURS - RNG.integers(-1, 5, 12), 0, QUERIES)


def net(label, right, threat=CLEAN, **learner):
    return cell(label, threat, None if right is None else answers(right, QUERIES), learner=learner)


def duel(ours, theirs, **options):
    """`b` against the reference `a`, clean images alone."""
    contest = bring_together([run("one", net("a", theirs)), run("two", net("b", ours))])
    return compare(contest, reference="a", **options).lines[0].scores[1]


def test_the_interval_is_that_of_the_paired_t_test():
    found = duel(OURS, THEIRS).difference
    oracle = ttest_rel(OURS / QUERIES, THEIRS / QUERIES).confidence_interval()
    assert found.value == pytest.approx(100 * (OURS - THEIRS).mean() / QUERIES)
    assert (found.low, found.high) == pytest.approx((100 * oracle.low, 100 * oracle.high))


def test_the_p_value_is_that_of_every_sign_flip():
    ours, theirs = OURS[:8], THEIRS[:8]
    oracle = permutation_test(
        (ours, theirs), lambda a, b, axis: (a - b).mean(axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=np.inf,
    )  # fmt: skip
    assert duel(ours, theirs).p_value == pytest.approx(oracle.pvalue)


def test_a_p_value_by_hand():
    # All four differences are positive: of 16 sign patterns two are as extreme.
    assert duel([9, 9, 9, 9], [8, 7, 6, 5]).p_value == pytest.approx(2 / 16)


def test_equal_learners_do_not_differ():
    score = duel(OURS, OURS)
    assert (score.difference.value, score.p_value, score.outcome) == (0, 1, "no difference found")


def test_another_score_is_paired_by_episode_and_knows_which_side_is_better():
    # A right answer has p = e / (e + 4) on its class, a wrong one on another: the Brier score of
    # an episode is a line in the share of right answers.
    top, rest = np.exp([1.0, 0.0]) / (np.e + 4)
    right = (1 - top) ** 2 + 4 * rest**2
    wrong = top**2 + (1 - rest) ** 2 + 3 * rest**2
    theirs = OURS - np.tile([3, 4], 6)
    found, plain = duel(OURS, theirs, measure=comparable("brier")), duel(OURS, theirs)
    assert found.estimate.value == pytest.approx(wrong + (right - wrong) * OURS.mean() / QUERIES)
    for end, other in (("value", "value"), ("low", "high"), ("high", "low")):
        expected = (right - wrong) * getattr(plain.difference, other) / 100
        assert getattr(found.difference, end) == pytest.approx(expected, rel=1e-5)
    assert plain.outcome == found.outcome == "better"
    assert found.difference.value < 0


def test_blocks_in_another_order_are_the_same_episodes():
    ours, theirs = net("b", OURS), net("a", THEIRS)
    turned = replace(ours, arrays={k: v[::-1] for k, v in ours.arrays.items()})
    contest = bring_together([run("one", theirs), run("two", turned)])
    found = compare(contest, reference="a").lines[0].scores[1]
    expected = duel(OURS, THEIRS).difference
    assert (found.difference.low, found.difference.high) == pytest.approx(
        (expected.low, expected.high)
    )


def test_a_score_that_the_evidence_does_not_give_is_missing_with_its_reason():
    found = duel(OURS, THEIRS, measure=comparable("nll_scaled"))
    assert found.estimate.value is None
    assert "audit again" in found.estimate.reason
    assert found.estimate.reason.endswith("in two")


@pytest.mark.parametrize(
    ("name", "words"),
    [("ece", "ece is no mean over episodes"), ("acuracy", "did you mean 'accuracy'")],
)
def test_only_means_over_episodes_can_be_compared(name, words):
    with pytest.raises(ConfigError, match=f"--score: .*{words}"):
        comparable(name)


def test_numbers_do_not_depend_on_order_or_company():
    alone = duel(OURS, THEIRS)
    many = bring_together(
        [run("two", net("b", OURS)), run("one", net("a", THEIRS)), run("c", net("c", OURS[::-1]))]
    )
    found = compare(many, reference="a").lines[0].scores[0]
    assert (found.difference, found.p_value) == (alone.difference, alone.p_value)


def test_only_shared_episodes_count():
    one = run("one", cell("a", CLEAN, answers([10, 5, 5])))
    two = run("two", cell("b", CLEAN, answers([7, 9, 0]), start=1))
    line = compare(bring_together([one, two]), reference="a").lines[0]
    assert line.episodes == 2
    assert line.scores[0].estimate.value == pytest.approx(0.5)
    assert line.scores[1].difference.value == pytest.approx(100 * ((0.7 - 0.5) + (0.9 - 0.5)) / 2)


def test_queries_without_finite_logits_are_errors():
    broken = cell("b", CLEAN, answers([10, 10, 10, 10]))
    broken.arrays["logits"][:, 0] = np.nan
    whole = cell("a", CLEAN, answers([10, 10, 10, 10]))
    line = compare(bring_together([run("one", whole), run("two", broken)])).lines[0]
    assert line.scores[1].difference.value == pytest.approx(-10)


def holm_by_hand(p):
    order = np.argsort(p)
    running, out = 0.0, np.empty(len(p))
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p) - rank) * p[i]))
        out[i] = running
    return out


def bh_by_hand(p):
    order = np.argsort(p)
    return np.array(
        [
            min(min(1.0, p[j] * len(p) / (r + 1)) for r, j in enumerate(order) if p[j] >= p[i])
            for i in range(len(p))
        ]
    )


def test_named_threats_are_adjusted_by_holm_and_corruptions_by_bh():
    rng = np.random.default_rng(0)
    threats = [CLEAN, pgd(0.1), pgd(0.2), *(blur(s) for s in range(1, 6))]
    runs = [
        run(name, *(net(label, rng.integers(8, 16 + shift, 9), t) for t in threats))
        for name, label, shift in (("one", "a", 0), ("two", "b", 3), ("three", "c", 1))
    ]
    lines = compare(bring_together(runs), reference="a").lines
    for family, oracle in (("Holm", holm_by_hand), ("BH", bh_by_hand)):
        scores = [s for line in lines if line.family == family for s in line.scores[1:]]
        expected = oracle(np.array([s.p_value for s in scores]))
        assert [s.adjusted for s in scores] == pytest.approx(expected)
    assert [line.family for line in lines] == ["Holm"] * 3 + ["BH"] * 5


def test_the_average_of_a_kind_is_taken_episode_by_episode():
    weak, strong = OURS, np.clip(OURS - 6, 0, QUERIES)
    one = run("one", net("a", THEIRS), net("a", THEIRS, pgd(0.1)), net("a", THEIRS, pgd(0.2)))
    two = run("two", net("b", OURS), net("b", weak, pgd(0.1)), net("b", strong, pgd(0.2)))
    clean, attacked = compare(bring_together([one, two]), reference="a").kinds
    means = (weak + strong) / 2 / QUERIES - THEIRS / QUERIES
    assert attacked.threats == ("pgd eps=0.1", "pgd eps=0.2")
    assert attacked.scores[1].difference.value == pytest.approx(100 * means.mean())
    oracle = ttest_rel(means, np.zeros(12)).confidence_interval()
    assert attacked.scores[1].difference.low == pytest.approx(100 * oracle.low)
    both = [clean.scores[1], attacked.scores[1]]
    assert [s.adjusted for s in both] == pytest.approx(
        holm_by_hand(np.array([s.p_value for s in both]))
    )


def test_a_failed_cell_is_missing_with_its_reason_and_leaves_the_average():
    failed = cell("b", pgd(0.2), None, failures=("RuntimeError: out of memory",))
    one = run("one", *(net("a", THEIRS, t) for t in (CLEAN, pgd(0.1), pgd(0.2))))
    two = run("two", net("b", OURS), net("b", OURS, pgd(0.1)), failed)
    found = compare(bring_together([one, two]), reference="a")
    score = found.lines[2].scores[1]
    assert score.difference.value is None
    assert "out of memory" in score.difference.reason
    assert (score.p_value, score.outcome, score.status) == (None, "unknown", "error")
    assert (found.kinds[1].threats, found.kinds[1].unfinished) == (
        ("pgd eps=0.1",),
        ("pgd eps=0.2",),
    )
    other_way = compare(bring_together([one, two]), reference="b").lines[2].scores[0]
    assert other_way.estimate.value is not None
    assert "the reference is missing" in other_way.difference.reason


def seeds(label, table, **facts):
    """A run for each training seed of one method."""
    return [
        run(f"{label}-{i}", net(f"{label}-{i}", right, training_seed=i, method=label, **facts))
        for i, right in enumerate(table)
    ]


TABLE = np.random.default_rng(1).integers(5, 20, (2, 4, 6))


def test_seeds_are_the_unit_where_there_are_several():
    runs = [*seeds("at", TABLE[0], training="pgd"), *seeds("std", TABLE[1])]
    found = compare(bring_together(runs))
    assert [(m.label, m.seeds) for m in found.methods] == [("at, 4 seeds", 4), ("std, 4 seeds", 4)]
    assert found.reference == 1
    means = TABLE.mean(axis=2) / QUERIES
    oracle = ttest_ind(means[0], means[1], equal_var=False)
    score = found.lines[0].scores[0]
    assert score.difference.value == pytest.approx(100 * (means[0].mean() - means[1].mean()))
    assert score.difference.low == pytest.approx(100 * oracle.confidence_interval().low)
    assert score.p_value == pytest.approx(oracle.pvalue)
    assert "seed" in score.difference.method
    assert found.of_seeds(0)


def test_one_seed_speaks_of_its_checkpoint_only():
    found = compare(bring_together([*seeds("at", TABLE[0]), *seeds("std", TABLE[1][:1])]))
    score = found.lines[0].scores[1]
    assert "this checkpoint only" in score.difference.method
    assert not found.of_seeds(1)
    assert score.difference.value == pytest.approx(
        100 * (TABLE[1][0].mean() - TABLE[0].mean()) / QUERIES
    )


@pytest.mark.parametrize(
    "facts",
    [
        [{"training_seed": 0, "method": "m"}, {"training_seed": 0, "method": "m"}],
        [{"training_seed": 0, "method": "m"}, {"training_seed": 1, "method": "n"}],
        [{"training_seed": 0, "method": None}, {"training_seed": 1, "method": None}],
        [{"method": "m"}, {"training_seed": 1, "method": "m"}],
        [{"training_seed": 0, "method": "m"},
         {"training_seed": 1, "method": "m", "norm_mode": "support"}],
        [{"training_seed": 0, "method": "m"},
         {"training_seed": 1, "method": "m", "options": {"inner_steps": 3}}],
    ],
)  # fmt: skip
def test_what_differs_in_more_than_the_seed_is_no_seed(facts):
    runs = [run(str(i), net(f"n{i}", OURS, **own)) for i, own in enumerate(facts)]
    assert [m.seeds for m in compare(bring_together(runs)).methods] == [1, 1]


def trained(**labels):
    return bring_together([run(k, net(k, OURS, training=v)) for k, v in labels.items()])


def test_the_clean_trained_learner_is_the_reference():
    assert compare(trained(a="pgd", b="none", c="fgsm")).reference == 1


def test_without_exactly_one_clean_learner_the_first_is_the_reference():
    assert compare(trained(a="pgd", b="none", c="none")).reference == 0
    assert compare(trained(a="pgd", b="fgsm")).reference == 0


def test_an_unknown_reference_is_refused_with_a_hint():
    with pytest.raises(ConfigError, match="no learner labelled 'protonets'; did you mean"):
        compare(trained(protonet="none", maml="none"), reference="protonets")


def test_an_ambiguous_reference_is_refused_with_the_choice():
    contest = bring_together([run("one", net("net", OURS)), run("two", net("net", THEIRS))])
    with pytest.raises(ConfigError, match=r"2 learners labelled 'net'; choose .*net \(two\)"):
        compare(contest, reference="net")
    assert compare(contest, reference="net (two)").reference == 1


ORDINARY = {"name": "centroid", "objective": "classification"}


def with_yardsticks(*which):
    """Learners a, b, c and d under two threats; `which` were trained without episodes."""
    rng = np.random.default_rng(5)
    return bring_together(
        [
            run(x, *(net(x, rng.integers(8, 16, 9), t, **(ORDINARY if x in which else {}))
                     for t in (CLEAN, pgd(0.1), pgd(0.2), blur(1))))
            for x in "abcd"
        ]
    )  # fmt: skip


def test_the_standing_to_a_yardstick_is_the_paired_difference_to_it():
    runs = [run("one", net("a", OURS)), run("two", net("b", THEIRS, **ORDINARY))]
    found = compare(bring_together(runs), reference="a")
    (standing,) = found.standings
    score = standing.kinds[0].scores[0]
    oracle = ttest_rel(OURS / QUERIES, THEIRS / QUERIES).confidence_interval()
    assert (found.reference, standing.yardstick) == (0, 1)
    assert (score.difference.low, score.difference.high) == pytest.approx(
        (100 * oracle.low, 100 * oracle.high)
    )
    assert score.difference.value == -found.kinds[0].scores[1].difference.value


def test_a_standing_is_what_a_comparison_with_the_yardstick_as_reference_says():
    contest = with_yardsticks("c")
    (standing,) = compare(contest, reference="a").standings
    assert standing.kinds == compare(contest, reference="c").kinds


def test_a_yardstick_leaves_every_test_against_the_reference_as_it_was():
    without, beside = (compare(with_yardsticks(*x), reference="a") for x in ("", "c"))
    assert (without.standings, len(beside.standings)) == ((), 1)
    assert without.kinds == beside.kinds
    assert [line.scores for line in without.lines] == [line.scores for line in beside.lines]


@pytest.mark.parametrize(
    ("which", "reference", "expected"),
    [("bd", "a", [1, 3]), ("bd", "b", [3]), ("b", "b", []), ("", "a", []), ("abcd", "a", [])],
)
def test_every_yardstick_is_shown_but_the_reference(which, reference, expected):
    found = compare(with_yardsticks(*which), reference=reference)
    assert [standing.yardstick for standing in found.standings] == expected
    assert [method.label for method in found.methods if method.yardstick] == list(which)


def lines(*values, recipe=str):
    return [(recipe(i), "query", v) for i, v in enumerate(values)]


def test_ranks_by_hand():
    scores = [(0.9, 0.8, 0.7), (0.8, 0.8, 0.6), (0.5, 0.6, 0.4), (0.9, 0.7, 0.8), (0.3, 0.2, 0.1)]
    found = rank_methods([("clean", "clean", (0, 0, 9)), *lines(*scores)])
    assert found.ranks == pytest.approx(((1 + 1.5 + 2 + 1 + 1) / 5, (2 + 1.5 + 1 + 3 + 2) / 5, 2.8))
    # Demsar 2006, table 5: q = 2.343 for three learners.
    assert found.critical == pytest.approx(2.343 * np.sqrt(3 * 4 / (6 * 5)), abs=1e-3)
    assert friedmanchisquare(*zip(*scores, strict=True)).pvalue < 0.05
    assert found.p_value < 0.05
    assert found.groups == ((0, 1), (1, 2))


def test_strengths_of_a_recipe_are_one_condition():
    found = rank_methods(lines(*[(0.9, 0.1)] * 12, recipe=lambda i: f"recipe-{i % 4}"))
    assert found.conditions == tuple(f"recipe-{i}" for i in range(4))
    assert (found.ranks, "at least 5 conditions" in found.reason) == ((), True)


def test_a_recipe_that_somebody_did_not_finish_is_no_condition():
    found = rank_methods(lines(*[(0.9, 0.1)] * 5, (0.9, None)))
    assert len(found.conditions) == 5
    assert found.ranks == (1, 2)


def test_learners_that_always_tie_are_one_group():
    found = rank_methods(lines(*[(0.5, 0.5, 0.5)] * 6))
    assert found.groups == ((0, 1, 2),)
    assert found.p_value == 1

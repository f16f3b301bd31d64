from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import f as fisher
from scipy.stats import rankdata, wilcoxon

from metarobust.stats.multiple import holm
from metarobust.stats.ranks import (
    critical_difference,
    friedman_p_value,
    indistinct_groups,
    mean_ranks,
    wilcoxon_holm,
)

# Demšar 2006, Table 6: ranks of C4.5 without and with tuning of m, of cf, and of both, on 14 sets.
PUBLISHED = np.array([
    [4, 3, 2, 1], [1, 2, 3, 4], [4, 1, 2, 3], [4, 1, 3, 2], [4, 2, 3, 1], [1, 2.5, 4, 2.5],
    [3, 2, 4, 1], [2.5, 2.5, 4, 1], [4, 3, 2, 1], [2.5, 2.5, 2.5, 2.5], [4, 2.5, 1, 2.5],
    [3, 2, 4, 1], [4, 1, 2, 3], [3, 1, 4, 2],
])  # fmt: skip

scores = arrays(np.float64, (8, 4), elements=st.integers(0, 20).map(float))


def test_the_published_example() -> None:
    ranks = mean_ranks(-PUBLISHED)
    np.testing.assert_allclose(ranks, [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=5e-3)
    assert critical_difference(4, 14, level=0.9) == pytest.approx(1.12, abs=5e-3)
    # "the post-hoc test is not powerful enough" at 0.05; at 0.10 C4.5 differs from both with m.
    gaps = np.abs(ranks[:, None] - ranks)
    assert indistinct_groups(ranks, gaps >= critical_difference(4, 14)) == ((3, 1, 2, 0),)
    assert indistinct_groups(ranks, gaps >= critical_difference(4, 14, level=0.9)) == (
        (3, 1, 2),
        (2, 0),
    )


@pytest.mark.parametrize(
    ("level", "quantiles"),
    [
        (0.95, [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]),
        (0.90, [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920]),
    ],
)
def test_the_published_quantiles(level: float, quantiles: list[float]) -> None:
    for learners, q in enumerate(quantiles, start=2):
        scale = np.sqrt(learners * (learners + 1) / (6 * 30))
        assert critical_difference(learners, 30, level) / scale == pytest.approx(q, abs=1.1e-3)


@given(scores)
def test_friedmans_f_is_an_analysis_of_variance_of_ranks(x: np.ndarray) -> None:
    ranks = rankdata(x, axis=1)
    between = 8 * ((ranks.mean(axis=0) - 2.5) ** 2).sum()
    within = ((ranks - ranks.mean(axis=0) + 2.5 - ranks.mean(axis=1, keepdims=True)) ** 2).sum()
    found = friedman_p_value(x)
    if not np.ptp(x, axis=1).any():
        assert found == 1.0
    elif within > 1e-9:
        expected = fisher.sf((between / 3) / (within / 21), 3, 21)
        assert found == pytest.approx(max(expected, 24.0**-7), rel=1e-6, abs=1e-12)
    else:
        assert 24.0**-7 <= found <= 1e-6


def test_full_agreement_has_its_exact_chance() -> None:
    agreed = np.tile([0.9, 0.8, 0.7], (4, 1))
    assert friedman_p_value(agreed) == pytest.approx(1 / 6**3)


def test_friedman_keeps_its_level() -> None:
    rng = np.random.default_rng(0)
    rejected = np.mean([friedman_p_value(rng.random((10, 4))) <= 0.05 for _ in range(600)])
    assert 0.03 <= rejected <= 0.075


def test_pairs_are_scipys_signed_ranks_adjusted_by_holm() -> None:
    x = np.random.default_rng(1).normal([0.0, 0.3, 0.9], 1.0, size=(25, 3))
    pairs = list(combinations(range(3), 2))
    expected = holm(np.array([wilcoxon(x[:, i], x[:, j]).pvalue for i, j in pairs]))
    found = wilcoxon_holm(x)
    np.testing.assert_allclose([found[i, j] for i, j in pairs], expected, atol=1e-12)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(np.diag(found), 1)


def test_the_smallest_p_values_of_few_conditions() -> None:
    # All n differences positive: p = 2 / 2^n, so 5 conditions cannot reach 0.05 and 6 can.
    for conditions, p in ((5, 2 / 32), (6, 2 / 64)):
        x = np.outer(np.arange(1, conditions + 1), [2.0, 1.0])
        assert wilcoxon_holm(x)[0, 1] == pytest.approx(p)
    assert (wilcoxon_holm(np.ones((7, 3))) == 1).all()


def test_ranks_and_pairs_are_scikit_posthocs() -> None:
    posthocs = pytest.importorskip("scikit_posthocs")
    x = np.random.default_rng(2).normal([0.0, 0.2, 0.8, 1.0], 1.0, size=(20, 4))
    nemenyi = posthocs.posthoc_nemenyi_friedman(x).to_numpy()
    ranks = mean_ranks(x)
    for level in (0.5, 0.9, 0.95, 0.99):
        distinct = np.abs(ranks[:, None] - ranks) >= critical_difference(4, 20, level)
        np.testing.assert_array_equal(distinct, nemenyi <= 1 - level)
    holms = posthocs.posthoc_wilcoxon([*x.T], p_adjust="holm").to_numpy()
    np.testing.assert_allclose(wilcoxon_holm(x), holms, atol=1e-12)


@given(arrays(np.float64, st.integers(1, 7), elements=st.floats(1, 7)), st.floats(0.01, 3))
def test_bars_are_the_maximal_cliques_of_a_critical_difference(ranks, difference) -> None:
    networkx = pytest.importorskip("networkx")
    distinct = np.abs(ranks[:, None] - ranks) >= difference
    graph = networkx.from_numpy_array(~distinct & ~np.eye(ranks.size, dtype=bool))
    cliques = {frozenset(c) for c in networkx.find_cliques(graph) if len(c) > 1}
    bars = indistinct_groups(ranks, distinct)
    assert {frozenset(bar) for bar in bars} == cliques
    for bar in bars:
        assert (np.diff(ranks[list(bar)]) >= 0).all()


def test_a_distinct_learner_in_between_breaks_a_bar() -> None:
    distinct = np.zeros((3, 3), dtype=bool)
    distinct[0, 1] = distinct[1, 0] = True
    assert indistinct_groups(np.array([1.0, 2.0, 3.0]), distinct) == ((1, 2),)


@given(scores, st.permutations(range(8)), st.permutations(range(4)))
def test_ranks_ignore_order_and_scale_and_add_up(x: np.ndarray, conditions, learners) -> None:
    ranks = mean_ranks(x)
    assert ranks.sum() == pytest.approx(10)
    np.testing.assert_allclose(mean_ranks(x[conditions][:, learners]), ranks[learners])
    np.testing.assert_allclose(mean_ranks(np.exp(x / 5)), ranks)

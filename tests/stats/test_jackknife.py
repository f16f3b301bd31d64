import math
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import t as student
from sklearn.linear_model import LinearRegression

from metarobust.stats.intervals import t_interval
from metarobust.stats.jackknife import class_jackknife


def run(rng: np.random.Generator, classes: int, episodes: int, ways: int = 5):
    """Episode accuracies around class effects of a pool drawn anew; the true mean is 0.7."""
    effect = rng.normal(0, 0.15, size=classes)
    chosen = rng.random((episodes, classes)).argsort(axis=1)[:, :ways]
    return 0.7 + effect[chosen].mean(axis=1) + rng.normal(0, 0.08, size=episodes), chosen


def test_the_formula_written_out() -> None:
    values, chosen = run(np.random.default_rng(0), 12, 150)
    pool = range(12)
    without = {c: [v for v, row in zip(values, chosen, strict=True) if c not in row] for c in pool}
    left_out = [float(np.mean(without[c])) for c in pool]
    member = np.array([[c in row for c in pool] for row in chosen], dtype=float)
    residual = values - LinearRegression().fit(member, values).predict(member)
    s2 = float(residual @ residual) / (150 - 12)
    first = sum((th - np.mean(left_out)) ** 2 for th in left_out)
    second = sum(s2 * (1 / len(without[c]) - 1 / 150) for c in pool)
    variance = max(11 / 12 * (first - second), 0) + s2 / 150
    half = student.ppf(0.975, 11) * math.sqrt(variance)
    found = class_jackknife(values, chosen)
    assert found.value == pytest.approx(values.mean(), abs=1e-12)
    assert (found.low, found.high) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=1e-10
    )


def test_it_is_the_classical_jackknife_when_every_pair_is_seen_and_noise_is_none() -> None:
    # Values are exact means of class scores and all pairs are drawn: leaving a class out gives
    # the mean of the others, so the variance is the textbook s^2 / C.
    scores = np.random.default_rng(1).random(9)
    pairs = np.array(list(combinations(range(9), 2)))
    found = class_jackknife(scores[pairs].mean(axis=1), pairs)
    half = student.ppf(0.975, 8) * scores.std(ddof=1) / 3
    assert found.value == pytest.approx(scores.mean())
    assert found.high - found.low == pytest.approx(2 * half, rel=1e-9)


@pytest.mark.parametrize(("classes", "episodes"), [(20, 300), (40, 300)])
def test_coverage_over_new_classes(classes: int, episodes: int) -> None:
    """The interval by episode covers a third of the time or less; the jackknife 95 %."""
    rng = np.random.default_rng(2)
    covered = np.zeros(2)
    for _ in range(300):
        values, chosen = run(rng, classes, episodes)
        for which, found in enumerate((class_jackknife(values, chosen), t_interval(values))):
            covered[which] += found.low <= 0.7 <= found.high
    jackknife, naive = covered / 300
    assert 0.92 <= jackknife <= 0.99
    assert naive < 0.6


@pytest.mark.parametrize(
    ("values", "rows", "value", "reason"),
    [
        ([], np.empty((0, 2), int), None, "no episode"),
        ([0.5, 0.7], [[0, 1], [1, 0]], 0.6, "in every episode"),
        ([0.5, 0.7], [[0, 1], [2, 3]], 0.6, "2 episodes cannot tell 4 classes"),
        ([0.5, 0.5, 0.5], [[0, 1], [1, 2], [0, 2]], 0.5, "same value"),
    ],
)
def test_no_interval_where_no_class_can_be_left_out(values, rows, value, reason: str) -> None:
    found = class_jackknife(np.array(values), np.array(rows))
    assert (found.value, found.low) == (pytest.approx(value), None)
    assert reason in found.reason


def test_names_of_classes_do_not_matter() -> None:
    values, chosen = run(np.random.default_rng(3), 10, 80)
    names = np.random.default_rng(4).permutation(1000)[:10]
    one, other = class_jackknife(values, chosen), class_jackknife(values, names[chosen][:, ::-1])
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-9)

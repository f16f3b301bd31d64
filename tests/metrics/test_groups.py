import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import recall_score

from metarobust.metrics.groups import episode_sums, mean_by_group, query_classes

shapes = st.tuples(st.integers(1, 5), st.integers(1, 12))


def episodes(
    rng: np.random.Generator, count: int = 60
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, predictions and class ids of 5-way episodes from 12 classes, 15 queries each."""
    class_ids = np.stack([rng.choice(12, size=5, replace=False) for _ in range(count)]) * 10
    labels = np.tile(np.repeat(np.arange(5), 3), (count, 1))
    said = np.where(rng.random(labels.shape) < 0.6, labels, rng.integers(5, size=labels.shape))
    return labels, said, class_ids


def test_class_accuracy_is_sklearns_recall_over_global_classes() -> None:
    labels, said, class_ids = episodes(np.random.default_rng(0))
    truth, guess = query_classes(class_ids, labels), query_classes(class_ids, said)
    found = mean_by_group(labels == said, truth)
    expected = recall_score(truth.ravel(), guess.ravel(), average=None)
    np.testing.assert_array_equal(found.names, np.unique(class_ids))
    np.testing.assert_allclose(found.value, expected, atol=1e-12)
    assert found.average == pytest.approx(expected.mean())
    assert found.lowest.value == expected.min()
    assert found.lowest.name == found.names[expected.argmin()]
    assert found.gap == pytest.approx(expected.max() - expected.min())


def test_groups_are_fairlearns() -> None:
    fairlearn = pytest.importorskip("fairlearn.metrics")
    metrics = pytest.importorskip("sklearn.metrics")
    labels, said, class_ids = episodes(np.random.default_rng(1))
    alphabet = np.array(["Greek", "Latin", "Tagalog"])[query_classes(class_ids, labels) // 10 % 3]
    frame = fairlearn.MetricFrame(
        metrics=metrics.accuracy_score,
        y_true=labels.ravel(),
        y_pred=said.ravel(),
        sensitive_features=alphabet.ravel(),
    )
    found = mean_by_group(labels == said, alphabet)
    assert dict(zip(found.names, found.value, strict=True)) == pytest.approx(dict(frame.by_group))
    assert found.gap == pytest.approx(frame.difference())
    assert found.lowest.value == pytest.approx(frame.group_min())


def test_the_largest_drop_is_paired_query_by_query() -> None:
    groups = np.array([["a", "a", "b", "b"], ["a", "b", "b", "c"]])
    clean = np.array([[1, 1, 1, 0], [1, 1, 1, 1]], dtype=bool)
    attacked = np.array([[1, 0, 0, 0], [1, 0, 1, 1]], dtype=bool)
    found = mean_by_group(clean.astype(int) - attacked, groups)
    np.testing.assert_allclose(found.value, [1 / 3, 2 / 4, 0])
    assert (found.highest.name, found.highest.count) == ("b", 4)


def test_the_lowest_group_counts_however_rare_and_none_is_an_error() -> None:
    found = mean_by_group(np.array([0, 1, 1, 0, 1]), np.array([5, 6, 6, 6, 6]))
    assert found.lowest.name == 5
    with pytest.raises(ValueError, match="at least one query, got none"):
        mean_by_group(np.empty((0, 3)), np.empty((0, 3)))


@given(shapes.flatmap(lambda s: st.tuples(arrays(bool, s), arrays(np.int64, s))), st.data())
def test_groups_add_up_and_their_order_does_not_matter(both, data) -> None:
    correct, groups = both
    found = mean_by_group(correct, groups)
    assert found.count.sum() == correct.size
    assert found.value @ found.count == pytest.approx(correct.sum())
    assert 0 <= found.lowest.value <= correct.mean() + 1e-12
    assert correct.mean() - 1e-12 <= found.highest.value <= 1
    names, sums, counts = episode_sums(correct, groups)
    np.testing.assert_array_equal(names, found.names)
    np.testing.assert_array_equal(counts.sum(axis=0), found.count)
    np.testing.assert_allclose(sums.sum(axis=0) / counts.sum(axis=0), found.value, atol=1e-12)
    np.testing.assert_array_equal(counts.sum(axis=1), correct.shape[1])
    np.testing.assert_array_equal(sums.sum(axis=1), correct.sum(axis=1))
    order = np.array(data.draw(st.permutations(range(correct.size))))
    other = mean_by_group(correct.ravel()[order], groups.ravel()[order])
    np.testing.assert_allclose(other.value, found.value, atol=1e-12)

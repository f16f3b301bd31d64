import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq
from scipy.special import softmax

from metarobust.metrics.calibration import ece, reliability_bins, width_edges
from metarobust.metrics.smooth import smooth_ece

confidences = arrays(np.float64, st.integers(1, 40), elements=st.floats(0.0, 1.0, width=32))


def learner(rng: np.random.Generator, queries: int, sharpen: float = 1.0):
    """Confidences and correctness, 5-way with accuracy 0.645, calibrated at `sharpen` 1."""
    z = rng.normal(scale=2.0, size=(queries, 5))
    labels = (rng.random((queries, 1)) > softmax(z, axis=1).cumsum(axis=1)).sum(axis=1)
    return softmax(z * sharpen, axis=1).max(axis=1), z.argmax(axis=1) == labels


def by_quadrature(c: np.ndarray, a: np.ndarray, scale: float, points: int = 2000) -> float:
    """SmECE at one scale from the definition: Gaussians and their mirror images, summed."""
    t = (np.arange(points) + 0.5) / points
    total = np.zeros(points)
    for image in range(-2, 3):
        for mirrored in (2 * image + c, 2 * image - c):
            bells = np.exp(-(((t[:, None] - mirrored) / scale) ** 2) / 2)
            total += bells @ (a - c) / (scale * np.sqrt(2 * np.pi))
    return float(np.abs(total).mean() / c.size)


@pytest.mark.parametrize(("queries", "sharpen"), [(75, 1.0), (75, 2.0), (400, 1.6)])
def test_it_is_the_definition(queries: int, sharpen: float) -> None:
    c, a = learner(np.random.default_rng(queries), queries, sharpen)
    expected = brentq(lambda s: by_quadrature(c, a, s) - s, 1e-2, 1.0, xtol=1e-6)
    assert smooth_ece(c, a) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("sharpen", [1.0, 1.6])
def test_it_is_relplots_to_its_resolution(sharpen: float) -> None:
    relplot = pytest.importorskip("relplot")
    c, a = learner(np.random.default_rng(1), 3000, sharpen)
    # Its search halves the scale ten times, so its answer is good to 1/1024.
    assert smooth_ece(c, a) == pytest.approx(relplot.smECE(c, a.astype(float)), abs=1.5e-3)


@pytest.mark.parametrize(
    ("queries", "draws", "sharpen", "expected"),
    [(75, 200, 1.0, 0.071), (750, 60, 1.0, 0.032), (7500, 12, 1.0, 0.014)],
)
def test_small_sample_bias(queries: int, draws: int, sharpen: float, expected: float) -> None:
    """Measured elsewhere with the authors' code for a calibrated 5-way learner."""
    rng = np.random.default_rng(2)
    found = [smooth_ece(*learner(rng, queries, sharpen)) for _ in range(draws)]
    assert np.mean(found) == pytest.approx(expected, abs=0.004)


@pytest.mark.parametrize("gap", [0.01, 0.2, 0.7])
@pytest.mark.parametrize("confidence", [0.75, 1.0])
def test_one_confidence_has_its_own_gap(gap: float, confidence: float) -> None:
    c, a = np.full(1000, confidence), np.arange(1000) < round(1000 * (confidence - gap))
    assert smooth_ece(c, a) == pytest.approx(gap, abs=1e-6)


def test_it_is_continuous_where_the_binned_error_jumps() -> None:
    # Two answers on either side of a bin's edge, one right and one wrong.
    a = np.array([True, False])
    apart, together = np.array([0.5 - 1e-6, 0.5 + 1e-6]), np.array([0.5 - 1e-6, 0.5 - 1e-6])
    jump = [ece(reliability_bins(c, a, width_edges(2))) for c in (apart, together)]
    assert abs(jump[0] - jump[1]) > 0.4
    assert smooth_ece(apart, a) == pytest.approx(smooth_ece(together, a), abs=1e-3)


@settings(max_examples=40)
@given(confidences, st.data())
def test_it_is_between_the_gap_of_the_whole_and_one(c: np.ndarray, data) -> None:
    a = data.draw(arrays(bool, c.size))
    found = smooth_ece(c, a)
    assert abs(a.mean() - c.mean()) - 1e-6 <= found <= np.abs(a - c).mean() + 1e-6
    assert smooth_ece(1 - c, ~a) == pytest.approx(found, abs=1e-7)
    order = np.array(data.draw(st.permutations(range(c.size))))
    assert smooth_ece(c[order], a[order]) == pytest.approx(found, abs=1e-6)

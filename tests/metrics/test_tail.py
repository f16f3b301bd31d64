import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metarobust.metrics.tail import cvar

episodes = arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1, width=32))


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5, 1.0])
def test_cvar_is_the_variational_one(share: float) -> None:
    # Rockafellar & Uryasev 2000, Eq. 4: CVaR of a loss L is min_t t + E (L - t)+ / share, attained
    # at an order statistic; with an integer number of episodes in the tail it is their mean.
    losses = np.random.default_rng(0).normal(size=200)
    expected = min(t + np.maximum(losses - t, 0).mean() / share for t in losses)
    assert cvar(losses, share, worst="highest") == pytest.approx(expected, abs=1e-12)
    assert cvar(-losses, share) == pytest.approx(-expected, abs=1e-12)


def test_cvar_of_normal_drops_is_near_its_closed_form() -> None:
    # E[Z | Z > z_0.9] = phi(1.2816) / 0.1 = 1.7550.
    drops = np.random.default_rng(1).normal(size=200_000)
    assert cvar(drops, worst="highest") == pytest.approx(1.7550, abs=0.02)


@pytest.mark.parametrize(("count", "tail"), [(5, 1), (10, 1), (11, 2), (30, 3), (600, 60)])
def test_the_tail_is_rounded_up(count: int, tail: int) -> None:
    assert cvar(np.arange(count)) == pytest.approx((tail - 1) / 2)


def test_axes_are_independent() -> None:
    table = np.random.default_rng(2).random((3, 50))
    expected = [np.sort(row)[:5].mean() for row in table]
    np.testing.assert_allclose(cvar(table), expected)
    np.testing.assert_allclose(cvar(table.T, axis=0), expected)


@pytest.mark.parametrize(("values", "share"), [([], 0.1), ([0.5], 0.0), ([0.5], 1.5)])
def test_an_empty_tail_says_so(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match=r"share in \(0, 1\]"):
        cvar(np.array(values), share)


@given(episodes, st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_deeper_tail_is_worse(values: np.ndarray, one: float, other: float) -> None:
    deep, shallow = sorted((one, other))
    assert values.min() - 1e-12 <= cvar(values, deep) <= cvar(values, shallow) + 1e-12
    assert cvar(values, 1.0) == pytest.approx(values.mean())
    assert cvar(values, deep) == pytest.approx(1 - cvar(1 - values, deep, worst="highest"))

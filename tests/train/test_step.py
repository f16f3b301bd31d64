"""Clipping keeps the direction of a gradient and bounds its length."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from metarobust.train.step import clipped

numbers = st.floats(-10, 10)


@given(st.lists(numbers, min_size=1, max_size=4), st.lists(numbers, min_size=1), st.floats(0.1, 50))
def test_clipping_agrees_with_torch(a, b, largest):
    gradient = {
        "a": torch.tensor(a, dtype=torch.float64),
        "b": torch.tensor(b, dtype=torch.float64),
    }
    parameters = [torch.nn.Parameter(torch.zeros_like(value)) for value in gradient.values()]
    for parameter, value in zip(parameters, gradient.values(), strict=True):
        parameter.grad = value.clone()
    torch.nn.utils.clip_grad_norm_(parameters, largest)
    for parameter, value in zip(parameters, clipped(gradient, largest).values(), strict=True):
        # torch divides by norm + 1e-6.
        torch.testing.assert_close(value, parameter.grad, rtol=1e-4, atol=1e-5)


def test_a_short_gradient_is_left_bit_for_bit():
    gradient = {"a": torch.tensor([0.3, -0.1])}
    assert torch.equal(clipped(gradient, 1.0)["a"], gradient["a"])


def test_a_gradient_of_zero_stays_zero():
    assert torch.equal(clipped({"a": torch.zeros(3)}, 1.0)["a"], torch.zeros(3))

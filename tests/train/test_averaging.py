"""The moving average follows its formula."""

import torch
from torch import nn

from metarobust.train.averaging import update_average


def linear(value):
    module = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(module.weight, value)
    return module


def test_the_average_by_hand():
    average, module, expected = linear(0.0), linear(0.0), 0.0
    for t, weight in enumerate([1.0, 2.0, -3.0, 4.0] * 10):
        nn.init.constant_(module.weight, weight)
        update_average(average, module, 0.5, t)
        d = min(0.5, (1 + t) / (10 + t))
        expected = d * expected + (1 - d) * weight
    assert abs(average.weight.item() - expected) < 1e-12


def test_the_first_update_forgets_most_of_the_start():
    average = linear(100.0)
    update_average(average, linear(1.0), 0.999, 0)
    assert abs(average.weight.item() - (0.1 * 100 + 0.9 * 1)) < 1e-12


def test_buffers_are_left():
    average, module = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    module.running_mean.fill_(7)
    update_average(average, module, 0.9, 5)
    assert torch.equal(average.running_mean, torch.zeros(2))

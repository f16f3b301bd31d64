"""Attack losses against closed forms."""

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from metarobust.threats.losses import (
    Aim,
    aims,
    attack_loss,
    cross_entropy,
    dlr_loss,
    margin_loss,
    targeted_dlr_loss,
    targeted_margin_loss,
    top_margin,
)
from metarobust.threats.scale import logit_scale

logits_rows = st.lists(st.lists(st.floats(-50, 50), min_size=4, max_size=4), min_size=1, max_size=5)


@given(logits_rows, st.integers(0, 3))
def test_margin_is_positive_exactly_where_another_class_wins(rows, label):
    z = torch.tensor(rows, dtype=torch.float64)
    y = torch.full((len(rows),), label)
    others = torch.cat([z[:, :label], z[:, label + 1 :]], 1).amax(1)
    assert torch.equal(margin_loss(z, y) > 0, others > z[:, label])


@given(logits_rows)
def test_margin_ignores_a_shift_and_scales(rows):
    z = torch.tensor(rows, dtype=torch.float64)
    y = torch.zeros(len(rows), dtype=torch.long)
    torch.testing.assert_close(margin_loss(z + 1000, y), margin_loss(z, y), atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(margin_loss(z * 300, y), margin_loss(z, y) * 300)


def test_cross_entropy_of_two_equal_logits_is_log_two():
    value = cross_entropy(torch.zeros(1, 2), torch.tensor([0])).item()
    assert value == pytest.approx(math.log(2))


def test_shifted_targets_reward_the_next_class():
    z = torch.tensor([[0.0, 3.0, -1.0]])
    towards = attack_loss(z, torch.tensor([0]), Aim("cross-entropy"), "shifted", z)
    away = attack_loss(z, torch.tensor([1]), Aim("cross-entropy"), "shifted", z)
    assert towards > away  # class 1 is already winning; class 2 is not


def test_logit_scale_makes_the_median_margin_five():
    z = torch.tensor([[10.0, 0.0], [40.0, 0.0], [20.0, 0.0]])
    assert logit_scale(z) == 4.0
    assert top_margin(z / logit_scale(z)).median() == 5.0
    assert logit_scale(torch.zeros(3, 4)) == 1.0


@given(logits_rows, st.integers(0, 3), st.floats(0.1, 300), st.floats(-1000, 1000))
def test_dlr_has_the_sign_of_the_margin_and_ignores_scale_and_shift(rows, label, scale, shift):
    z = torch.tensor(rows, dtype=torch.float64).round(decimals=2)  # gaps of 0 or at least 0.01
    y = torch.full((len(rows),), label)
    best = z.topk(3).values
    assume((best[:, 0] > best[:, 2]).all())
    value = dlr_loss(z, y)
    assert torch.equal(value.sign(), margin_loss(z, y).sign())
    assert value.min() >= -1
    torch.testing.assert_close(dlr_loss(z * scale + shift, y), value, rtol=1e-6, atol=1e-6)


@given(logits_rows, st.integers(0, 3))
def test_dlr_equals_the_published_formula(rows, label):
    # Croce & Hein 2020, equations 6 and 7, by sorting.
    z = torch.tensor(rows, dtype=torch.float64)
    y, t = torch.full((len(rows),), label), torch.full((len(rows),), (label + 2) % 4)
    s = z.sort(descending=True).values
    others = torch.cat([z[:, :label], z[:, label + 1 :]], 1).amax(1)
    own, goal = z[:, label], z[:, (label + 2) % 4]
    torch.testing.assert_close(dlr_loss(z, y), -(own - others) / (s[:, 0] - s[:, 2] + 1e-12))
    expected = -(own - goal) / (s[:, 0] - (s[:, 2] + s[:, 3]) / 2 + 1e-12)
    torch.testing.assert_close(targeted_dlr_loss(z, y, t), expected)


def test_the_targets_are_the_wrong_classes_likeliest_at_the_clean_point():
    clean = torch.tensor([[1.0, 4.0, 2.0, 3.0]])
    z, y = torch.tensor([[0.0, 10.0, 20.0, 30.0]]), torch.tensor([1])
    for rank, goal in ((1, 3), (2, 2), (3, 0)):
        value = attack_loss(z, y, Aim("targeted-margin", rank), "untargeted", clean)
        assert value == targeted_margin_loss(z, y, torch.tensor([goal]))
    shifted = attack_loss(z, y, Aim("targeted-margin", 1), "shifted", clean)
    assert shifted == targeted_margin_loss(z, y, torch.tensor([2]))


@pytest.mark.parametrize(
    ("ways", "dlr", "targeted", "count"),
    [
        (2, "margin", "targeted-margin", 1),
        (3, "dlr", "targeted-margin", 2),
        (4, "dlr", "targeted-dlr", 3),
        (5, "dlr", "targeted-dlr", 4),
        (20, "dlr", "targeted-dlr", 9),
    ],
)
def test_few_ways_get_the_margin_and_many_nine_targets(ways, dlr, targeted, count):
    assert aims(["dlr"], ways) == (Aim(dlr),)
    assert aims(["targeted-dlr"], ways) == tuple(Aim(targeted, r) for r in range(1, count + 1))
    assert aims(["targeted-dlr"], ways, "shifted") == (Aim(targeted, 1),)


def test_a_loss_that_stands_in_for_another_is_climbed_once():
    assert aims(["margin", "dlr"], 2) == (Aim("margin"),)

"""Attack losses against closed forms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metarobust.threats.losses import attack_loss, cross_entropy, margin_loss, top_margin
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
    towards = attack_loss(z, torch.tensor([0]), "cross-entropy", "shifted")
    away = attack_loss(z, torch.tensor([1]), "cross-entropy", "shifted")
    assert towards > away  # class 1 is already winning; class 2 is not


def test_logit_scale_makes_the_median_margin_five():
    z = torch.tensor([[10.0, 0.0], [40.0, 0.0], [20.0, 0.0]])
    assert logit_scale(z) == 4.0
    assert top_margin(z / logit_scale(z)).median() == 5.0
    assert logit_scale(torch.zeros(3, 4)) == 1.0

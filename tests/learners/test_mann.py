"""The memory-augmented network against a plain loop over slots, in float64."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from metarobust.learners.mann import writing_order
from tests.support.episodes import make_episode
from tests.support.learners import small_learner
from tests.support.textbook import textbook_conv4

EPISODE = make_episode(4, dtype=torch.float64)


def learner_of(**options):
    learner = small_learner("mann", key_dim=5, **options).double()
    nn.init.constant_(learner.gate, -0.5)
    return learner


def logits(learner):
    return learner(EPISODE.support_x, EPISODE.support_y, EPISODE.query_x, 3).detach()


def softmax_of_cosines(scale, key, rows):
    norms = [max(np.linalg.norm(row), 1e-12) * np.linalg.norm(key) for row in rows]
    scores = [scale * row @ key / norm for row, norm in zip(rows, norms, strict=True)]
    powers = np.exp(np.array(scores))
    return powers / powers.sum()


def textbook(learner):
    """Santoro et al. 2016, one image, slot and formula at a time."""
    net = textbook_conv4(learner.backbone, training=False)
    with torch.no_grad():
        support, queries = (
            learner.controller(net(x)).numpy() for x in (EPISODE.support_x, EPISODE.query_x)
        )
    scale, gate = learner.log_scale.exp().item(), 1 / (1 + math.exp(-learner.gate.item()))
    by_class = [
        sorted(
            np.flatnonzero(EPISODE.support_y.numpy() == c), key=lambda i: support[i] @ support[i]
        )
        for c in range(3)
    ]
    keys, values = np.zeros((learner.slots, 5)), np.zeros((learner.slots, 3))
    usage = np.zeros(learner.slots)
    for turn in zip(*by_class, strict=True):
        for label, image in enumerate(turn):
            read = softmax_of_cosines(scale, support[image], keys)
            oldest = int(np.argmin(usage))
            keys[oldest], values[oldest] = 0, 0
            write = gate * read
            write[oldest] += 1 - gate
            keys += np.outer(write, support[image])
            values += np.outer(write, np.eye(3)[label])
            usage = learner.decay * usage + read + write
    reads = [softmax_of_cosines(scale, query, keys) @ values for query in queries]
    return torch.from_numpy(np.log(np.array(reads) + 1e-3))


@pytest.mark.parametrize("slots", [1, 4, 6, 32])
def test_it_is_the_textbook_memory(slots):
    learner = learner_of(slots=slots)
    torch.testing.assert_close(logits(learner), textbook(learner), rtol=1e-5, atol=1e-8)


def test_a_closed_gate_and_room_for_all_leave_attention_over_the_images():
    learner = learner_of(slots=6)
    nn.init.constant_(learner.gate, -100.0)
    net = textbook_conv4(learner.backbone, training=False)
    support, queries = (learner.controller(net(x)) for x in (EPISODE.support_x, EPISODE.query_x))
    cosines = nn.functional.cosine_similarity(queries.unsqueeze(1), support.unsqueeze(0), dim=2)
    attention = (learner.log_scale.exp() * cosines).softmax(1)
    expected = (attention @ torch.eye(3).double()[EPISODE.support_y] + 1e-3).log()
    torch.testing.assert_close(logits(learner), expected.detach(), rtol=1e-5, atol=1e-8)


def test_images_are_written_class_by_class_in_turns_whatever_order_they_come_in():
    keys = torch.tensor([[5.0], [1.0], [4.0], [2.0], [3.0], [6.0]])
    labels = torch.tensor([2, 2, 0, 0, 0, 1])
    order = writing_order(keys, labels, 3)
    assert keys[order].flatten().tolist() == [2, 6, 1, 3, 5, 4]
    shuffle = torch.tensor([3, 0, 5, 1, 4, 2])
    again = writing_order(keys[shuffle], labels[shuffle], 3)
    assert torch.equal(keys[shuffle][again], keys[order])

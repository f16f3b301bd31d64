"""Robust heads and the fine-tuned baseline against short independent versions, in float64."""

import numpy as np
import pytest
import torch
from scipy import optimize, stats
from torch import nn
from torch.nn import functional as F

from metarobust.core.errors import ConfigError
from metarobust.learners.finetune import CosineHead
from metarobust.learners.median import geometric_medians
from tests.support.episodes import make_episode
from tests.support.learners import small_learner
from tests.support.textbook import textbook_conv4

EPISODE = make_episode(4, shots=5, dtype=torch.float64)


def logits(learner, episode=EPISODE):
    return learner(episode.support_x, episode.support_y, episode.query_x, 3)


def embedded(learner, episode=EPISODE):
    net = textbook_conv4(learner.backbone, training=False)
    return net(episode.support_x).detach(), net(episode.query_x).detach()


def test_trimmed_averages_the_distances_in_the_middle():
    learner = small_learner("trimmed").double()
    support, queries = embedded(learner)
    distances = torch.cdist(queries, support).square().numpy()
    expected = np.stack(
        [-stats.trim_mean(distances[:, EPISODE.support_y == c], 0.2, axis=1) for c in range(3)], 1
    )
    torch.testing.assert_close(
        logits(learner).detach(), torch.from_numpy(expected), rtol=1e-5, atol=1e-8
    )


def test_a_certified_prediction_withstands_poisoned_images():
    # Noise of other classes stands for a poisoner; a certificate speaks of any replacement.
    learner = small_learner("trimmed", trim=2).double()
    with torch.no_grad():
        before = logits(learner).argmax(1)
        certified = learner.certify(EPISODE.support_x, EPISODE.support_y, EPISODE.query_x, ways=3)
        assert certified.max() >= 1
        for seed in range(20):
            source = torch.Generator().manual_seed(seed)
            x = EPISODE.support_x.clone()
            x[::5] = torch.rand(x[::5].shape, generator=source, dtype=x.dtype)
            after = logits(learner, EPISODE._replace(support_x=x)).argmax(1)
            assert torch.equal(after[certified >= 1], before[certified >= 1])


def test_nothing_is_certified_where_it_cannot_be():
    with pytest.raises(ConfigError, match="a certificate needs norm_mode 'running'"):
        small_learner("trimmed", norm_mode="support").double().certify(
            EPISODE.support_x, EPISODE.support_y, EPISODE.query_x, ways=3
        )
    certified = (
        small_learner("trimmed")
        .double()
        .certify(EPISODE.support_x, EPISODE.support_y, EPISODE.query_x, ways=4)
    )
    assert certified.max() == 0, "a class without images"


@pytest.mark.parametrize("shots", [1, 2, 5])
def test_median_prototypes_are_numpy_s(shots):
    learner = small_learner("median").double()
    episode = make_episode(4, shots=shots, dtype=torch.float64)
    support, queries = embedded(learner, episode)
    medians = torch.stack(
        [
            torch.from_numpy(np.median(support[episode.support_y == c].numpy(), axis=0))
            for c in range(3)
        ]
    )
    expected = -torch.cdist(queries, medians).square()
    torch.testing.assert_close(logits(learner, episode).detach(), expected, rtol=1e-5, atol=1e-8)


def test_geometric_median_minimises_the_summed_distance():
    source = torch.Generator().manual_seed(2)
    x = torch.randn(12, 3, generator=source, dtype=torch.float64)
    x[0] += 100
    labels = torch.tensor([0] * 7 + [1] * 5)
    actual = geometric_medians(x, labels, 2)
    for c in range(2):
        rows = x[labels == c].numpy()
        best = optimize.minimize(
            lambda p, rows=rows: np.linalg.norm(rows - p, axis=1).sum(),
            rows.mean(0),
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000},
        )
        torch.testing.assert_close(actual[c], torch.from_numpy(best.x), rtol=1e-4, atol=1e-5)
    assert torch.autograd.gradcheck(lambda a: geometric_medians(a, labels, 2), x.requires_grad_())


def test_one_wild_image_moves_the_mean_and_not_the_medians():
    x = torch.zeros(5, 2, dtype=torch.float64)
    x[0] = 1e6
    labels = torch.zeros(5, dtype=torch.long)
    assert geometric_medians(x, labels, 1).abs().max() < 1e-3


@pytest.mark.parametrize("steps", [0, 4])
def test_finetune_descends_from_imprinted_cosine_weights(steps):
    learner = small_learner("finetune", inner_steps=steps).double()
    support, queries = embedded(learner)
    unit = F.normalize(support)
    means = torch.stack([unit[EPISODE.support_y == c].mean(0) for c in range(3)])
    head = nn.Linear(4, 3, bias=False).double()
    head.weight.data = F.normalize(means)
    optimiser = torch.optim.SGD(head.parameters(), lr=learner.inner_rate)

    def scores(x):
        return learner.scale * F.cosine_similarity(x.unsqueeze(1), head.weight.unsqueeze(0), dim=2)

    for _ in range(steps):
        optimiser.zero_grad()
        F.cross_entropy(scores(support), EPISODE.support_y).backward()
        optimiser.step()
    torch.testing.assert_close(logits(learner), scores(queries), rtol=1e-5, atol=1e-8)


def test_finetune_is_pretrained_by_a_cosine_head():
    head = small_learner("finetune", scale=3.0).pretraining_head(7)
    assert isinstance(head, CosineHead)
    x = torch.randn(2, 4)
    expected = 3 * F.cosine_similarity(x.unsqueeze(1), head.weight.unsqueeze(0), dim=2)
    torch.testing.assert_close(head(x), expected)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("trimmed", {"trim": -1}),
        ("median", {"kind": "mode"}),
        ("finetune", {"inner_steps": -1}),
        ("finetune", {"inner_rate": 0.0}),
    ],
)
def test_impossible_options_are_refused(name, options):
    with pytest.raises(ConfigError, match="expected"):
        small_learner(name, **options)

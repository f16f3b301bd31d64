"""A short meta-training of MAML on sinusoids, against no adaptation and against the mean."""

import pytest
import torch

from metarobust.assembly.checkpoint import load_checkpoint
from metarobust.config.loading import load_config
from metarobust.config.train import TrainConfig
from metarobust.data.functions import sinusoid
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.train.loop import train


@pytest.mark.slow
def test_adaptation_beats_its_start_and_the_mean_of_the_support_set(tmp_path):
    changes = ["iterations=300", "validation.every=100", "validation.episodes=40", "device=cpu"]
    config = load_config(TrainConfig, "maml-sinusoid", "train", changes)
    result = train(config, tmp_path, {}, lambda *_: None)
    learner = load_checkpoint(str(result.checkpoint)).learner
    episodes = EpisodeSampler(sinusoid(), Protocol(1, 10, 10, 0, "test"), 0)
    after, before, mean = [], [], []
    with torch.no_grad():
        for number in range(100):
            e = episodes[number]
            start = learner.classifier(e.support_x, learner.start())(e.query_x)[:, 0]
            adapted = learner(e.support_x, e.support_y, e.query_x, 1)[:, 0]
            for errors, guess in ((after, adapted), (before, start), (mean, e.support_y.mean())):
                errors.append(float((guess - e.query_y).square().mean()))
    assert sum(after) < sum(before) / 2
    assert sum(after) < sum(mean) / 2

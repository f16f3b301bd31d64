"""The tasks of meta-training: of meta-train classes, in repeatable batches, with the right loss."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from metarobust.assembly.learner import LearnerSpec, build_learner
from metarobust.config.objective import ObjectiveConfig
from metarobust.core.engine import mean_gradient
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.learners.finetune import CosineHead
from metarobust.train.classification import Classification
from metarobust.train.mixture import make_mixture
from metarobust.train.ranks import Alone
from metarobust.train.stream import Episodic
from tests.support.pattern_set import pattern_set

DATA = pattern_set()
PROTOCOL = Protocol(ways=3, shots=2, queries=2, attacker_queries=0, split="train")


def learner(name="protonet", seed=0, **options):
    spec = LearnerSpec(name, "mlp", (1, 16, 16), options, {"width": 8, "depth": 1})
    return build_learner(spec, seed).train()


class TestEpisodic:
    stream = Episodic(
        learner(),
        EpisodeSampler(DATA, PROTOCOL, 4),
        tasks=3,
        mixture=make_mixture(ObjectiveConfig(name="episodic"), 4),
    )

    def batch(self, iteration):
        (found,) = self.stream.batches(iteration, Alone(torch.device("cpu")))
        assert found.share == 1
        return found

    def test_an_iterations_batch_is_its_own_slice_of_the_stream(self):
        for iteration in (0, 5):
            assert self.batch(iteration).tasks.number.tolist() == [
                3 * iteration + i for i in range(3)
            ]
        assert torch.equal(self.batch(5).tasks.query_x, self.batch(5).tasks.query_x)

    def test_only_meta_train_classes_come(self):
        for iteration in range(10):
            classes = self.batch(iteration).tasks.class_ids
            assert set(classes.flatten().tolist()) <= set(range(6))

    def test_the_loss_is_the_cross_entropy_of_the_queries_after_adaptation(self):
        episode = self.stream.sampler[0]
        net, (sx, qx) = self.stream.learner, (episode.support_x, episode.query_x)
        # By hand, with each batch's own moments: one linear layer, normalisation, ReLU.
        layer = net.backbone.layers[0]

        def embed(x):
            y = x.flatten(1) @ layer.weight.T
            y = (y - y.mean(0)) / (y.var(0, unbiased=False) + 1e-5).sqrt()
            return (layer.norm.weight * y + layer.norm.bias).relu()

        means = torch.stack([embed(sx)[episode.support_y == c].mean(0) for c in range(3)])
        logits = -torch.cdist(embed(qx), means).square()
        expected = F.cross_entropy(logits, episode.query_y)
        torch.testing.assert_close(self.batch(0).loss(episode), expected, rtol=1e-4, atol=1e-5)

    def test_its_module_is_the_learner(self):
        assert self.stream.module is self.stream.learner


class TestClassification:
    def make(self, seed=0, batch=16):
        return Classification(learner("centroid"), DATA, batch, seed)

    def tasks(self, iteration, **options):
        (found,) = self.make(**options).batches(iteration, Alone(torch.device("cpu")))
        assert found.share == 1
        return found.tasks

    def test_a_batch_is_one_task_of_meta_train_images_with_class_positions(self):
        images, labels = self.tasks(0)
        assert images.shape == (1, 16, 1, 16, 16)
        assert labels.shape == (1, 16)
        assert labels.dtype == torch.int64
        by_pixels = {
            DATA.images[row].tobytes(): DATA.labels[row] for row in range(len(DATA.images))
        }
        train = DATA.splits["train"]
        for image, label in zip(images[0], labels[0], strict=True):
            pixels = np.rint(255 * image.numpy()).astype(np.uint8).tobytes()
            assert train[label] == by_pixels[pixels]

    def test_batches_are_a_function_of_seed_and_iteration(self):
        images, _ = self.tasks(3)
        assert torch.equal(images, self.tasks(3)[0])
        assert not torch.equal(images, self.tasks(4)[0])
        assert not torch.equal(images, self.tasks(3, seed=1)[0])

    def test_every_meta_train_class_comes_and_has_its_own_place(self):
        labels = torch.cat([self.tasks(i, batch=64)[1][0] for i in range(4)])
        assert labels.unique().tolist() == list(range(6))

    def test_the_head_covers_the_classes_and_is_thrown_away(self):
        stream = self.make()
        assert stream.module.head.out_features == 6
        assert not [key for key in stream.module.learner.state_dict() if "head" in key]
        gradients, losses = mean_gradient(stream.module, stream.loss, self.tasks(0))
        assert any(key.startswith("head") for key in gradients)
        assert losses.shape == (1,)
        assert losses.item() == pytest.approx(np.log(6), abs=1.0)

    def test_the_same_seed_gives_the_same_head_and_leaves_the_global_generator_alone(self):
        torch.manual_seed(0)
        before = torch.get_rng_state()
        one, same = self.make(seed=5), self.make(seed=5)
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(one.module.head.weight, same.module.head.weight)

    def test_the_head_is_the_learners_own(self):
        head = Classification(learner("finetune", scale=7.0), DATA, 16, 0).module.head
        assert isinstance(head, CosineHead)
        assert (head.weight.shape, head.scale) == ((6, 8), 7.0)

    def test_a_learner_with_joint_heads_is_told_the_groups(self):
        grouped = replace(DATA, groups=tuple("abc"[c % 3] for c in range(len(DATA.class_names))))
        seen = {}
        for data in (DATA, grouped):
            stream = Classification(learner("multitask"), data, 16, 0)
            with torch.no_grad():
                seen[data.groups] = float(stream.loss(tuple(t[0] for t in self.tasks(0))))
        assert seen[None] == pytest.approx(np.log(6), abs=1.0)
        assert seen[grouped.groups] < seen[None], "two classes a group are fewer than six"

"""Running moments are those of the images themselves."""

import numpy as np
import pytest
import torch

from metarobust.assembly.learner import LearnerSpec, build_learner
from metarobust.core.normalisation import BatchStatistics, Normalisation, running_statistics
from metarobust.core.seeds import generator
from metarobust.train.moments import measure_running_moments
from tests.support.pattern_set import pattern_set

DATA = pattern_set()


def learner(backbone, **options):
    spec = LearnerSpec("protonet", backbone, (1, 16, 16), {}, options)
    return build_learner(spec, 1).double()


def layers(net):
    return [m for m in net.backbone.modules() if isinstance(m, Normalisation)]


def drawn(seed, batches, size):
    """The images that the measurement draws: meta-train rows, by the seed's own generator."""
    rows = np.flatnonzero(np.isin(DATA.labels, DATA.splits["train"]))
    for i in range(batches):
        picks = torch.randint(len(rows), (size,), generator=generator(seed, "moments", i)).numpy()
        yield torch.from_numpy(DATA.images[rows[picks]]).double() / 255


def test_one_batch_gives_its_own_moments_at_every_layer():
    net = learner("conv4", width=4)
    measure_running_moments(net.float(), DATA, 3, batches=1, batch_size=50)
    (images,) = drawn(3, 1, 50)
    with torch.no_grad():
        running = net.embed(images.float(), running_statistics(net.backbone))
        own = net.embed(images.float(), BatchStatistics())
    torch.testing.assert_close(running, own, rtol=1e-3, atol=1e-4)


def test_moments_are_those_of_all_drawn_images_together():
    net = learner("mlp", width=8, depth=1).float()
    measure_running_moments(net, DATA, 3, batches=4, batch_size=40)
    everything = torch.cat(list(drawn(3, 4, 40))).flatten(1)
    outputs = everything @ net.backbone.layers[0].weight.double().T
    (layer,) = layers(net)
    torch.testing.assert_close(layer.mean.double(), outputs.mean(0), rtol=1e-5, atol=1e-5)
    variance = outputs.var(0, unbiased=False)
    torch.testing.assert_close(layer.variance.double(), variance, rtol=1e-4, atol=1e-6)


def test_parameters_and_the_global_generator_are_left_alone():
    net = learner("conv4", width=4).float()
    parameters = [p.clone() for p in net.parameters()]
    torch.manual_seed(0)
    before = torch.get_rng_state()
    measure_running_moments(net, DATA, 0, batches=2, batch_size=8)
    assert torch.equal(torch.get_rng_state(), before)
    for old, new in zip(parameters, net.parameters(), strict=True):
        assert torch.equal(old, new)
    assert not any(layer.mean.requires_grad for layer in layers(net))


@pytest.mark.parametrize("earlier", [0.0, 5.0])
def test_what_was_measured_before_does_not_matter(earlier):
    net = learner("conv4", width=4).float()
    for layer in layers(net):
        layer.mean.fill_(earlier)
        layer.variance.fill_(1 + earlier)
    measure_running_moments(net, DATA, 0, batches=2, batch_size=32)
    found = torch.cat([layer.mean for layer in layers(net)])
    fresh = learner("conv4", width=4).float()
    measure_running_moments(fresh, DATA, 0, batches=2, batch_size=32)
    assert torch.equal(found, torch.cat([layer.mean for layer in layers(fresh)]))

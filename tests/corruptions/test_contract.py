"""What every registered corruption promises."""

import random
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from metarobust.core.errors import ConfigError, DataError
from metarobust.corruptions import CORRUPTIONS, corrupt
from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.severities import parameters

NAMES = list(CORRUPTIONS)


def batch(n: int, channels: int, height: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(n, channels, height, width, generator=generator)
    return torch.where(images < 0.1, 0.0, torch.where(images > 0.9, 1.0, images))


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=8)
@given(
    n=st.integers(1, 4),
    grey=st.booleans(),
    height=st.integers(4, 48),
    width=st.integers(4, 48),
    severity=st.integers(1, 5),
    seed=st.integers(0, 2**40),
    order=st.randoms(use_true_random=False),
)
def test_batched_pure_and_in_range(
    name: str,
    n: int,
    grey: bool,
    height: int,
    width: int,
    severity: int,
    seed: int,
    order: random.Random,
) -> None:
    channels = min(CORRUPTIONS[name].channels) if grey else 3
    images = batch(n, channels, height, width, seed % 1000)
    ids = torch.randint(0, 10**6, (n,), generator=torch.Generator().manual_seed(seed % 999))
    before = images.clone()
    found = corrupt(name, images, ids, severity, seed)
    assert found.shape == images.shape
    assert found.dtype == torch.float32
    assert found.min() >= 0
    assert found.max() <= 1
    assert torch.equal(images, before)
    assert torch.equal(corrupt(name, images, ids, severity, seed), found)
    # Matrix products of another batch size may round differently on some machines.
    shuffled = torch.tensor(order.sample(range(n), n))
    permuted = corrupt(name, images[shuffled], ids[shuffled], severity, seed)
    torch.testing.assert_close(permuted, found[shuffled], atol=1e-6, rtol=0)
    for i in range(n):
        alone = corrupt(name, images[i : i + 1], ids[i : i + 1], severity, seed)
        torch.testing.assert_close(alone[0], found[i], atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_severity_zero_is_the_identity_and_a_copy(name: str) -> None:
    images = batch(3, 3, 28, 28, 0)
    found = corrupt(name, images, torch.arange(3), 0, seed=1)
    assert torch.equal(found, images)
    assert found.data_ptr() != images.data_ptr()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("severity", range(1, 6))
def test_every_severity_changes_the_image(name: str, severity: int) -> None:
    for channels in CORRUPTIONS[name].channels:
        images = batch(2, channels, 32, 32, 0)
        found = corrupt(name, images, torch.arange(2), severity, seed=1)
        assert ((found - images).abs().amax((1, 2, 3)) > 0.01).all()


@pytest.mark.parametrize("name", NAMES)
def test_empty_batch(name: str) -> None:
    ids = torch.empty(0, dtype=torch.int64)
    assert corrupt(name, torch.empty(0, 3, 28, 28), ids, 3, seed=0).shape == (0, 3, 28, 28)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fill", [0.0, 1.0], ids=["black", "white"])
def test_plain_images_stay_finite(name: str, fill: float) -> None:
    for severity in (1, 5):
        found = corrupt(name, torch.full((2, 3, 20, 24), fill), torch.arange(2), severity, seed=0)
        assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("name", NAMES)
def test_refused_numbers_of_channels(name: str) -> None:
    for channels in {1, 2, 3, 4} - set(CORRUPTIONS[name].channels):
        with pytest.raises(ConfigError, match=rf"{name}: expected images with .* got {channels}"):
            corrupt(name, torch.zeros(1, channels, 28, 28), torch.arange(1), 3, seed=0)


def test_only_chromatic_aberration_needs_colour() -> None:
    colour_only = [name for name in NAMES if 1 not in CORRUPTIONS[name].channels]
    assert colour_only == ["transverse-chromatic-aberration"]


def test_groups_are_those_of_the_benchmarks() -> None:
    groups = [CORRUPTIONS[name].group for name in NAMES]
    counts = {group: groups.count(group) for group in set(groups)}
    assert counts == {"common": 15, "extra": 4, "mnist-c": 10, "c-bar": 10}


@pytest.mark.parametrize("name", NAMES)
def test_channels_last_makes_no_difference(name: str) -> None:
    images = batch(3, 3, 32, 32, 0)
    strided = images.to(memory_format=torch.channels_last)
    plain = corrupt(name, images, torch.arange(3), 3, seed=0)
    found = corrupt(name, strided, torch.arange(3), 3, seed=0)
    torch.testing.assert_close(found, plain, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", [n for n in NAMES if CORRUPTIONS[n].differentiable])
def test_gradient_is_that_of_the_formula(name: str) -> None:
    corruption = CORRUPTIONS[name]
    # No two values are equal, as a maximum of equal values has no gradient.
    images = 0.1 + 0.8 * torch.randperm(180, generator=torch.Generator().manual_seed(0)) / 180
    images = images.double().view(2, 3, 6, 5).requires_grad_()
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([corruption.draw((3, 6, 5), generator) for _ in range(2)]).double()
    level = parameters(name, 3, height=6, width=5, channels=3)
    formula = partial(corruption.apply, draws=draws, parameters=level)
    assert torch.autograd.gradcheck(formula, images, fast_mode=True)


def test_what_has_no_gradient() -> None:
    without = {name for name in NAMES if not CORRUPTIONS[name].differentiable}
    assert without == {"shot-noise", "jpeg-compression", "quantize", "canny-edges"}


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"ids": 1}, {"severity": 4}], ids=["seed", "image id", "severity"]
)
def test_noise_is_keyed_by_seed_image_and_severity(changes: dict[str, int]) -> None:
    grey = torch.full((1, 1, 32, 32), 0.5)

    def noise(seed: int = 0, ids: int = 0, severity: int = 3) -> Tensor:
        found = corrupt("gaussian-noise", grey, torch.tensor([ids]), severity, seed) - 0.5
        return found / found.std()

    assert (noise() - noise(**changes)).abs().mean() > 0.5


def test_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    corrupt("gaussian-noise", batch(2, 1, 28, 28, 0), torch.arange(2), 3, seed=0)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"name": "gausian-blur"}, ConfigError, "did you mean 'gaussian-blur'"),
        ({"severity": 6}, ConfigError, r"0 \(clean\) to 5, got 6"),
        ({"severity": -1}, ConfigError, r"0 \(clean\) to 5, got -1"),
        ({"images": torch.rand(3, 64)}, ConfigError, "not feature vectors"),
        ({"images": torch.zeros(3, 1, 8, 8, dtype=torch.uint8)}, ConfigError, "float images"),
        ({"image_ids": torch.arange(2)}, ConfigError, "one image id per image"),
        ({"images": torch.full((3, 1, 8, 8), 1.5)}, DataError, r"values in \[0, 1\]"),
        ({"images": torch.full((3, 1, 8, 8), torch.nan)}, DataError, r"values in \[0, 1\]"),
    ],
)
def test_bad_input_is_refused(
    changes: dict[str, object], error: type[Exception], reason: str
) -> None:
    arguments: dict[str, object] = {
        "name": "contrast",
        "images": torch.rand(3, 1, 28, 28),
        "image_ids": torch.arange(3),
        "severity": 1,
        "seed": 0,
    }
    with pytest.raises(error, match=reason):
        corrupt(**(arguments | changes))


def test_registering_a_taken_name_is_refused() -> None:
    class Impostor(Corruption):
        name = "contrast"
        summary = "is not contrast"
        group = "common"

        def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
            return images

    with pytest.raises(ConfigError, match="two corruptions are called 'contrast'"):
        register(Impostor)


@pytest.mark.parametrize("name", NAMES)
def test_entry_describes_itself(name: str) -> None:
    corruption = CORRUPTIONS[name]
    assert corruption.name == name
    assert corruption.summary
    assert corruption.version >= 1

"""Corrupt images so that one image is corrupted the same way wherever it appears."""

import torch
from torch import Tensor

from metarobust.core.errors import ConfigError, DataError
from metarobust.core.seeds import generator
from metarobust.corruptions.base import CORRUPTIONS
from metarobust.corruptions.severities import parameters


def corrupt(name: str, images: Tensor, image_ids: Tensor, severity: int, seed: int) -> Tensor:
    """Corrupt a batch of images at a published severity.

    The random numbers of an image depend on (seed, name, severity, image id) and on nothing else:
    not on the batch, the episode, the learner, the surface or the device. Values stay float: the
    8-bit truncation of the published generators, which darkens by 0.47 / 255 on average, is left
    out.

    Args:
        name: a name in `CORRUPTIONS`.
        images: floating point [n, C, H, W] in [0, 1]; left unchanged.
        image_ids: data-set row of each image, int64 [n].
        severity: 0 (the identity, bit for bit) to 5.
        seed: the root of the seed tree.

    Returns:
        New images [n, C, H, W] in [0, 1], in the dtype and on the device of `images`.

    Raises:
        ConfigError: an unknown name, a severity outside 0 to 5, inputs that are not images, or
            images with a number of channels for which the corruption is not defined.
        DataError: values outside [0, 1] or not finite.
    """
    corruption = CORRUPTIONS[name]
    _check(name, images, image_ids, severity)
    if severity == 0 or len(images) == 0:
        return images.clone()
    shape = tuple(images.shape[1:])
    channels, height, width = shape
    level = parameters(name, severity, height=height, width=width, channels=channels)
    draws = torch.stack(
        [
            corruption.draw(shape, generator(seed, "corruption", name, severity, image_id))
            for image_id in image_ids.tolist()
        ]
    )
    return corruption.apply(images, draws.to(images.device), level).clamp(0, 1)


def _check(name: str, images: Tensor, image_ids: Tensor, severity: int) -> None:
    if severity not in range(6):
        raise ConfigError(f"{name}: expected a severity of 0 (clean) to 5, got {severity}")
    if images.ndim != 4 or not images.is_floating_point():
        raise ConfigError(
            f"{name}: expected float images [n, C, H, W], got {images.dtype} "
            f"{list(images.shape)}; corruptions need images, not feature vectors"
        )
    channels = CORRUPTIONS[name].channels
    if images.shape[1] not in channels:
        raise ConfigError(
            f"{name}: expected images with {' or '.join(map(str, channels))} channels, got "
            f"{images.shape[1]}; leave this corruption out for this data set"
        )
    if image_ids.shape != images.shape[:1]:
        raise ConfigError(
            f"{name}: expected one image id per image, got {list(image_ids.shape)} ids "
            f"for {len(images)} images"
        )
    if len(images) and not (images.min() >= 0 and images.max() <= 1):
        raise DataError(
            f"{name}: expected values in [0, 1], got {images.min():.3g} to {images.max():.3g}; "
            "a normalisation belongs inside the learner"
        )

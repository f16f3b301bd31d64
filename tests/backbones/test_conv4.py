"""Conv4 takes images of any size and number of channels."""

import pytest
import torch

from metarobust.backbones.conv4 import Conv4
from metarobust.core.normalisation import BatchStatistics, running_statistics


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    ("height", "width", "features"),
    [(1, 1, 4), (3, 8, 4), (15, 16, 4), (28, 28, 4), (32, 64, 4 * 2 * 4), (84, 84, 4 * 5 * 5)],
)
def test_features_have_the_announced_size(channels, height, width, features):
    net = Conv4((channels, height, width), width=4)
    x = torch.rand(3, channels, height, width, generator=torch.Generator().manual_seed(0))
    assert net.feature_dim == features
    for statistics in (BatchStatistics(), running_statistics(net)):
        assert net(x, statistics).shape == (3, features)

"""ResNet-12, the residual network of few-shot learning."""

from torch import Tensor, nn
from torch.nn import functional as F

from metarobust.backbones.convolution import NormalisedConvolution, as_channels_last
from metarobust.backbones.registry import BACKBONES
from metarobust.core.errors import ConfigError
from metarobust.core.normalisation import Statistics
from metarobust.core.option_checks import check_at_least

_SLOPE = 0.1
_MULTIPLES = (1.0, 2.5, 5.0, 10.0)


class ResidualBlock(nn.Module):
    """Three 3x3 convolutions beside a 1x1 shortcut, each normalised; leaky ReLU; 2x2 max-pooling.

    Args:
        channels_in: of the images that come.
        channels_out: of the images that go.
        slot: of the first of its four normalisation layers.
    """

    def __init__(self, channels_in: int, channels_out: int, slot: int) -> None:
        super().__init__()
        self.first = NormalisedConvolution(channels_in, channels_out, slot)
        self.second = NormalisedConvolution(channels_out, channels_out, slot + 1)
        self.third = NormalisedConvolution(channels_out, channels_out, slot + 2)
        self.shortcut = NormalisedConvolution(channels_in, channels_out, slot + 3, side=1)

    def forward(self, x: Tensor, statistics: Statistics) -> Tensor:
        """Map [n, C_in, H, W] to [n, C_out, H // 2, W // 2]."""
        y = F.leaky_relu(self.first(x, statistics), _SLOPE)
        y = F.leaky_relu(self.second(y, statistics), _SLOPE)
        y = self.third(y, statistics) + self.shortcut(x, statistics)
        return F.max_pool2d(F.leaky_relu(y, _SLOPE), 2)


@BACKBONES.register("resnet12")
class ResNet12(nn.Module):
    """Four residual blocks and global average pooling (Lee et al. 2019, MetaOptNet; no dropout).

    Args:
        input_shape: (C, H, W) of one image; sides of at least 16 pixels.
        width: channels of the first block; the others have 2.5, 5 and 10 times as many. The paper's
            is 64; the default is small, for a CPU.

    Raises:
        ConfigError: the input is not an image, or too small for four poolings; or the width is not
            positive.
    """

    def __init__(self, input_shape: tuple[int, ...], *, width: int = 16) -> None:
        super().__init__()
        if len(input_shape) != 3 or min(input_shape[1:]) < 16:
            raise ConfigError(
                f"expected images [C, H, W] of at least 16x16, got {list(input_shape)}; "
                "resize the data set or use the backbone mlp"
            )
        check_at_least("width", width, 1)
        channels = [input_shape[0], *(int(width * multiple) for multiple in _MULTIPLES)]
        self.blocks = nn.ModuleList(
            ResidualBlock(channels[i], channels[i + 1], 4 * i) for i in range(4)
        )
        self.feature_dim = channels[-1]

    def forward(self, x: Tensor, statistics: Statistics) -> Tensor:
        """Embed images [n, C, H, W] as features [n, feature_dim]."""
        x = as_channels_last(x)
        for block in self.blocks:
            x = block(x, statistics)
        return x.mean((2, 3))

"""Conv4, the four-block convolutional network of few-shot learning."""

import math

from torch import Tensor, nn
from torch.nn import functional as F

from metarobust.backbones.convolution import NormalisedConvolution, as_channels_last
from metarobust.backbones.registry import BACKBONES
from metarobust.core.errors import ConfigError
from metarobust.core.normalisation import Statistics
from metarobust.core.option_checks import check_at_least


class ConvBlock(NormalisedConvolution):
    """3x3 convolution without bias, batch normalisation, 2x2 max-pooling, ReLU.

    Pooling before the ReLU gives the values and gradients of the usual order on a quarter of the
    pixels.
    """

    def forward(self, x: Tensor, statistics: Statistics) -> Tensor:
        """Map [n, C_in, H, W] to [n, C_out, H // 2, W // 2]; a side of 1 stays 1."""
        height, width = x.shape[-2:]
        return F.relu(F.max_pool2d(super().forward(x, statistics), (min(height, 2), min(width, 2))))


@BACKBONES.register("conv4")
class Conv4(nn.Module):
    """Four `ConvBlock`s and a flattening (Vinyals et al. 2016; Snell et al. 2017).

    Args:
        input_shape: (C, H, W) of one image, of any size; a side below 16 pixels ends as 1.
        width: channels of every block; 32 and 64 are usual.

    Raises:
        ConfigError: the input is not an image, or the width not positive.
    """

    def __init__(self, input_shape: tuple[int, ...], *, width: int = 64) -> None:
        super().__init__()
        if len(input_shape) != 3:
            raise ConfigError(
                f"expected images [C, H, W], got inputs of shape {list(input_shape)}; "
                "use the backbone mlp"
            )
        check_at_least("width", width, 1)
        channels, height, rest = input_shape[0], input_shape[1], input_shape[2]
        self.blocks = nn.ModuleList(
            ConvBlock(channels if slot == 0 else width, width, slot) for slot in range(4)
        )
        self.feature_dim = width * math.prod(max(side // 16, 1) for side in (height, rest))

    def forward(self, x: Tensor, statistics: Statistics) -> Tensor:
        """Embed images [n, C, H, W] as features [n, feature_dim]."""
        x = as_channels_last(x)
        for block in self.blocks:
            x = block(x, statistics)
        return x.flatten(1)

"""An ordinary torch network as a backbone: forward(x) -> features, with BatchNorm and dropout.

This is the shape of the encoders of learn2learn (`CNN4Backbone`), easyfsl (`resnet12`) and timm
(`create_model(name, num_classes=0)`): to use one of those, return it from `encoder` instead.
"""

from torch import Tensor, nn


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images to images of the same size."""
        return nn.functional.relu(x + self.body(x))


def encoder(input_shape: tuple[int, ...], *, width: int = 16, blocks: int = 2) -> nn.Module:
    """Build the network; `input_shape` is (C, H, W), the other arguments are options."""
    return nn.Sequential(
        nn.Conv2d(input_shape[0], width, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        *(Residual(width) for _ in range(blocks)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.1),
    )

"""AlexNet for images of 32 pixels, of the fifth source coursework (UAM, 2022): 6,199,498 parameters.

The five convolutions and three linear layers of Krizhevsky, Sutskever and Hinton (ImageNet Classification with
Deep Convolutional Neural Networks, 2012), with half of its channels or fewer and 2×2 poolings. Not here: the
network at 224 pixels.
"""

from torch import Tensor, nn

from labkit.arithmetic.tracing import trace
from labkit.models import check_dropout, register


@register("alexnet")
class AlexNet(nn.Module):
    """Five convolutions and three linear layers. Introduced in lab 09.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.
        image_size: height and width of the images in pixels, at least 15.
        dropout: chance that a unit of the two hidden layers is turned off in training, in [0, 1).

    Raises:
        ConfigError: a setting out of range, or images that are too small.
    """

    def __init__(self, in_channels, num_classes, image_size, *, dropout=0.0):
        super().__init__()
        check_dropout(dropout)
        self.features = nn.Sequential(
            *_conv(in_channels, 48, kernel_size=5, stride=2, pool=True),
            *_conv(48, 128, kernel_size=5, pool=True),
            *_conv(128, 192, kernel_size=3),
            *_conv(192, 192, kernel_size=3),
            *_conv(192, 128, kernel_size=3, pool=True),
            nn.Flatten(),
        )
        units = trace(self.features, image_size, in_channels).out_shape[0]
        self.hidden = nn.Sequential(
            nn.Linear(units, 2048),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(2048, 2048),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.output = nn.Linear(2048, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, num_classes), of images (B, in_channels, image_size, image_size)."""
        return self.with_features(x)[0]

    def with_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return (logits, features), as the source's listing does: features are the maps in a row, (B, units)."""
        features = self.features(x)  # (B, 128 * h * w)
        return self.output(self.hidden(features)), features


def _conv(in_channels: int, out_channels: int, *, kernel_size: int, stride: int = 1, pool: bool = False) -> list:
    """Return a convolution with the padding that keeps the size (at stride 1), a pooling if asked for, and ReLU."""
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2)
    return [conv, *([nn.MaxPool2d(2)] if pool else []), nn.ReLU()]

"""The VGG networks (Simonyan and Zisserman, Very Deep Convolutional Networks, 2015), from the tables of hand_count.py.

"D" is VGG-16 and "E" VGG-19. With a pooling of 7 and hidden layers of 4,096 they are torchvision's networks, number
for number. For images of 32 pixels the last map is 1 × 1: a pooling of 1 and hidden layers of 512 are enough.
"""

from typing import Any

from torch import Tensor, nn

from labkit.arithmetic import layers
from labkit.arithmetic.hand_count import VGG as TABLES
from labkit.base.checks import whole
from labkit.base.errors import ConfigError, unknown
from labkit.models import check_dropout, register
from labkit.models.parts import MeanPool, make_activation

SMALLEST = 32  # pixels: five poolings halve the size


@register("vgg")
class VGG(nn.Module):
    """Blocks of 3×3 convolutions and poolings, two hidden layers and the output layer. Introduced in lab 11.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.
        image_size: height and width of the images in pixels, at least 32.
        letter: the configuration, "A" to "E" or "A-LRN".
        batch_norm: whether batch normalisation follows each convolution.
        pool: windows a side that the last maps are averaged into, at least 1.
        hidden: units of each of the two hidden layers.
        dropout: chance that a hidden unit is turned off in training, in [0, 1).
        activation: its name, see `labkit.models.parts`.

    Raises:
        ConfigError: a setting out of range, or images that are too small.
    """

    def __init__(
        self,
        in_channels,
        num_classes,
        image_size,
        *,
        letter="D",
        batch_norm=False,
        pool=1,
        hidden=512,
        dropout=0.5,
        activation="relu",
    ):
        super().__init__()
        check_dropout(dropout)
        whole("pool", pool, 1)
        whole("hidden", hidden, 1)
        if letter not in TABLES:
            raise unknown("VGG configuration", letter, TABLES)
        if image_size < SMALLEST:
            raise ConfigError(f"VGG's five poolings need images of at least {SMALLEST} pixels, got {image_size}.")
        self.features = make_features(in_channels, letter, batch_norm, activation)
        self.pool = MeanPool(pool)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(512 * pool * pool, hidden),
            make_activation(activation),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            make_activation(activation),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )
        for layer in self.modules():  # without it sixteen layers do not start to learn
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, num_classes), of images (B, in_channels, H, W)."""
        x = self.pool(self.features(x))  # (B, 512, pool, pool)
        return self.classifier(x)


def make_features(in_channels: int, letter: str, batch_norm: bool, activation: str) -> nn.Sequential:
    """Return the convolutions and poolings of a column of the paper's table."""
    made = []
    for layer in TABLES[letter]:
        if isinstance(layer, layers.Conv):
            kernel_size: Any = layer.kernel_size
            made.append(nn.Conv2d(in_channels, layer.out_channels, kernel_size, padding=kernel_size // 2))
            in_channels = layer.out_channels
            if batch_norm:
                made.append(nn.BatchNorm2d(in_channels))
        elif isinstance(layer, layers.ReLU):
            made.append(make_activation(activation))
        elif isinstance(layer, layers.LocalResponseNorm):
            made.append(nn.LocalResponseNorm(layer.size))
        elif isinstance(layer, layers.Pool):
            made.append(nn.MaxPool2d(2))
        else:
            break  # the linear layers of the table are those of 224 pixels and 1,000 classes
    return nn.Sequential(*made)

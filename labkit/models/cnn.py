"""The small convolutional network of the first source coursework (U. de Chile, 2021).

Blocks of a 3×3 convolution, a 2×2 max pooling and ReLU, with 16, 32, 64 and 128 channels; then one hidden layer
of 50 with dropout, and the output layer. With three blocks and no padding at 32×32×3 it has 36,944 parameters,
which fits the "about 37,000" that the source reports; the source does not state its widths.
"""

from torch import Tensor, nn

from labkit.arithmetic.tracing import trace
from labkit.base.checks import whole
from labkit.base.errors import ConfigError
from labkit.models import check_dropout, register

WIDTHS = (16, 32, 64, 128)  # output channels of each block


@register("cnn")
class CNN(nn.Module):
    """Convolution blocks, a hidden layer with dropout, and the output layer. Introduced in lab 03.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.
        image_size: height and width of the images in pixels.
        blocks: number of convolution blocks, 1 to 4; four without padding need images of at least 46 pixels.
        hidden: units of the hidden layer.
        dropout: chance that a hidden unit is turned off in training, in [0, 1).
        padding: pixels of zeros around each map before its convolution, 0 or 1, or "same", which keeps its size.
        kernel_size: of the convolutions, an odd number.

    Raises:
        ConfigError: a setting out of range, or too many blocks for the image size.
    """

    def __init__(
        self, in_channels, num_classes, image_size, *, blocks=2, hidden=50, dropout=0.5, padding=0, kernel_size=3
    ):
        super().__init__()
        check_dropout(dropout)
        self.features = conv_blocks(in_channels, blocks, padding, kernel_size)
        channels, height, width = trace(self.features, image_size, in_channels).out_shape
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * height * width, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, num_classes), of images (B, in_channels, image_size, image_size)."""
        x = self.features(x)  # (B, width, size, size)
        return self.classifier(x)  # (B, num_classes)


def conv_blocks(in_channels: int, blocks: int, padding: int | str = 0, kernel_size: int = 3) -> nn.Sequential:
    """Return blocks of a convolution, a 2×2 max pooling and ReLU; raise `ConfigError` for a wrong setting.

    Papers write ReLU before the pooling. Both orders give the same numbers to the last bit, forward and backward,
    because the largest of four stays the largest; pooling first leaves ReLU a quarter of the work.
    """
    if blocks not in range(1, len(WIDTHS) + 1):
        raise ConfigError(f"blocks must be 1 to {len(WIDTHS)}, got {blocks!r}.")
    if padding not in (0, 1, "same"):
        raise ConfigError(f'padding must be 0, 1 or "same", got {padding!r}.')
    if whole("kernel_size", kernel_size, 1) % 2 == 0:
        raise ConfigError(f"kernel_size must be odd, got {kernel_size}: an even one has no middle.")
    around = (kernel_size - 1) // 2 if padding == "same" else int(padding)
    layers = []
    for channels, width in zip((in_channels, *WIDTHS), WIDTHS[:blocks], strict=False):
        layers += [nn.Conv2d(channels, width, kernel_size, padding=around), nn.MaxPool2d(2), nn.ReLU()]
    return nn.Sequential(*layers)

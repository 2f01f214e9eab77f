"""The small convolutional network of the first source coursework (U. de Chile, 2021).

One to three blocks of a 3×3 convolution without padding, ReLU and a 2×2 max pooling, with 16, 32 and 64
channels; then one hidden layer of 50 with dropout, and the output layer. With three blocks at 32×32×3 it has
36,944 parameters, which fits the "about 37,000" that the source reports; the source does not state its widths.
"""

from torch import Tensor, nn

from labkit.errors import ConfigError
from labkit.models import register
from labkit.sizes import conv_out, pool_out

WIDTHS = (16, 32, 64, 128)  # output channels of each block


@register("cnn")
class CNN(nn.Module):
    """Convolution blocks, a hidden layer with dropout, and the output layer. Introduced in lab 03.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.
        image_size: height and width of the images in pixels.
        blocks: number of convolution blocks, 1 to 4; four need images of at least 46 pixels.
        hidden: units of the hidden layer.
        dropout: chance that a hidden unit is turned off in training, in [0, 1).

    Raises:
        ConfigError: a setting out of range, or too many blocks for the image size.
    """

    def __init__(self, in_channels, num_classes, image_size, *, blocks=2, hidden=50, dropout=0.5):
        super().__init__()
        if blocks not in range(1, len(WIDTHS) + 1):
            raise ConfigError(f"blocks must be 1 to {len(WIDTHS)}, got {blocks!r}.")
        if not 0 <= dropout < 1:
            raise ConfigError(f"dropout must be in [0, 1), got {dropout!r}.")
        size = _map_size(image_size, blocks)
        layers = []
        for channels, width in zip((in_channels, *WIDTHS), WIDTHS[:blocks], strict=False):
            layers += [nn.Conv2d(channels, width, kernel_size=3), nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(WIDTHS[blocks - 1] * size * size, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, num_classes), of images (B, in_channels, image_size, image_size)."""
        x = self.features(x)  # (B, width, size, size)
        return self.classifier(x)  # (B, num_classes)


def _map_size(image_size: int, blocks: int) -> int:
    """Return the size of the last feature map; say which block does not fit, and what would."""
    size = image_size
    for block in range(1, blocks + 1):
        try:
            size = pool_out(conv_out(size, kernel_size=3), kernel_size=2)
        except ConfigError:
            least = 1
            for _ in range(blocks):
                least = 2 * least + 2  # what a block needs to give `least` pixels
            raise ConfigError(
                f"Block {block} of the cnn does not fit: it would get maps of {size} x {size} pixels, and a "
                f"3 x 3 convolution without padding and a 2 x 2 pooling need at least 4 x 4. "
                f"{blocks} blocks take images of at least {least} pixels; at {image_size} pixels use at most "
                f"{block - 1} blocks."
            ) from None
    return size

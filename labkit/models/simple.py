"""The network of the fifth source coursework for MNIST (UAM, 2022): 813,802 parameters at 28 pixels in grey.

Two 3×3 convolutions of 32 channels that keep the size, one 2×2 max pooling, a hidden layer of 128, the output layer.
"""

from torch import Tensor, nn

from labkit.arithmetic.tracing import trace
from labkit.base.checks import whole
from labkit.models import register


@register("simple")
class SimpleCNN(nn.Module):
    """Two convolutions, one pooling, a hidden layer and the output layer. Introduced in lab 08.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.
        image_size: height and width of the images in pixels, at least 2.
        hidden: units of the hidden layer; 0 leaves that layer out, so that the maps go straight to the logits.

    Raises:
        ConfigError: a negative number of units, or images that are too small.
    """

    def __init__(self, in_channels, num_classes, image_size, *, hidden=128):
        super().__init__()
        whole("hidden", hidden, 0)
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 32, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, kernel_size=3, padding=1),
            nn.MaxPool2d(2),  # before ReLU: the same numbers, and a quarter of the work for ReLU
            nn.ReLU(),
            nn.Flatten(),
        )
        units = trace(self.features, image_size, in_channels).out_shape[0]
        if hidden:
            self.hidden = nn.Sequential(nn.Linear(units, hidden), nn.ReLU())
            units = hidden
        else:
            self.hidden = nn.Identity()
        self.output = nn.Linear(units, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, num_classes), of images (B, in_channels, image_size, image_size)."""
        x = self.features(x)  # (B, 32 * (image_size / 2) ** 2)
        x = self.hidden(x)  # (B, hidden)
        return self.output(x)  # (B, num_classes)

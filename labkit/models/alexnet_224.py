"""AlexNet for images of 224 pixels, as torchvision has it, number for number.

After Krizhevsky, One Weird Trick for Parallelizing Convolutional Neural Networks (2014), the later form of the network
of 2012. Not here: the small one for 32 pixels (alexnet.py).
"""

from torch import Tensor, nn

from labkit.base.errors import ConfigError
from labkit.models import check_dropout, register
from labkit.models.parts import MeanPool

SMALLEST = 63  # pixels: one place is left after the last pooling


@register("alexnet-224")
class AlexNet224(nn.Module):
    """Five convolutions, a mean into 6 × 6 windows, two hidden layers of 4,096. Introduced in lab 11.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.
        image_size: height and width of the images in pixels, at least 63.
        dropout: chance that a hidden unit is turned off in training, in [0, 1).

    Raises:
        ConfigError: a setting out of range, or images that are too small.
    """

    def __init__(self, in_channels, num_classes, image_size, *, dropout=0.5):
        super().__init__()
        check_dropout(dropout)
        if image_size < SMALLEST:
            raise ConfigError(
                f"alexnet-224 needs images of at least {SMALLEST} pixels, got {image_size}. "
                'The network "alexnet" is for small ones.'
            )
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 64, kernel_size=11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
        )
        self.pool = MeanPool(6)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, num_classes), of images (B, in_channels, H, W)."""
        x = self.pool(self.features(x))  # (B, 256, 6, 6)
        return self.classifier(x)  # (B, num_classes)

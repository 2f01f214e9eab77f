"""The small networks of two sources, as far as they are described.

"netconv": UdeSA, 2023, "the class example with LeakyReLU everywhere". The class example is not shown; taken is the one
of PyTorch's CIFAR-10 tutorial (LeNet's shape, after LeCun and others, 1998): 62,006 parameters.
"cnn4": URJC, "four convolutions, two dense layers, softmax". The widths are not stated; taken are 32, 32, 64, 64 and
512 (Keras's CIFAR-10 example).
"""

from torch import Tensor, nn

from labkit.arithmetic.tracing import trace
from labkit.models import check_dropout, register
from labkit.models.parts import make_activation


@register("netconv")
class NetConv(nn.Module):
    """Two 5×5 convolutions with poolings, two hidden layers, the output layer. Introduced in lab 11.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.
        image_size: height and width of the images in pixels, at least 16.
        activation: its name, see `labkit.models.parts`.
        dropout: chance that a hidden unit is turned off in training, in [0, 1).
        batch_norm: whether batch normalisation follows each convolution.

    Raises:
        ConfigError: a setting out of range, or images that are too small.
    """

    def __init__(self, in_channels, num_classes, image_size, *, activation="leaky_relu", dropout=0.0, batch_norm=False):
        super().__init__()
        check_dropout(dropout)
        act = [make_activation(activation) for _ in range(4)]
        norms = [nn.BatchNorm2d(width) if batch_norm else nn.Identity() for width in (6, 16)]
        convs = nn.Conv2d(in_channels, 6, kernel_size=5), nn.Conv2d(6, 16, kernel_size=5)
        pools = nn.MaxPool2d(2), nn.MaxPool2d(2)
        units = trace([convs[0], pools[0], convs[1], pools[1], nn.Flatten()], image_size, in_channels).out_shape[0]
        self.features = nn.Sequential(
            convs[0], norms[0], act[0], pools[0], convs[1], norms[1], act[1], pools[1], nn.Flatten()
        )
        self.classifier = nn.Sequential(
            nn.Linear(units, 120),
            act[2],
            nn.Dropout(dropout),
            nn.Linear(120, 84),
            act[3],
            nn.Dropout(dropout),
            nn.Linear(84, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, num_classes), of images (B, in_channels, image_size, image_size)."""
        return self.classifier(self.features(x))  # (B, units) -> (B, num_classes)


@register("cnn4")
class CNN4(nn.Module):
    """Four convolutions in two blocks, one hidden layer, the output layer. Introduced in lab 13.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.
        image_size: height and width of the images in pixels, at least 10.
        dropout: chance that a hidden unit is turned off in training, in [0, 1).

    Raises:
        ConfigError: a setting out of range, or images that are too small.
    """

    def __init__(self, in_channels, num_classes, image_size, *, dropout=0.5):
        super().__init__()
        check_dropout(dropout)
        layers = []
        for channels, width in ((in_channels, 32), (32, 64)):
            layers += [nn.Conv2d(channels, width, kernel_size=3, padding=1), nn.ReLU()]
            layers += [nn.Conv2d(width, width, kernel_size=3), nn.MaxPool2d(2), nn.ReLU()]
        self.features = nn.Sequential(*layers, nn.Flatten())
        units = trace(self.features, image_size, in_channels).out_shape[0]
        self.classifier = nn.Sequential(
            nn.Linear(units, 512), nn.ReLU(), nn.Dropout(dropout), nn.Linear(512, num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, num_classes), of images (B, in_channels, image_size, image_size)."""
        return self.classifier(self.features(x))  # (B, units) -> (B, num_classes)

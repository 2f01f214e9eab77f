"""A small network whose kernels can be chosen, for the third source (ITBA): their size, their dilation, their number.

The source varies batch size, input size, output channels and kernel size, and dilates; it does not state its network.
Taken are three blocks of a convolution, a 2×2 max pooling and ReLU, then the mean of each map and the output layer: so
the number of parameters does not depend on the size of the image.
"""

from torch import Tensor, nn

from labkit.arithmetic.tracing import trace
from labkit.base.checks import whole
from labkit.models import register


@register("kernels")
class Kernels(nn.Module):
    """Three convolutions with poolings, the mean of each map, the output layer. Introduced in lab 14.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.
        image_size: height and width of the images in pixels.
        channels: output channels of the first convolution; the next two have twice and four times as many.
        kernel_size: height and width of each kernel, at least 1.
        dilation: distance between two pixels that a kernel looks at, in pixels; 1 is a plain convolution.
        blocks: number of blocks, at least 1.

    Raises:
        ConfigError: a setting out of range, or images that are too small for these kernels.
    """

    def __init__(self, in_channels, num_classes, image_size, *, channels=16, kernel_size=3, dilation=1, blocks=3):
        super().__init__()
        for name, value in (("channels", channels), ("dilation", dilation), ("blocks", blocks)):
            whole(name, value, 1)
        layers, width, images_in = [], channels, in_channels
        for _ in range(blocks):
            # padding of half a window keeps the size, to one pixel
            padding = dilation * (whole("kernel_size", kernel_size, 1) - 1) // 2
            layers += [nn.Conv2d(in_channels, width, kernel_size, padding=padding, dilation=dilation)]
            layers += [nn.MaxPool2d(2), nn.ReLU()]
            in_channels, width = width, 2 * width
        self.features = nn.Sequential(*layers)
        trace(self.features, image_size, images_in)  # raises where the images are too small
        self.output = nn.Linear(in_channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, num_classes), of images (B, in_channels, H, W)."""
        x = self.features(x)  # (B, channels * 4, h, w)
        return self.output(x.mean(dim=(2, 3)))  # (B, channels * 4) -> (B, num_classes)

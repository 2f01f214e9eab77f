"""A network without fully connected layers, of the first source coursework (U. de Chile, 2021).

The convolution blocks of cnn.py, then a 1×1 convolution that makes one map a class; the mean of each map is
the logit of its class (Lin, Chen and Yan, Network In Network, 2014). With three blocks it has 24,234 parameters
at 3 channels and 10 classes, whatever the size of the image. The maps themselves show where a class is seen
(Zhou et al., Learning Deep Features for Discriminative Localization, 2016).
"""

from torch import Tensor, nn

from labkit.arithmetic.tracing import trace
from labkit.models import register
from labkit.models.cnn import conv_blocks


@register("gap")
class GapNet(nn.Module):
    """Convolution blocks, one map a class, and the mean of each map. Introduced in lab 07.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.
        image_size: height and width in pixels, checked once; the network takes any size from the smallest on.
        blocks: number of convolution blocks, 1 to 4.
        padding, kernel_size: of the convolutions, as in "cnn".

    Raises:
        ConfigError: a setting out of range, or images that are too small.
    """

    def __init__(self, in_channels, num_classes, image_size, *, blocks=3, padding=0, kernel_size=3):
        super().__init__()
        self.features = conv_blocks(in_channels, blocks, padding, kernel_size)
        channels = trace(self.features, image_size, in_channels).out_shape[0]
        self.to_maps = nn.Conv2d(channels, num_classes, kernel_size=1)

    def maps(self, x: Tensor) -> Tensor:
        """Return one map a class, (B, num_classes, h, w): where the network sees it, in units of the logits."""
        return self.to_maps(self.features(x))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, num_classes), of images (B, in_channels, H, W) of any size that fits."""
        return self.maps(x).mean(dim=(2, 3))  # (B, num_classes, h, w) -> (B, num_classes)

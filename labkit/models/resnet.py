"""ResNet with basic blocks (He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition, 2016).

[2, 2, 2, 2] blocks are ResNet-18, [3, 4, 6, 3] are ResNet-34. With the ImageNet stem both are torchvision's networks,
number for number; the CIFAR stem keeps images of 32 pixels from being shrunk at once. Not here: bottleneck blocks.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from labkit.base.checks import whole
from labkit.base.errors import ConfigError
from labkit.models import register
from labkit.models.parts import check_stem, make_activation

STAGES = 4  # each has twice the channels of the one before
SMALLEST = {"cifar": 8, "imagenet": 32}  # pixels: one place is left after the last stage


@register("resnet")
class ResNet(nn.Module):
    """Four stages of residual blocks, the mean of each map, and the output layer. Introduced in lab 11.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.
        image_size: height and width of the images in pixels.
        blocks: number of blocks of each of the four stages, each at least 1.
        width: channels of the first stage; the networks of the paper have 64.
        stem: "cifar", a 3×3 convolution; or "imagenet", a 7×7 convolution and a pooling that shrink to a quarter.
        skip: whether a block adds its input to its output; without, it is a plain deep network.
        batch_norm: whether batch normalisation follows each convolution.
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
        blocks=(2, 2, 2, 2),
        width=64,
        stem="cifar",
        skip=True,
        batch_norm=True,
        activation="relu",
    ):
        super().__init__()
        check_stem(stem, image_size, SMALLEST)
        whole("width", width, 1)
        if not isinstance(blocks, Sequence) or len(blocks) != STAGES:
            raise ConfigError(f"blocks needs four numbers, one a stage, such as [2, 2, 2, 2], got {blocks!r}.")
        for number in blocks:
            whole("each number of blocks", number, 1)
        how = {"skip": skip, "batch_norm": batch_norm, "activation": activation}
        self.stem = make_stem(in_channels, width, stem, batch_norm, activation)
        self.stages = nn.Sequential(*make_stages(blocks, width, how))
        self.output = nn.Linear(width * 8, num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, num_classes), of images (B, in_channels, H, W)."""
        x = self.stages(self.stem(x))  # (B, 8 * width, h, w)
        return self.output(x.mean(dim=(2, 3)))  # (B, 8 * width) -> (B, num_classes)


class Block(nn.Module):
    """Two 3×3 convolutions, and the input added to what comes out of them."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, *, skip: bool, batch_norm: bool, activation):
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride, batch_norm)
        self.norm1 = nn.BatchNorm2d(out_channels) if batch_norm else nn.Identity()
        self.conv2 = conv3x3(out_channels, out_channels, 1, batch_norm)
        self.norm2 = nn.BatchNorm2d(out_channels) if batch_norm else nn.Identity()
        self.activation, self.skip = make_activation(activation), skip
        self.shortcut = nn.Identity()
        if skip and (stride != 1 or in_channels != out_channels):  # the input must get the shape of the output
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=not batch_norm),
                nn.BatchNorm2d(out_channels) if batch_norm else nn.Identity(),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (B, out_channels, h, w) of maps (B, in_channels, H, W)."""
        out = self.activation(self.norm1(self.conv1(x)))
        out = self.norm2(self.conv2(out))
        return self.activation(out + self.shortcut(x) if self.skip else out)


def conv3x3(in_channels: int, out_channels: int, stride: int, batch_norm: bool) -> nn.Conv2d:
    """Return a 3×3 convolution that keeps the size at stride 1; batch normalisation has the bias then."""
    return nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=not batch_norm)


def make_stem(in_channels: int, width: int, stem: str, batch_norm: bool, activation: str) -> nn.Sequential:
    """Return the first layers: those for small images, or those of the paper."""
    norm = nn.BatchNorm2d(width) if batch_norm else nn.Identity()
    if stem == "cifar":
        return nn.Sequential(conv3x3(in_channels, width, 1, batch_norm), norm, make_activation(activation))
    first = nn.Conv2d(in_channels, width, kernel_size=7, stride=2, padding=3, bias=not batch_norm)
    pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
    return nn.Sequential(first, norm, make_activation(activation), pool)


def make_stages(blocks: Sequence[int], width: int, how: dict) -> list[nn.Sequential]:
    """Return the four stages; each but the first halves the size of the maps with its first convolution."""
    stages, channels = [], width
    for number, count in enumerate(blocks):
        stage = []
        for i in range(count):
            stride = 2 if number and i == 0 else 1
            stage.append(Block(channels, width * 2**number, stride, **how))
            channels = width * 2**number
        stages.append(nn.Sequential(*stage))
    return stages

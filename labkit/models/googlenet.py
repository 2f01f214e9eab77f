"""GoogLeNet (Szegedy and others, Going Deeper with Convolutions, 2015), with batch normalisation as torchvision has it.

An Inception module lays four kinds of windows over the same maps and puts the results side by side. Two auxiliary
heads in the middle give the early layers a loss of their own. torchvision's third branch has 3×3 windows where the
paper has 5×5; `branch_kernel=5` gives the paper's.
"""

import torch
from torch import Tensor, nn

from labkit.base.errors import unknown
from labkit.models import check_dropout, register
from labkit.models.parts import MeanPool, check_stem

# channels of the four branches: 1x1; 1x1 then 3x3; 1x1 then the third; after pooling
MODULES = {
    "3a": (64, (96, 128), (16, 32), 32),
    "3b": (128, (128, 192), (32, 96), 64),
    "4a": (192, (96, 208), (16, 48), 64),
    "4b": (160, (112, 224), (24, 64), 64),
    "4c": (128, (128, 256), (24, 64), 64),
    "4d": (112, (144, 288), (32, 64), 64),
    "4e": (256, (160, 320), (32, 128), 128),
    "5a": (256, (160, 320), (32, 128), 128),
    "5b": (384, (192, 384), (48, 128), 128),
}
SMALLEST = {"cifar": 8, "imagenet": 32}


@register("googlenet")
class GoogLeNet(nn.Module):
    """Nine Inception modules, the mean of each map, and the output layer. Introduced in lab 11.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.
        image_size: height and width of the images in pixels.
        stem: "cifar", convolutions and one pooling; or "imagenet", the paper's, which shrinks to an eighth.
        auxiliary: whether there are two auxiliary heads for training.
        branch_kernel: window of the third branch, 3 or 5.
        dropout: chance that a feature is turned off in training, in [0, 1).

    Raises:
        ConfigError: a setting out of range, or images that are too small.
    """

    def __init__(
        self, in_channels, num_classes, image_size, *, stem="cifar", auxiliary=True, branch_kernel=3, dropout=0.2
    ):
        super().__init__()
        check_dropout(dropout)
        check_stem(stem, image_size, SMALLEST)
        if branch_kernel not in (3, 5):
            raise unknown("branch_kernel", branch_kernel, (3, 5))
        self.stem = make_stem(in_channels, stem)
        made, channels = {}, 192
        for name, widths in MODULES.items():
            made[name] = Inception(channels, *widths, branch_kernel)
            channels = made[name].out_channels
        self.modules_3 = nn.Sequential(made["3a"], made["3b"], nn.MaxPool2d(3, stride=2, ceil_mode=True))
        self.module_4a = made["4a"]
        self.modules_4 = nn.Sequential(made["4b"], made["4c"], made["4d"])
        last = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.modules_5 = nn.Sequential(made["4e"], last, made["5a"], made["5b"])
        heads = (made["4a"].out_channels, made["4d"].out_channels) if auxiliary else ()
        self.auxiliary = nn.ModuleList(Auxiliary(width, num_classes) for width in heads)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, num_classes), of images (B, in_channels, H, W)."""
        return self.with_auxiliary(x)[0]

    def with_auxiliary(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return (logits, [logits of each auxiliary head]); in evaluation the heads are left out."""
        first = self.module_4a(self.modules_3(self.stem(x)))  # (B, 512, h, w)
        second = self.modules_4(first)  # (B, 528, h, w)
        x = self.modules_5(second)  # (B, 1024, h, w)
        logits = self.output(self.dropout(x.mean(dim=(2, 3))))  # (B, 1024) -> (B, num_classes)
        used = zip(self.auxiliary, (first, second), strict=False) if self.training else ()
        return logits, [head(maps) for head, maps in used]


class Inception(nn.Module):
    """Four branches over the same maps, their results side by side."""

    def __init__(self, in_channels, one, three, third, pooled, kernel):
        super().__init__()
        self.out_channels = one + three[1] + third[1] + pooled
        self.branch1 = conv(in_channels, one, 1)
        self.branch2 = nn.Sequential(conv(in_channels, three[0], 1), conv(three[0], three[1], 3))
        self.branch3 = nn.Sequential(conv(in_channels, third[0], 1), conv(third[0], third[1], kernel))
        pool = nn.MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=True)
        self.branch4 = nn.Sequential(pool, conv(in_channels, pooled, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (B, out_channels, h, w) of maps (B, in_channels, h, w)."""
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


class Auxiliary(nn.Module):
    """A small classifier over maps from the middle of the network."""

    def __init__(self, in_channels: int, num_classes: int):
        super().__init__()
        self.pool = MeanPool(4)  # any size of the maps
        self.conv = conv(in_channels, 128, 1)
        self.hidden = nn.Linear(2048, 1024)
        self.dropout = nn.Dropout(0.7)
        self.output = nn.Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, (B, num_classes), of maps (B, in_channels, h, w)."""
        x = self.conv(self.pool(x)).flatten(1)  # (B, 128, 4, 4) -> (B, 2048)
        return self.output(self.dropout(self.hidden(x).relu()))


def conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, padding: int | None = None):
    """Return a convolution that keeps the size at stride 1, batch normalisation and ReLU."""
    padding = kernel_size // 2 if padding is None else padding
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False),
        nn.BatchNorm2d(out_channels, eps=0.001),
        nn.ReLU(inplace=True),  # no second copy of the maps
    )


def make_stem(in_channels: int, stem: str) -> nn.Sequential:
    """Return the first layers, up to 192 channels."""
    large = stem == "imagenet"
    first = conv(in_channels, 64, 7, stride=2) if large else conv(in_channels, 64, 3)
    shrink = [nn.MaxPool2d(3, stride=2, ceil_mode=True)]
    return nn.Sequential(first, *(shrink if large else []), conv(64, 64, 1), conv(64, 192, 3), *shrink)

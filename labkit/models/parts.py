"""Parts that several networks share: activations by name, and a mean pooling that every device can run.

Not here: networks.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labkit.base.errors import ConfigError, unknown

ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
}
STEMS = ("cifar", "imagenet")


def make_activation(name: str) -> nn.Module:
    """Return an activation by name; raise `ConfigError` for an unknown one."""
    if name not in list(ACTIVATIONS):  # a list of names, as "mlp" takes, has no hash
        raise unknown("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()


def check_stem(stem: str, image_size: int, smallest: dict[str, int]) -> None:
    """Raise `ConfigError` for an unknown stem, or for images that are too small for it."""
    if stem not in STEMS:
        raise unknown("stem", stem, STEMS)
    if image_size < smallest[stem]:
        other = ', or stem="cifar"' if image_size >= smallest["cifar"] else ""
        raise ConfigError(
            f"Images of {image_size} pixels are too small for the {stem} stem, which needs {smallest[stem]}. "
            f"Use larger images{other}."
        )


class MeanPool(nn.Module):
    """Average a map into `size` x `size` windows, whatever its size: adaptive average pooling. Introduced in lab 11.

    The same numbers as `nn.AdaptiveAvgPool2d`. That one fails on Apple GPUs (mps) where the size of the map is no
    multiple of the number of windows (github.com/pytorch/pytorch/issues/96056); there, two matrix products do it.
    """

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, size, size) of maps (B, C, H, W)."""
        height, width = x.shape[2:]
        if height % self.size == 0 and width % self.size == 0:
            return F.adaptive_avg_pool2d(x, self.size)
        rows, columns = windows(height, self.size).to(x), windows(width, self.size).to(x)
        return rows @ x @ columns.T  # (size, H) @ (B, C, H, W) @ (W, size)


def windows(length: int, count: int) -> Tensor:
    """Return the matrix, (count, length), that averages a row of numbers into `count` windows, which may overlap.

    >>> windows(3, 2)
    tensor([[0.5000, 0.5000, 0.0000],
            [0.0000, 0.5000, 0.5000]])
    """
    matrix = torch.zeros(count, length)
    for i in range(count):
        start, stop = i * length // count, -(-(i + 1) * length // count)
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix

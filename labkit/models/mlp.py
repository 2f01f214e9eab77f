"""Networks of fully connected layers only: the MLP of the first source coursework, and those of the second.

The second source (UdeSA, 2023) states the number of layers, the activations and the dropout of its networks,
not their widths nor where the dropout stands; the catalogue (index.py) says what was chosen.
"""

from torch import nn

from labkit.base.checks import whole
from labkit.base.errors import ConfigError, unknown
from labkit.models import check_dropout, register
from labkit.models.parts import ACTIVATIONS

OUTPUTS = {"logits": None, "softmax": nn.Softmax, "log_softmax": nn.LogSoftmax}


@register("mlp")
class MLP(nn.Sequential):
    """Fully connected layers over the pixels in a row. Introduced in lab 05.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.
        image_size: height and width of the images in pixels.
        hidden: units of each hidden layer, in their order, each at least 1.
        activations: their names, "relu", "leaky_relu", "elu" or "sigmoid", repeated in turn over the layers.
        dropout: chance that a unit is turned off in training, in [0, 1).
        dropout_after: numbers (from 1) of the hidden layers that dropout follows.
        batch_norm: whether batch normalisation stands before each activation.
        output: "logits", or "softmax" or "log_softmax" of them (lab 05 shows what that does to cross-entropy).

    Raises:
        ConfigError: a setting out of range, or an unknown name.
    """

    def __init__(
        self,
        in_channels,
        num_classes,
        image_size,
        *,
        hidden=(100,),
        activations=("relu",),
        dropout=0.0,
        dropout_after=(),
        batch_norm=False,
        output="logits",
    ):
        check_settings(hidden, activations, dropout, dropout_after, output)
        layers: list[nn.Module] = [nn.Flatten()]
        units = in_channels * image_size * image_size
        for number, width in enumerate(hidden, 1):
            layers.append(nn.Linear(units, width))
            if batch_norm:
                layers.append(nn.BatchNorm1d(width))
            layers.append(ACTIVATIONS[activations[(number - 1) % len(activations)]]())
            if number in dropout_after:
                layers.append(nn.Dropout(dropout))
            units = width
        layers.append(nn.Linear(units, num_classes))
        if OUTPUTS[output]:
            layers.append(OUTPUTS[output](dim=1))
        super().__init__(*layers)  # (B, in_channels, image_size, image_size) -> (B, num_classes)


def check_settings(hidden, activations, dropout, dropout_after, output) -> None:
    """Raise `ConfigError` for a setting that is out of range or unknown."""
    for width in hidden:
        whole("hidden", width, 1)
    for name in activations:
        if name not in ACTIVATIONS:
            raise unknown("activation", name, ACTIVATIONS)
    if not activations:
        raise ConfigError(f"activations needs at least one of {', '.join(ACTIVATIONS)}.")
    check_dropout(dropout)
    if not set(dropout_after) <= set(range(1, len(hidden) + 1)):
        raise ConfigError(f"dropout_after names hidden layers from 1 to {len(hidden)}, got {list(dropout_after)}.")
    if output not in OUTPUTS:
        raise unknown("output", output, OUTPUTS)

"""The registry: any network of the labs by name, for any image size, channel and class count.

One family a file; each file registers its builder with `@register`. Not here: training.
Read cnn.py first, then parts.py.
"""

from collections.abc import Callable
from importlib import import_module
from numbers import Real
from pkgutil import iter_modules
from typing import Any

from torch import nn

from labkit.base.checks import number, whole
from labkit.base.errors import ConfigError, unknown

INITS = ("torch", "glorot")
_BUILDERS: dict[str, Callable[..., nn.Module]] = {}


def register(name: str):
    """Decorate a network class or function to make it known to `build` under `name`."""

    def add(builder):
        _BUILDERS[name] = builder
        return builder

    return add


def check_dropout(p: float) -> None:
    """Raise `ConfigError` unless `p` is a chance that a unit may be turned off with; at 1 nothing would be left."""
    if not isinstance(p, Real) or not 0 <= p < 1:
        raise ConfigError(f"dropout must be in [0, 1), got {p!r}.")


def available() -> list[str]:
    """Return the names that `build` takes, sorted.

    >>> "cnn" in available()
    True
    """
    return sorted(_BUILDERS)


def build(
    name: str,
    *,
    in_channels: int = 3,
    num_classes: int = 10,
    image_size: int = 32,
    init: str = "torch",
    conv_bias: float | None = None,
    **options,
) -> nn.Module:
    """Build a network by name; its forward takes (B, in_channels, image_size, image_size), returns logits.

    Args:
        name: one of `available()`.
        in_channels: channels of the images, at least 1 (1 grey, 3 colour).
        num_classes: number of classes, at least 2.
        image_size: height and width of the images in pixels.
        init: how the weights of convolutions and linear layers are drawn: "torch" as torch does, or "glorot",
            uniform, with biases of zero (Glorot and Bengio, 2010), as Keras does.
        conv_bias: what the biases of all convolutions begin with; None leaves them as drawn.
        **options: what the network itself takes, such as `blocks=2, dropout=0.5` for "cnn".

    Returns:
        The network in training mode, float32, on the CPU. Its `spec` says how it was built.

    Raises:
        ConfigError: an unknown name or option, a count out of range, or images that the network cannot take.

    >>> import torch
    >>> model = build("cnn", blocks=3)
    >>> model(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    if name not in _BUILDERS:
        raise unknown("model", name, _BUILDERS)
    in_channels = whole("in_channels", in_channels, 1)
    num_classes = whole("num_classes", num_classes, 2)
    image_size = whole("image_size", image_size, 1)
    try:
        model: Any = _BUILDERS[name](in_channels, num_classes, image_size, **options)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise ConfigError(f"Model {name!r} does not take one of the options {sorted(options)}: {error}.") from error
    begin(model, init, conv_bias)
    if init != "torch":
        options["init"] = init
    if conv_bias is not None:
        options["conv_bias"] = conv_bias
    model.spec = dict(name=name, in_channels=in_channels, num_classes=num_classes, image_size=image_size, **options)
    return model


def begin(model: nn.Module, init: str, conv_bias: float | None) -> None:
    """Draw the first weights of a network anew where they are not to be torch's; see `build`."""
    if init not in INITS:
        raise unknown("init", init, INITS)
    for layer in model.modules():
        if not isinstance(layer, (nn.Conv2d, nn.Linear)):
            continue
        if init == "glorot":
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        if conv_bias is not None and isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.constant_(layer.bias, number("conv_bias", conv_bias))


# Importing the families fills the registry; a new file in this folder needs no line here.
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

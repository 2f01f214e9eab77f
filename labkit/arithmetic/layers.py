"""Layers as plain data: what a layer does to a shape, and how far it looks. Needs no torch.

A shape is that of one image, without the batch: (channels, height, width), or (channels, length) for a
signal, or (features,) after `Flatten`. `as_layers` also reads a torch module that is a plain chain of layers.
Not here: parameters and multiply-adds (counting.py), the table of a whole network (tracing.py).
"""

from dataclasses import MISSING, dataclass, field, fields
from math import prod
from typing import Any, NamedTuple

from labkit.arithmetic.sizes import Axes, adaptive_pool_out, conv_out, conv_transpose_out, pool_out
from labkit.base.checks import whole
from labkit.base.errors import ConfigError

Shape = tuple[int, ...]


class Window(NamedTuple):
    """What an output pixel of a layer sees on one axis: pixels reached over, step, padding before."""

    reach: int
    stride: int
    padding: int


@dataclass(frozen=True)
class Layer:
    """The base of all layers: changes no shape, sees one pixel. Introduced in lab 02."""

    def out(self, shape: Shape) -> Shape:
        """Return the shape that comes out for one that goes in; raise `ConfigError` if that cannot be."""
        return shape

    def window(self, axis: int, size: int | None = None) -> Window:
        """Return what an output pixel sees on an axis; only adaptive pooling needs the input `size`."""
        return Window(1, 1, 0)

    def __str__(self) -> str:
        shown = []
        for f in fields(self):
            value = getattr(self, f.name)
            if f.repr and value != f.default:
                shown.append(str(value) if f.default is MISSING and not shown else f"{f.name}={value}")
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True)
class Conv(Layer):
    """A convolution over as many axes as the shape has. Arguments as in `torch.nn.Conv2d`; lab 02.

    `in_channels` may be left out: it is what comes in; if given, it is checked.
    """

    out_channels: int
    kernel_size: Axes
    stride: Axes = 1
    padding: Axes | str = 0
    dilation: Axes = 1
    groups: int = 1
    bias: bool = True
    in_channels: int | None = field(default=None, repr=False)

    def out(self, shape: Shape) -> Shape:
        """Return (out_channels, ...) with the sizes of `conv_out`."""
        _check_channels(self, shape, self.in_channels)
        size = conv_out(shape[1:], self.kernel_size, self.stride, self.padding, self.dilation)
        return (whole("out_channels", self.out_channels, 1), *size)

    def window(self, axis: int, size: int | None = None) -> Window:
        """See `Layer.window`."""
        reach = at(self.dilation, axis) * (at(self.kernel_size, axis) - 1) + 1
        known = {"same": (reach - 1) // 2, "valid": 0}
        padding = known[self.padding] if isinstance(self.padding, str) else at(self.padding, axis)
        return Window(reach, at(self.stride, axis), padding)


@dataclass(frozen=True)
class ConvTranspose(Layer):
    """A transposed convolution. Arguments as in `torch.nn.ConvTranspose2d`; lab 02."""

    out_channels: int
    kernel_size: Axes
    stride: Axes = 1
    padding: Axes = 0
    output_padding: Axes = 0
    groups: int = 1
    bias: bool = True
    dilation: Axes = 1
    in_channels: int | None = field(default=None, repr=False)

    def out(self, shape: Shape) -> Shape:
        """Return (out_channels, ...) with the sizes of `conv_transpose_out`."""
        _check_channels(self, shape, self.in_channels)
        size = conv_transpose_out(
            shape[1:], self.kernel_size, self.stride, self.padding, self.output_padding, self.dilation
        )
        return (whole("out_channels", self.out_channels, 1), *size)

    def window(self, axis: int, size: int | None = None) -> Window:
        """Raise `ConfigError`: output pixels differ in what they see, so there is no one window."""
        raise ConfigError(f"{self}: the output pixels of a transposed convolution do not all see equally far.")


@dataclass(frozen=True)
class Pool(Layer):
    """A max or average pooling. Arguments as in `torch.nn.MaxPool2d`; the default stride is the kernel."""

    kernel_size: Axes
    stride: Axes | None = None
    padding: Axes = 0
    dilation: Axes = 1
    ceil_mode: bool = False
    kind: str = "max"

    def out(self, shape: Shape) -> Shape:
        """Return the same channels with the sizes of `pool_out`."""
        _check_channels(self, shape)
        size = pool_out(shape[1:], self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)
        return (shape[0], *size)

    def window(self, axis: int, size: int | None = None) -> Window:
        """See `Layer.window`."""
        kernel_size = at(self.kernel_size, axis)
        stride = kernel_size if self.stride is None else at(self.stride, axis)
        return Window(at(self.dilation, axis) * (kernel_size - 1) + 1, stride, at(self.padding, axis))


@dataclass(frozen=True)
class AdaptivePool(Layer):
    """A pooling to a given size. Arguments as in `torch.nn.AdaptiveAvgPool2d`."""

    output_size: Axes | tuple[int | None, ...] | None
    kind: str = "avg"

    def out(self, shape: Shape) -> Shape:
        """Return the same channels with the sizes of `adaptive_pool_out`."""
        _check_channels(self, shape)
        return (shape[0], *adaptive_pool_out(shape[1:], self.output_size))

    def window(self, axis: int, size: int | None = None) -> Window:
        """Return the largest window; where the sizes do not divide evenly, they differ by a pixel."""
        if size is None:
            raise ConfigError(f"{self}: how far it sees depends on the size of the image. Use trace instead.")
        out: int = adaptive_pool_out(size, at(self.output_size, axis))
        starts = [i * size // out for i in range(out)]
        ends = [-(-(i + 1) * size // out) for i in range(out)]
        return Window(max(e - s for s, e in zip(starts, ends, strict=True)), max(1, size // out), 0)


@dataclass(frozen=True)
class Flatten(Layer):
    """All numbers of an image in one row: (channels, height, width) becomes (features,)."""

    def out(self, shape: Shape) -> Shape:
        """Return (features,)."""
        return (prod(shape),)


@dataclass(frozen=True)
class Linear(Layer):
    """A fully connected layer. Arguments as in `torch.nn.Linear`; `in_features` is checked if given."""

    out_features: int
    bias: bool = True
    in_features: int | None = field(default=None, repr=False)

    def out(self, shape: Shape) -> Shape:
        """Return (out_features,)."""
        if len(shape) != 1:
            raise ConfigError(f"It needs one row of features and gets {show(shape)}. Put Flatten() before it.")
        if self.in_features not in (None, shape[0]):
            raise ConfigError(f"It has {self.in_features:,} input features and gets {shape[0]:,}.")
        return (whole("out_features", self.out_features, 1),)

    def window(self, axis: int, size: int | None = None) -> Window:
        """Raise `ConfigError`: a fully connected layer sees everything."""
        raise ConfigError(f"{self} sees the whole image. Give only the layers before it.")


@dataclass(frozen=True)
class BatchNorm(Layer):
    """A batch normalisation of each channel. Arguments as in `torch.nn.BatchNorm2d`."""

    affine: bool = True
    track_running_stats: bool = True
    num_features: int | None = field(default=None, repr=False)

    def out(self, shape: Shape) -> Shape:
        """Return the same shape."""
        if self.num_features not in (None, shape[0]):
            raise ConfigError(f"It takes {self.num_features} channels and gets {shape[0]}.")
        return shape


@dataclass(frozen=True)
class GroupNorm(Layer):
    """A normalisation over groups of channels. Arguments as in `torch.nn.GroupNorm`."""

    num_groups: int
    affine: bool = True
    num_channels: int | None = field(default=None, repr=False)

    def out(self, shape: Shape) -> Shape:
        """Return the same shape."""
        if self.num_channels not in (None, shape[0]) or shape[0] % whole("num_groups", self.num_groups, 1):
            wanted = self.num_channels or f"a multiple of {self.num_groups}"
            raise ConfigError(f"It takes {wanted} channels and gets {shape[0]}.")
        return shape


@dataclass(frozen=True)
class ReLU(Layer):
    """max(0, x), number by number; `inplace` overwrites its input and so takes no memory."""

    inplace: bool = False


@dataclass(frozen=True)
class Dropout(Layer):
    """Numbers, or whole channels, turned off at random in training with chance p."""

    p: float = 0.5
    inplace: bool = False


@dataclass(frozen=True)
class LocalResponseNorm(Layer):
    """Each number divided by the size of its neighbours in `size` channels (AlexNet, VGG A-LRN)."""

    size: int


@dataclass(frozen=True)
class Elementwise(Layer):
    """Any other layer that changes no shape and has no parameters, by its name, such as "Sigmoid"."""

    name: str
    inplace: bool = False


@dataclass(frozen=True)
class ReceptiveField:
    """What one pixel of the last map sees of the image, on one axis.

    Attributes:
        size: pixels of the image that it sees, those in the padding included.
        stride: pixels of the image between two neighbours of the last map.
        start: centre of what the first of them sees; 0 is the middle of the first pixel of the image, and
            a negative number lies in the padding.
    """

    size: int
    stride: int
    start: float


def receptive_field(layers, axis: int = 0) -> ReceptiveField:
    """Return the receptive field of one pixel after a chain of layers, on one axis. Introduced in lab 02.

    Formula, layer by layer: size grows by (reach − 1)·stride, start by ((reach − 1)/2 − padding)·stride, then
    stride is multiplied by the layer's own; where reach = dilation·(kernel_size − 1) + 1.
    Source: Araujo, Norris & Sim (2019), Computing Receptive Fields of Convolutional Neural Networks, Distill.

    Args:
        layers: layers in their order, or a torch module that is a chain of them.
        axis: 0 for the height, 1 for the width; matters only where a setting differs between the axes.

    Returns:
        Size, stride and start, in pixels.

    Raises:
        ConfigError: a layer without a fixed window: Linear, AdaptivePool, ConvTranspose.

    >>> receptive_field([Conv(64, 3, padding=1), Conv(64, 3, padding=1), Pool(2)])
    ReceptiveField(size=6, stride=2, start=0.5)
    """
    size, stride, start = 1, 1, 0.0
    for _, layer in as_layers(layers):
        window = layer.window(axis)
        size += (window.reach - 1) * stride
        start += ((window.reach - 1) / 2 - window.padding) * stride
        stride *= window.stride
    return ReceptiveField(size, stride, start)


def at(value, axis: int):
    """Return the number of one axis, of a setting that may be one number for all."""
    return value[axis] if isinstance(value, (tuple, list)) else value


def show(shape: Shape) -> str:
    """Return a shape as tables print it.

    >>> show((64, 224, 224))
    '64 × 224 × 224'
    """
    return " × ".join(map(str, shape))


def _check_channels(layer: Layer, shape: Shape, in_channels: int | None = None) -> None:
    """Check that there is a map to work on, and that its channels are what the layer and its groups take."""
    if len(shape) < 2:
        raise ConfigError(f"It needs a map (channels, height, width) and gets a row of {prod(shape)} features.")
    if in_channels not in (None, shape[0]):
        raise ConfigError(f"It takes {in_channels} channels and gets {shape[0]}.")
    groups = whole("groups", getattr(layer, "groups", 1), 1)
    out_channels = getattr(layer, "out_channels", groups)
    if shape[0] % groups or out_channels % groups:
        raise ConfigError(f"groups={groups} must divide the {shape[0]} channels in and the {out_channels} out.")


# -- from torch, by the names of its classes: this module never imports it --

SAME_SHAPE = tuple(
    """
    CELU ELU GELU Hardshrink Hardsigmoid Hardswish Hardtanh Identity LeakyReLU LogSigmoid LogSoftmax Mish ReLU6
    SELU SiLU Sigmoid Softmax Softmax2d Softplus Softshrink Softsign Tanh Tanhshrink Threshold AlphaDropout
    """.split()
)
PARTS = ("features", "avgpool", "classifier")  # the order in which AlexNet, VGG and our networks use them


class Step(NamedTuple):
    """A layer of a chain by its name, with the torch module that it was read off, if any."""

    name: str
    layer: Layer
    module: Any = None

    @property
    def plain(self) -> bool:
        """Whether the layer's formula says what it does, since it is data or has torch's own forward."""
        cls: Any = torch_class(self.module, TORCH_NAMES)  # None for no module
        return cls is None or self.module.forward.__func__ is cls.forward


def as_layers(model_or_layers, name: str = "") -> list[tuple[str, Layer]]:
    """Return the layers of a list or of a torch module in their order, each with its name or its number.

    Args:
        model_or_layers: a layer of this module, a list of them, or a torch module: a layer, a Sequential, or
            a network made of `features`, perhaps `avgpool`, and `classifier`, which are taken to be used in
            this order, with the maps flattened before the classifier. Nested ones are unrolled.
        name: what the names of the parts begin with.

    Raises:
        ConfigError: a torch module that is no chain of layers that this module knows.

    >>> as_layers([Conv(8, 3), [ReLU(), Pool(2)]])[-1]
    ('2.2', Pool(kernel_size=2, stride=None, padding=0, dilation=1, ceil_mode=False, kind='max'))
    """
    return [(step.name, step.layer) for step in steps(model_or_layers, name)]


def steps(model_or_layers, name: str = "") -> list[Step]:
    """Return the steps of a chain; arguments and errors as in `as_layers`."""
    if isinstance(model_or_layers, Layer):
        return [Step(name, model_or_layers)]
    if isinstance(model_or_layers, (list, tuple)):
        parts = [(str(i), part) for i, part in enumerate(model_or_layers, 1)]
    elif is_module(model_or_layers):
        if converted := from_torch(model_or_layers):
            return [Step(name, converted, model_or_layers)]
        parts = _parts(model_or_layers, name)
    else:
        raise ConfigError(
            f"Expected a layer, a list of layers or a torch module, got {type(model_or_layers).__name__}. "
            f"Layers are made with labkit.arithmetic.layers, such as Conv(64, kernel_size=3)."
        )
    return [step for part, child in parts for step in steps(child, f"{name}.{part}" if name else part)]


def is_module(thing) -> bool:
    """Say whether something is a torch module, by what it can do."""
    return hasattr(thing, "named_modules") and hasattr(thing, "named_parameters")


def _parts(module, name: str) -> list[tuple[str, object]]:
    """Return the parts of a torch container in the order in which it uses them."""
    sequential = torch_class(module, ("Sequential",))
    if sequential and type(module).forward is sequential.forward:
        return list(module._modules.items())  # named_children() would leave out a layer that is used twice
    children = dict(module.named_children())
    bare = [*module.named_parameters(recurse=False)]
    if "features" in children and set(children) <= set(PARTS) and not bare:
        parts = [(part, children[part]) for part in PARTS if part in children]
        if "classifier" in children:
            first = steps(children["classifier"], "classifier")[0].layer
            if not isinstance(first, Flatten):  # torchvision flattens in forward, not in a layer of its own
                parts.insert(-1, ("flatten", Flatten()))
        return parts
    raise ConfigError(
        f"{name or 'The model'} ({type(module).__name__}) is not a plain chain of layers that labkit knows, "
        f"so its order cannot be read off. Use labkit.summary(model, size), which runs it."
    )


def torch_class(module, names: tuple[str, ...]):
    """Return the class of torch.nn that a module is, or comes from, if it has one of the names."""
    for cls in type(module).__mro__:
        if cls.__name__ in names and cls.__module__.startswith("torch.nn"):
            return cls
    return None


def from_torch(m) -> Layer | None:
    """Return a torch layer as data, or None if it is none of those that are known here."""
    cls = torch_class(m, TORCH_NAMES)
    if cls is None:
        return None
    name = cls.__name__[:-2] if cls.__name__[-2:] in ("1d", "2d", "3d") else cls.__name__
    if name in ("Conv", "ConvTranspose"):
        return _conv_from_torch(name, m)
    if name in ("MaxPool", "AvgPool"):
        kind, dilation = name[:3].lower(), getattr(m, "dilation", 1)
        return Pool(m.kernel_size, m.stride, m.padding, dilation, m.ceil_mode, kind)
    if name.startswith("Adaptive"):
        return AdaptivePool(m.output_size, name[8:11].lower())
    if name == "Flatten":
        if (m.start_dim, m.end_dim) != (1, -1):
            raise ConfigError("Flatten must flatten everything but the batch (start_dim=1, end_dim=-1).")
        return Flatten()
    if name == "Linear":
        return Linear(m.out_features, m.bias is not None, m.in_features)
    if name == "BatchNorm":
        return BatchNorm(m.affine, m.track_running_stats, m.num_features)
    if name == "GroupNorm":
        return GroupNorm(m.num_groups, m.affine, m.num_channels)
    if name == "Dropout":
        return Dropout(m.p, m.inplace)
    if name == "LocalResponseNorm":
        return LocalResponseNorm(m.size)
    if name == "ReLU":
        return ReLU(m.inplace)
    return Elementwise(cls.__name__, inplace=name == "Identity" or getattr(m, "inplace", False))


def _conv_from_torch(name: str, m) -> Layer:
    common = {
        "out_channels": m.out_channels,
        "kernel_size": plain(m.kernel_size),
        "stride": plain(m.stride),
        "padding": plain(m.padding),
        "dilation": plain(m.dilation),
        "groups": m.groups,
        "bias": m.bias is not None,
        "in_channels": m.in_channels,
    }
    if name == "Conv":
        return Conv(**common)
    return ConvTranspose(**common, output_padding=plain(m.output_padding))


def plain(value):
    """Return one number where all axes have the same, else the tuple; a string as it is.

    >>> plain((3, 3)), plain((3, 5))
    (3, (3, 5))
    """
    return value[0] if isinstance(value, tuple) and len(value) > 1 and len(set(value)) == 1 else value


def axes_of(module) -> int | None:
    """Return on how many axes a torch module works, 1 to 3, by the name of its class; None where that is open."""
    cls = torch_class(module, TORCH_NAMES)
    return int(cls.__name__[-2]) if cls and cls.__name__[-2:] in ("1d", "2d", "3d") else None


def first_axes(modules) -> int:
    """Return on how many axes torch modules work, by the first whose name says so; 2, as of images, where none does."""
    return next((axes for module in modules if (axes := axes_of(module))), 2)


_BY_AXES = ("Conv", "ConvTranspose", "MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool", "BatchNorm", "Dropout")
TORCH_NAMES = (
    *(f"{name}{n}d" for name in _BY_AXES for n in (1, 2, 3)),
    *"Flatten Linear GroupNorm Dropout LocalResponseNorm ReLU".split(),
    *SAME_SHAPE,
)

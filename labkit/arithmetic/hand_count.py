"""The hand count: a network's parameters line by line, as one does on paper; and the VGG networks as data.

Source: Simonyan & Zisserman (2015), Very Deep Convolutional Networks for Large-Scale Image Recognition,
arXiv:1409.1556, Table 1 (configurations) and Table 2 (numbers of parameters, in millions).
Pure Python: needs no torch. Not here: checking a student's count (auditing.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from labkit.arithmetic import running
from labkit.arithmetic.counting import (
    COUNTED,
    Parameters,
    check_countable,
    first_shape,
    parameters_of,
    parameters_of_module,
)
from labkit.arithmetic.layers import (
    Conv,
    ConvTranspose,
    Dropout,
    Elementwise,
    Flatten,
    Layer,
    Linear,
    LocalResponseNorm,
    Pool,
    ReLU,
    Shape,
    Step,
    as_layers,
    first_axes,
    from_torch,
    is_module,
    plain,
    torch_class,
)
from labkit.arithmetic.sizes import Axes
from labkit.base.errors import unknown
from labkit.base.tables import Table

# Table 1: the convolutions of each block, kernel_size-out_channels; LRN: local response normalisation.
_TABLE_1 = {
    "A": "3-64 | 3-128 | 3-256 3-256 | 3-512 3-512 | 3-512 3-512",
    "A-LRN": "3-64 LRN | 3-128 | 3-256 3-256 | 3-512 3-512 | 3-512 3-512",
    "B": "3-64 3-64 | 3-128 3-128 | 3-256 3-256 | 3-512 3-512 | 3-512 3-512",
    "C": "3-64 3-64 | 3-128 3-128 | 3-256 3-256 1-256 | 3-512 3-512 1-512 | 3-512 3-512 1-512",
    "D": "3-64 3-64 | 3-128 3-128 | 3-256 3-256 3-256 | 3-512 3-512 3-512 | 3-512 3-512 3-512",
    "E": "3-64 3-64 | 3-128 3-128 | 3-256 3-256 3-256 3-256 | 3-512 3-512 3-512 3-512 | 3-512 3-512 3-512 3-512",
}
MILLIONS = {"A": 133, "A-LRN": 133, "B": 133, "C": 134, "D": 138, "E": 144}  # Table 2


def _vgg(blocks: str) -> tuple[Layer, ...]:
    """Return the layers of one column of Table 1."""
    layers = []
    for block in blocks.split("|"):
        for entry in block.split():
            if entry == "LRN":
                layers.append(LocalResponseNorm(5))
                continue
            kernel_size, channels = map(int, entry.split("-"))
            layers += [Conv(channels, kernel_size, padding=kernel_size // 2), ReLU()]
        layers.append(Pool(2))
    layers.append(Flatten())
    for _ in range(2):
        layers += [Linear(4096), ReLU(), Dropout(0.5)]
    return (*layers, Linear(1000))


VGG = {letter: _vgg(blocks) for letter, blocks in _TABLE_1.items()}


@dataclass(frozen=True)
class Line:
    """One line of a hand count: the layer's name as the VGG paper writes it, formula, count, sum so far."""

    name: str
    formula: str
    count: int
    running: int
    layer: Any  # a `Layer` that has parameters
    shape: Shape  # what goes into the layer
    map_shape: Shape  # the same before flattening: (512, 7, 7) where shape is (25088,)


@dataclass(frozen=True)
class ByHand(Table):
    """A hand count, line by line; prints as a table."""

    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        """The sum of all lines."""
        return self.lines[-1].running if self.lines else 0

    def _table(self):
        head = ["layer", "formula", "parameters", "sum so far"]
        rows = [[line.name, line.formula, line.count, line.running] for line in self.lines]
        return head, rows, [f"{self.total:,} parameters"]


def by_hand(network="D", input_size: Axes = 224, in_channels: int = 3) -> ByHand:
    """Return the parameters of a network as a hand count: each layer's formula, number and the running sum.

    Introduced in lab 01.

    Args:
        network: a VGG configuration, "A", "A-LRN", "B", "C", "D" or "E"; or a list of layers, or a torch
            module that is a plain chain of them.
        input_size: size of the images in pixels, one number for square ones or (height, width).
        in_channels: channels of the images.

    Returns:
        `ByHand`: `.lines`, one for each layer that has parameters, and `.total`.

    Raises:
        ConfigError: an unknown configuration, or sizes that do not fit.

    >>> by_hand("D").lines[0].formula, by_hand("D").lines[-1].running
    ('(3*3*3+1)*64', 138357544)
    """
    if isinstance(network, str):
        if network not in VGG:
            raise unknown("VGG configuration", network, VGG)
        network = VGG[network]
    lines, running_sum = [], 0
    counted = _of_module if is_module(network) else _of_layers
    for name, parts, layer, shape, map_shape in counted(network, input_size, in_channels):
        if parts.total:
            running_sum += parts.total
            formula = _with_map(parts.formula, shape, map_shape)
            lines.append(Line(name, formula, parts.total, running_sum, layer, shape, map_shape))
    return ByHand(tuple(lines))


Counted = tuple[str, Parameters, Layer, Shape, Shape]  # a line's name, its count, the layer, what goes into it


def _of_layers(network, input_size: Axes, in_channels: int) -> Iterator[Counted]:
    """Yield what each layer of a list counts."""
    shape = map_shape = first_shape(input_size, in_channels)
    for _, layer in as_layers(network):
        yield paper_name(layer), parameters_of(layer, shape), layer, shape, map_shape
        shape = layer.out(shape)
        map_shape = map_shape if isinstance(layer, (Flatten, ReLU, Dropout)) and len(shape) == 1 else shape


def _of_module(model, input_size: Axes, in_channels: int) -> Iterator[Counted]:
    """Yield what each part of a torch module counts, in the order in which they are used; shared parameters once."""
    check_countable(model)
    parts, seen = dict(model.named_modules()), set()
    shapes = running.calls(model, first_shape(input_size, in_channels, first_axes(parts.values())))
    shape = map_shape = (in_channels,)
    for name in (*shapes, *(name for name in parts if name not in shapes)):  # those that are never called come last
        part, shape = parts[name], shapes.get(name, shape)
        if len(shape) > 1 or prod(shape) != prod(map_shape):
            map_shape = shape
        layer = from_torch(part) or Elementwise(type(part).__name__)
        if not Step(name, layer, part).plain:  # its name as on paper, but no formula for its output
            layer = Elementwise(paper_name(layer))
        if torch_class(part, COUNTED) or not any(True for _ in part.children()):
            yield paper_name(layer), parameters_of_module(part, seen), layer, shape, map_shape
            continue
        for own, parameter in part.named_parameters(recurse=False):  # beside those of its parts
            if id(parameter) not in seen:
                seen.add(id(parameter))
                sides = "*".join(map(str, parameter.shape)) or "1"
                yield own, Parameters(sides, weights=parameter.numel()), Elementwise(own), shape, map_shape


def _with_map(formula: str, shape: Shape, map_shape: Shape) -> str:
    """Write the features of a flattened map as on paper: 7*7*512 for 25088."""
    if len(shape) != 1 or len(map_shape) == 1:
        return formula
    channels, *sizes = map_shape
    return formula.replace(str(shape[0]), "*".join(map(str, (*sizes, channels))), 1)


def paper_name(layer: Layer) -> str:
    """Return the name of a layer as the VGG paper writes it.

    >>> paper_name(Conv(64, kernel_size=3)), paper_name(Linear(4096)), paper_name(Pool(2))
    ('conv3-64', 'FC-4096', 'pool')
    """
    if isinstance(layer, (Conv, ConvTranspose)):
        kernel = plain(layer.kernel_size)
        size = "x".join(map(str, kernel)) if isinstance(kernel, tuple) else kernel
        return f"{type(layer).__name__.lower()}{size}-{layer.out_channels}"
    if isinstance(layer, Linear):
        return f"FC-{layer.out_features}"
    return layer.name if isinstance(layer, Elementwise) else type(layer).__name__.lower()

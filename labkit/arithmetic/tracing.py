"""A network as a table: what comes out of each layer, its parameters and work, and how far it sees.

Pure Python: needs no torch, but takes a torch module that is a plain chain of layers. Not here: networks with
branches (summaries.py runs those).
"""

from dataclasses import dataclass
from math import prod

from labkit.arithmetic.counting import (
    check_countable,
    count,
    first_shape,
    multiply_adds_of,
    parameters_of,
    parameters_of_module,
)
from labkit.arithmetic.layers import (
    BatchNorm,
    Dropout,
    Flatten,
    Layer,
    Linear,
    Shape,
    Step,
    axes_of,
    first_axes,
    is_module,
    show,
    steps,
)
from labkit.arithmetic.memory import Memory, training_memory
from labkit.arithmetic.running import Ran, run
from labkit.arithmetic.sizes import Axes
from labkit.base.errors import ConfigError
from labkit.base.tables import Table

LARGEST = 1024  # pixels: up to here `smallest_input` looks


@dataclass(frozen=True)
class TraceRow:
    """One layer of a `Trace`.

    Attributes:
        name, layer: its name in the network, and what it is.
        out_shape: what comes out for one image, such as (64, 112, 112).
        parameters: trained numbers.
        multiply_adds: for one image.
        activations: numbers that it writes for one image; 0 if it overwrites its input or only looks at it.
        receptive_field: pixels of the image that one output sees, one number for each axis; None where it
            sees the whole image, or where output pixels differ in that.
    """

    name: str
    layer: Layer
    out_shape: Shape
    parameters: int
    multiply_adds: int
    activations: int
    receptive_field: tuple[int, ...] | None


@dataclass(frozen=True)
class Trace(Table):
    """A network layer by layer, for one image; prints as a table.

    Attributes:
        rows: one for each layer.
        in_shape: the image, (channels, height, width).
    """

    rows: tuple[TraceRow, ...]
    in_shape: Shape

    @property
    def out_shape(self) -> Shape:
        """What comes out at the end."""
        return self.rows[-1].out_shape if self.rows else self.in_shape

    @property
    def parameters(self) -> int:
        """Parameters of all layers."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of all layers for one image."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def activations(self) -> int:
        """Outputs of all layers for one image; the image itself is not among them."""
        return sum(row.activations for row in self.rows)

    def memory(self, batch_size: int = 1, optimizer: str = "adam", precision: str = "float32") -> Memory:
        """Return the memory of one training step; see `training_memory`."""
        return training_memory(self.parameters, self.activations, batch_size, optimizer, precision)

    def _table(self):
        head = ["name", "layer", "output", "parameters", "multiply-adds", "sees"]
        rows = [[None, "input", show(self.in_shape), None, None, None]]
        for r in self.rows:
            seen = "–" if r.receptive_field is None else show(r.receptive_field)
            rows.append([r.name, str(r.layer), show(r.out_shape), r.parameters, r.multiply_adds, seen])
        totals = f"{self.parameters:,} parameters, {self.multiply_adds:,} multiply-adds for one image"
        return head, rows, [totals, f"{self.activations:,} activations for one image"]


def trace(model_or_layers, input_size: Axes, in_channels: int = 3) -> Trace:
    """Follow the shape of one image through a network, layer by layer. Introduced in lab 02.

    Args:
        model_or_layers: a list of layers (labkit.arithmetic.layers), or a torch module that is a plain chain of layers:
            a Sequential, or a network of `features` and `classifier` such as our "cnn".
        input_size: size of the image in pixels: one number for a square one, or one number for each axis.
        in_channels: channels of the image, at least 1.

    Returns:
        A `Trace`: `.rows`, `.out_shape`, `.parameters`, `.multiply_adds`, `.activations`, `.memory(...)`.

    Raises:
        ConfigError: a layer that the image does not fit, named with the smallest image that does; or a torch
            module whose order cannot be read off.

    >>> from labkit.arithmetic.layers import Conv, Pool
    >>> print(trace([Conv(16, kernel_size=3), Pool(2)], 32))
    name  layer                    output        parameters  multiply-adds  sees
    ----  -----------------------  ------------  ----------  -------------  -----
          input                    3 × 32 × 32
    1     Conv(16, kernel_size=3)  16 × 30 × 30         448        388,800  3 × 3
    2     Pool(2)                  16 × 15 × 15           0              0  4 × 4
    <BLANKLINE>
    448 parameters, 388,800 multiply-adds for one image
    18,000 activations for one image
    """
    if is_module(model_or_layers):
        check_countable(model_or_layers)
    chain = steps(model_or_layers)
    shape = in_shape = first_shape(input_size, in_channels, first_axes(step.module for step in chain))
    field = [(1, 1)] * (len(shape) - 1)  # on each axis: pixels seen, pixels between neighbours
    rows, seen = [], set()
    for position, step in enumerate(chain, 1):
        try:
            out, work = _through(step, shape)
        except ConfigError as error:
            raise _misfit(chain, position, shape, in_shape, error) from None
        field = _see(field, step.layer, shape) if step.plain else []
        sees = tuple(size for size, _ in field) if field else None
        own = parameters_of(step.layer, shape) if step.module is None else parameters_of_module(step.module, seen)
        rows.append(TraceRow(step.name, step.layer, out, own.total, work, _written(step.layer, out), sees))
        shape = out
    traced = Trace(tuple(rows), in_shape)
    if is_module(model_or_layers):
        _check_whole(model_or_layers, traced)
    return traced


def _through(step: Step, shape: Shape) -> Ran:
    """Take a shape through a layer: by its formula, or by running the torch module that it was read off."""
    if step.module is None:
        return Ran(step.layer.out(shape), multiply_adds_of(step.layer, shape))
    _check_axes(step, shape)
    try:
        return run(step.module, shape)
    except ConfigError:
        if step.plain:
            step.layer.out(shape)  # says the same in plainer words where it can
        raise


def _check_axes(step: Step, shape: Shape) -> None:
    """Raise `ConfigError` where torch's class is for another number of axes than the shape has: only torch knows it."""
    axes, got, kind = axes_of(step.module), len(shape) - 1, type(step.layer)
    if axes in (None, got) or (kind is Dropout and (axes != 1 or not got)):  # Dropout1d alone minds further axes
        return
    if got:
        raise ConfigError(f"It works on {axes} {'axis' if axes == 1 else 'axes'} and gets maps with {got}.")
    if kind is BatchNorm and axes != 1:  # others need a map and say so themselves
        raise ConfigError(f"It works on maps with {axes} axes and gets a row of {prod(shape)} features.")


def _check_whole(model, traced: Trace) -> None:
    """Raise `ConfigError` unless a model does what its layers do one after the other, with no other parameters."""
    more = count(model).total - traced.parameters
    if more:
        raise ConfigError(
            f"This model has {more:,} parameters outside of its layers, which a chain of layers cannot show. "
            "Use labkit.summary(model, size)."
        )
    whole = run(model, traced.in_shape)
    if whole != Ran(traced.out_shape, traced.multiply_adds):
        raise ConfigError(
            f"This model does not use its layers one after the other: it gives {show(whole.shape)}, they give "
            f"{show(traced.out_shape)}. Use labkit.summary(model, size), which runs it."
        )


def smallest_input(model_or_layers, in_channels: int = 3, axes: int | None = None) -> int | None:
    """Return the smallest square image that a network takes, by trying each size. Introduced in lab 02.

    Args:
        model_or_layers: as in `trace`.
        in_channels: channels of the image.
        axes: 2 for images, 1 for signals; default: as many as its layers work on, 2 where they leave it open.

    Returns:
        The size in pixels, or None if no size up to 1,024 fits.

    >>> from labkit.arithmetic.layers import Conv, Pool
    >>> smallest_input([Conv(16, kernel_size=3), Pool(2), Conv(32, kernel_size=3), Pool(2)])
    10
    """
    chain = steps(model_or_layers)
    return _smallest(chain, in_channels, first_axes(step.module for step in chain) if axes is None else axes)


def _smallest(chain: list[Step], in_channels: int, axes: int) -> int | None:
    sizes = range(1, LARGEST + 1)
    return next((size for size in sizes if _fits(chain, (in_channels, *(size,) * axes))), None)


def _fits(chain: list[Step], shape: Shape) -> bool:
    try:
        for step in chain:
            if step.module is not None:
                _check_axes(step, shape)
            shape = step.layer.out(shape) if step.plain else _through(step, shape).shape
    except ConfigError:
        return False
    return True


def _misfit(chain: list[Step], position: int, shape: Shape, in_shape: Shape, error: ConfigError) -> ConfigError:
    """Make the error for a layer that a shape does not fit, with the smallest image that fits all layers."""
    name, layer, _ = chain[position - 1]
    called = f" ({name})" if name not in ("", str(position)) else ""
    axes = len(in_shape) - 1
    if not all(step.plain for step in chain):  # trying all sizes would run all those forwards
        advice = "Which images it takes, the own forward of its layers decides."
    elif least := _smallest(chain, in_shape[0], axes) if axes else None:
        advice = f"The smallest image that the whole network takes is {show((least,) * axes)} pixels."
    else:
        advice = "No size of the image mends that: change the layer, or the channels that come in."
    return ConfigError(
        f"Layer {position}, {layer}{called}, does not fit: for an input of "
        f"{show(in_shape)} it gets {show(shape)}. {error} {advice}"
    )


def _see(field, layer: Layer, shape: Shape):
    """Widen what is seen on each axis by one layer; empty once that is no longer a matter of a window."""
    if isinstance(layer, Linear):
        return []
    if len(shape) == 1:
        return field
    try:
        windows = [layer.window(axis, size) for axis, size in enumerate(shape[1:])]
    except ConfigError:  # a transposed convolution
        return []
    return [(size + (w.reach - 1) * step, step * w.stride) for (size, step), w in zip(field, windows, strict=False)]


def _written(layer: Layer, out: Shape) -> int:
    """Return how many numbers a layer writes for one image."""
    return 0 if isinstance(layer, Flatten) or getattr(layer, "inplace", False) else prod(out)

"""A network as a table, by running it once: for any torch module, branches and all.

Forward hooks note what comes out of each layer. Parameters are counted from the modules themselves
(counting.py), so shared ones count once whatever the forward pass does. Needs torch.
"""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from labkit.arithmetic.counting import Count, count
from labkit.arithmetic.layers import show
from labkit.arithmetic.memory import Memory, training_memory
from labkit.base.checks import whole
from labkit.base.errors import ConfigError
from labkit.base.tables import Table
from labkit.training.scoring import evaluating

CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class SummaryRow:
    """One call of a layer.

    Attributes:
        name: path in the model, as `model.get_submodule` takes it; "(itself)" for the model.
        layer: type of the module.
        out_shapes: shapes of all tensors that came out, the batch included; empty if it was never called.
        parameters: its own parameters, those of its parts and those counted in an earlier row left out.
        multiply_adds: of convolutions and linear layers, for one image; 0 for others.
        note: "called again" or "not called", where parameters would otherwise be puzzling.
    """

    name: str
    layer: str
    out_shapes: tuple[tuple[int, ...], ...]
    parameters: int
    multiply_adds: int
    note: str = ""


@dataclass(frozen=True)
class Summary(Table):
    """A network layer by layer, in the order in which it was run; prints as a table.

    Attributes:
        rows: one for each call of a layer, and one for each module with parameters that was never called.
        counted: the parameters, see `labkit.count`.
        batch_size: images in the batch that was run.
    """

    rows: tuple[SummaryRow, ...]
    counted: Count
    batch_size: int

    @property
    def total(self) -> int:
        """All parameters, shared ones once."""
        return self.counted.total

    @property
    def trainable(self) -> int:
        """Parameters that are trained."""
        return self.counted.trainable

    @property
    def frozen(self) -> int:
        """Parameters that are not trained."""
        return self.counted.frozen

    @property
    def buffers(self) -> int:
        """Numbers that are kept but are no parameters."""
        return self.counted.buffers

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of convolutions and linear layers for one image."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def activations(self) -> int:
        """Outputs of all layers in the table for one image; work outside of layers is not seen."""
        return sum(prod(shape) for row in self.rows for shape in row.out_shapes) // self.batch_size

    def memory(self, batch_size: int = 1, optimizer: str = "adam", precision: str = "float32") -> Memory:
        """Return the memory of one training step; see `training_memory`. Counts all parameters as trained."""
        return training_memory(self.total, self.activations, batch_size, optimizer, precision)

    def _table(self):
        head = ["name", "layer", "output", "parameters", "multiply-adds", "note"]
        rows = []
        for r in self.rows:
            shapes = ", ".join(map(show, r.out_shapes)) or "–"
            rows.append([r.name, r.layer, shapes, r.parameters, r.multiply_adds, r.note])
        totals = (
            f"{self.total:,} parameters: {self.trainable:,} trainable, {self.frozen:,} not; "
            f"{self.buffers:,} numbers in buffers"
        )
        return head, rows, [totals, f"{self.multiply_adds:,} multiply-adds for one image"]


def summary(model: nn.Module, size, batch_size: int = 1, device=None, dtype: torch.dtype = torch.float32) -> Summary:
    """Run a network once on zeros, and return what comes out of each layer. Introduced in lab 02.

    The model is left as it was: its mode, its batch-norm statistics, its hooks and the random numbers.

    Args:
        model: any torch module, on any device.
        size: shape of one input without the batch, such as (3, 32, 32); a list of shapes for several inputs.
        batch_size: images in the batch, at least 1.
        device: where to run, such as "cpu", "cuda" or "meta" (shapes only, no work); default: where the model
            is. On another device a copy of the model is run.
        dtype: type of the inputs; integers for an embedding.

    Returns:
        A `Summary`: `.rows`, `.total`, `.trainable`, `.frozen`, `.buffers`, `.multiply_adds`, `.memory(...)`.

    Raises:
        ConfigError: a shape out of range, or one that the model cannot take; says after which layer.

    >>> summary(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), (3, 32, 32)).rows[0].out_shapes
    ((1, 8, 30, 30),)
    """
    counted = count(model)
    shapes = [_shape(s) for s in (size if isinstance(size, list) else [size])]
    batch_size = whole("batch_size", batch_size, 1)
    home = next((t.device for t in (*model.parameters(), *model.buffers())), torch.device("cpu"))
    place = home if device is None else torch.device(device)
    runner = model if place in (home, torch.device(home.type)) else deepcopy(model).to(place)
    where = home if runner is model else place
    inputs = [torch.zeros(batch_size, *shape, device=where, dtype=dtype) for shape in shapes]
    calls = []
    with evaluating(runner), _hooked(runner, calls):
        try:
            runner(*inputs)
        except (RuntimeError, TypeError, ValueError) as error:
            after = f"after {calls[-1][0]}" if calls else "before its first layer was done"
            raise ConfigError(
                f"The model cannot take inputs of {', '.join(map(show, shapes))}: it failed {after}. {error}"
            ) from error
    return Summary(tuple(_rows(model, calls, counted, batch_size)), counted, batch_size)


def _shape(size) -> tuple[int, ...]:
    """Return the shape of one input, checked."""
    if not isinstance(size, tuple):
        raise ConfigError(f"size must be a tuple, such as (3, 32, 32), or a list of tuples; got {size!r}.")
    return tuple(whole("size", n, 1) for n in size)


@contextmanager
def _hooked(model: nn.Module, calls: list):
    """Note (name, module, shapes out, multiply-adds) of each call of a layer; take the hooks off at the end.

    Layers are the modules without parts, and those with parameters of their own.
    """
    handles = []

    def note(name):
        def hook(module, args, output):
            calls.append((name, module, tuple(_shapes(output)), _multiply_adds(module, args, output)))

        return hook

    try:
        for name, module in model.named_modules():
            if not any(True for _ in module.children()) or _owns(module):
                handles.append(module.register_forward_hook(note(name or "(itself)")))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _owns(module: nn.Module) -> bool:
    """Say whether a module has parameters of its own, beside those of its parts."""
    return any(True for _ in module.parameters(recurse=False))


def _shapes(output):
    """Yield the shape of each tensor in an output: a tensor, or any nesting of tuples, lists and dicts."""
    if isinstance(output, Tensor):
        yield tuple(output.shape)
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from _shapes(value)
    elif isinstance(output, (tuple, list)):
        for value in output:
            yield from _shapes(value)


def _multiply_adds(module: nn.Module, args, output) -> int:
    """Return the multiply-adds of a call, for the whole batch, by the formulas of counting.py."""
    if isinstance(module, CONVS):
        return output.numel() * prod(module.weight.shape[1:])  # (out_channels, in_channels / groups, *kernel)
    if isinstance(module, TRANSPOSED):
        return args[0].numel() * prod(module.weight.shape[1:])  # (in_channels, out_channels / groups, *kernel)
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features
    return 0


def _rows(model: nn.Module, calls: list, counted: Count, batch_size: int):
    """Yield a row for each call, each module's parameters in its first one; then the modules never called."""
    own = {row.name: row.trainable + row.frozen for row in counted.rows}
    has = {name or "(itself)" for name, module in model.named_modules() if _owns(module)}
    seen = set()
    for name, module, shapes, work in calls:
        parameters = 0 if name in seen else own.get(name, 0)
        again = "called again" if name in seen else "shared" if name in has and not parameters else ""
        seen.add(name)
        yield SummaryRow(name, type(module).__name__, shapes, parameters, work // batch_size, again)
    for row in counted.rows:
        if row.name not in seen and row.trainable + row.frozen:
            yield SummaryRow(row.name, row.layer, (), row.trainable + row.frozen, 0, "not called")


def multiply_adds(model: nn.Module, shape: Sequence[int]) -> int:
    """Return the multiply-adds of one image through any network, counted by torch while it runs. Introduced in lab 11.

    Counted are convolutions and matrix products, attention included; `summary` says which layer has how many, and
    knows plain layers only.

    Args:
        model: takes images (1, C, H, W); left in the mode it was in.
        shape: C, H and W of an image: channels, height and width.

    >>> from torch import nn
    >>> multiply_adds(nn.Conv2d(3, 16, kernel_size=3), (3, 32, 32)) == 3 * 3 * 3 * 16 * 30 * 30
    True
    """
    from torch.utils.flop_counter import FlopCounterMode

    with evaluating(model), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, *shape))
    return counter.get_total_flops() // 2  # a multiplication and an addition are two

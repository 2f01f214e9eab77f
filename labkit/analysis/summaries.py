"""A network as a table, by running it once: for any torch module, branches and all.

Forward hooks note what comes out of each layer, and how many multiply-adds torch did meanwhile (running.py).
Parameters are counted from the modules themselves (counting.py), so shared ones count once whatever the forward pass
does. Needs torch.
"""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from labkit.arithmetic.counting import Count, check_countable, count
from labkit.arithmetic.layers import show
from labkit.arithmetic.memory import Memory, training_memory
from labkit.arithmetic.running import counting_work
from labkit.base.checks import whole
from labkit.base.errors import ConfigError
from labkit.base.tables import Table
from labkit.training.scoring import evaluating

FEW = 2  # images: some norms take no single one


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
        """Multiply-adds of all convolutions and matrix products for one image, in layers or between them."""
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
        ConfigError: a shape out of range, or one that the model cannot take; says after which layer. A scripted model,
            or one whose parameters cannot be counted.

    >>> summary(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), (3, 32, 32)).rows[0].out_shapes
    ((1, 8, 30, 30),)
    """
    counted = count(model)  # refuses what cannot be counted
    if isinstance(model, torch.jit.ScriptModule):
        raise ConfigError(
            "The layers of a scripted model cannot be watched. Summarise the model that it was made from."
        )
    shapes = [_shape(s) for s in (size if isinstance(size, list) else [size])]
    batch_size = whole("batch_size", batch_size, 1)
    home = _home(model)
    place = home if device is None else torch.device(device)
    runner = model if place in (home, torch.device(home.type)) else deepcopy(model).to(place)
    inputs = _zeros(runner, shapes, batch_size, home if runner is model else place, dtype)
    calls = []
    with evaluating(runner), counting_work(runner) as work, _hooked(runner, calls, work):
        _pass(runner, inputs, calls)
    return Summary(tuple(_rows(model, calls, counted, batch_size)), counted, batch_size)


def _pass(model: nn.Module, inputs: list[Tensor], calls: Sequence = ()) -> None:
    """Run a model once, and say after which call it failed where it does."""
    try:
        model(*inputs)
    except Exception as error:  # anything may stand in a student's forward
        shapes = ", ".join(show(tuple(X.shape[1:])) for X in inputs)
        after = f"after {calls[-1].name}" if calls else "before its first layer was done"
        raise ConfigError(f"The model cannot take inputs of {shapes}: it failed {after}. {error}") from error


def _home(model: nn.Module) -> torch.device:
    """Return where a model lies."""
    return next((t.device for t in (*model.parameters(), *model.buffers())), torch.device("cpu"))


def _zeros(model: nn.Module, shapes: list, batch_size: int, device, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Return inputs of these shapes, with the batch where the model has it; attention takes one three times."""
    place = 0
    if type(model).__module__.startswith("torch.nn."):  # torch's own put the batch behind the steps of a sequence
        place = int(any(getattr(part, "batch_first", True) is False for part in model.modules()))
    if isinstance(model, nn.MultiheadAttention) and len(shapes) == 1:
        shapes = shapes * 3  # query, key and value
    sizes = [(*shape[:place], batch_size, *shape[place:]) for shape in shapes]
    return [torch.zeros(*size, device=device, dtype=dtype) for size in sizes]


def _shape(size) -> tuple[int, ...]:
    """Return the shape of one input, checked."""
    if not isinstance(size, tuple):
        raise ConfigError(f"size must be a tuple, such as (3, 32, 32), or a list of tuples; got {size!r}.")
    return tuple(whole("size", n, 1) for n in size)


class _Call(NamedTuple):
    """One call of a part of a model."""

    name: str
    module: nn.Module
    shapes: tuple
    multiply_adds: int  # for the whole batch; those of parts that have rows of their own left out


@contextmanager
def _hooked(model: nn.Module, calls: list[_Call], work):
    """Note each call of a layer, and of any other part that multiplies itself; take the hooks off at the end.

    Layers are the modules without parts, and those with parameters of their own.
    """
    handles, running = [], []  # of each part that is being called: multiply-adds before it, and those of its parts

    def before(module, args):
        running.append([work.multiply_adds, 0])

    def after(name, is_layer):
        def hook(module, args, output):
            began, within = running.pop()
            all_of_it = work.multiply_adds - began
            if running:
                running[-1][1] += all_of_it
            if is_layer or all_of_it > within:
                calls.append(_Call(name, module, tuple(_shapes(output)) if is_layer else (), all_of_it - within))

        return hook

    try:
        for name, module in model.named_modules():
            is_layer = not any(True for _ in module.children()) or _owns(module)
            handles.append(module.register_forward_pre_hook(before))
            handles.append(module.register_forward_hook(after(name or "(itself)", is_layer)))
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


def multiply_adds(model: nn.Module, shape: Sequence) -> int:
    """Return the multiply-adds of one image through any network, counted by torch while it runs. Introduced in lab 11.

    Counted are convolutions and matrix products of all kinds, attention and recurrent layers included, in layers or
    between them; `summary` says which layer has how many.

    Args:
        model: any torch module; left in the mode it was in.
        shape: of one input without the batch: C, H and W of an image; a list of shapes for several inputs.

    Raises:
        ConfigError: a shape that the model cannot take; weights that cannot be counted, since they are lazy, quantised
            or constants of a frozen script.

    >>> from torch import nn
    >>> multiply_adds(nn.Conv2d(3, 16, kernel_size=3), (3, 32, 32)) == 3 * 3 * 3 * 16 * 30 * 30
    True
    >>> multiply_adds(nn.MultiheadAttention(16, 2), (10, 16))  # 10 tokens of 16 numbers
    13440
    """
    check_countable(model)
    inputs = _zeros(model, shape if isinstance(shape, list) else [tuple(shape)], FEW, _home(model))
    with evaluating(model), counting_work(model) as work:
        _pass(model, inputs)
    return work.multiply_adds // FEW

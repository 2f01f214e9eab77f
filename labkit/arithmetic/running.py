"""What only running a torch module can tell: the shape that comes out of it, and its multiply-adds.

Imports no torch: whoever hands over a torch module has loaded it. Shapes are followed on the "meta" device, where
nothing is computed and no weight is copied; a module that cannot go there is run on zeros.
Not here: layers as plain data (layers.py), the table of a whole network (tracing.py).
"""

import importlib
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from math import prod
from typing import Any, NamedTuple

from labkit.arithmetic.layers import torch_class
from labkit.base.errors import ConfigError

CONVOLUTIONS = tuple(f"{name}{n}d" for name in ("Conv", "ConvTranspose") for n in (1, 2, 3))
MANY = 1009  # images of a batch where they cost nothing: a prime, which no number of channels is taken for


class Ran(NamedTuple):
    """What a module did to one image."""

    shape: tuple[int, ...]  # of what came out, without the batch
    multiply_adds: int


class _Work:
    """The multiply-adds of what ran within `counting_work`."""

    def __init__(self, counter):
        self._counter = counter

    @property
    def multiply_adds(self) -> int:
        """How many there were so far; a multiplication and an addition are two operations of torch's counter."""
        return self._counter.get_total_flops() // 2


@contextmanager
def counting_work(model) -> Iterator[_Work]:
    """Count the multiply-adds of all that a model does within a `with` block, in layers or between them.

    Torch's own counter sees each convolution and matrix product as it is done, but not within kernels that do several
    things at once (attention and LSTM on a processor). These are turned off meanwhile: the same numbers are then
    computed one after the other. Biases, norms and activations count as nothing; nor does the making of a weight
    (spectral norm and the like), which is done once whatever the number of images: it is done before.
    """
    torch: Any = sys.modules["torch"]
    attention = importlib.import_module("torch.nn.attention")
    flops = importlib.import_module("torch.utils.flop_counter")
    parametrize = importlib.import_module("torch.nn.utils.parametrize")
    counter = flops.FlopCounterMode(display=False, custom_mapping=_more_products(torch.ops.aten))
    before = torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled
    torch.backends.mha.set_fastpath_enabled(False)
    torch.backends.mkldnn.enabled = False
    try:
        step_by_step = attention.sdpa_kernel(attention.SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False)
        with step_by_step[0], step_by_step[1], torch.no_grad(), parametrize.cached():
            for part in model.modules():
                for name in getattr(part, "parametrizations", ()):
                    getattr(part, name)
            with counter:
                yield _Work(counter)
    finally:
        torch.backends.mha.set_fastpath_enabled(before[0])
        torch.backends.mkldnn.enabled = before[1]


def _more_products(aten) -> dict:
    """Return products that torch's counter leaves out: of a matrix and a vector, of two vectors, of three factors."""

    def matrix_vector(matrix, vector, *rest, **options):
        return 2 * prod(matrix)

    def added(bias, matrix, vector, *rest, **options):
        return 2 * prod(matrix)

    def trilinear(a, b, c, expand_a, expand_b, expand_c, summed, *rest, **options):  # of nn.Bilinear
        shapes = [list(shape) for shape in (a, b, c)]
        for shape, places in zip(shapes, (expand_a, expand_b, expand_c), strict=True):
            for place in places:
                shape.insert(place, 1)
        return 2 * prod(max(sizes) for sizes in zip(*shapes, strict=True))

    return {aten.mv: matrix_vector, aten.dot: matrix_vector, aten.addmv: added, aten._trilinear: trilinear}


def run(module, shape: tuple[int, ...]) -> Ran:
    """Return what comes out of a module for one input of a shape, and its multiply-adds; the module stays as it was.

    Args:
        module: a torch module that takes one tensor and returns one.
        shape: of the input, without the batch.

    Raises:
        ConfigError: torch refuses the input, or the module gives no tensor with a row for each input.
    """

    def once(copy, X) -> Ran:
        with counting_work(copy) as work:
            out = copy(X)
        if not hasattr(out, "shape"):
            raise ConfigError(f"It returns a {type(out).__name__}, not a tensor. Use labkit.summary(model, size).")
        if not out.ndim or len(out) != len(X):
            raise ConfigError(f"It makes {tuple(out.shape)} of a batch {tuple(X.shape)}: images are no longer apart.")
        return Ran(tuple(out.shape[1:]), work.multiply_adds // len(X))

    return _followed(module, shape, once)


def calls(model, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Return the shape that goes into each part of a model when it is first called, without the batch, in that order.

    The names are those of `named_modules`; parts that are never called are not there. Errors as in `run`.
    """

    def once(copy, X) -> dict[str, tuple[int, ...]]:
        shapes = {}

        def note(name: str) -> Callable:
            def hook(part, args):
                if args and hasattr(args[0], "shape"):
                    shapes.setdefault(name, tuple(args[0].shape[1:]))

            return hook

        for name, part in copy.named_modules():
            part.register_forward_pre_hook(note(name))
        copy(X)
        return shapes

    return _followed(model, shape, once)


def _followed(module, shape: tuple[int, ...], once: Callable) -> Any:
    """Return what `once` gives for a copy of a module and a batch without numbers, or with zeros where it must be."""
    torch: Any = sys.modules["torch"]
    few = 2 if shape[0] != 2 else 3  # a number that is not taken for the channels
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # what torch has to say on a layer, it says where that is used
        try:
            return once(_on_meta(module), torch.zeros(MANY, *shape, device="meta"))
        except Exception:  # not everything can be followed without numbers; torch's word counts where there are some
            pass
        try:
            return once(_copied(module), torch.zeros(few, *shape))
        except ConfigError:
            raise
        except Exception as error:  # anything may stand in a student's forward
            reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            raise ConfigError(f"Torch refuses it: {reason}.") from error


def _on_meta(module):
    """Return a copy without its numbers, in evaluation mode, as strict on channels and sizes as one with them."""

    def strict(part, args):
        if args[0].shape[1] != part.in_channels:
            raise ConfigError(f"It takes {part.in_channels} channels and gets {args[0].shape[1]}.")

    def fits(part, args, out):
        if not out.numel():  # before torch 2.6 a kernel that does not fit gives maps without pixels here
            raise ConfigError("Nothing comes out of it.")

    copy = _copied(module, lambda tensor: tensor.to("meta"))
    for part in copy.modules():
        if torch_class(part, CONVOLUTIONS):
            part.register_forward_pre_hook(strict)
            part.register_forward_hook(fits)
    return copy


def _copied(module, copy=lambda tensor: tensor.detach().clone()):
    """Return a copy in evaluation mode, whose tensors `copy` makes; the module itself stays as it is."""
    torch: Any = sys.modules["torch"]
    known = {}
    for part in module.modules():
        for tensor in (*part._parameters.values(), *part._buffers.values(), *vars(part).values()):
            if isinstance(tensor, torch.nn.Parameter):
                known[id(tensor)] = torch.nn.Parameter(copy(tensor.detach()), requires_grad=False)
            elif isinstance(tensor, torch.Tensor):  # in `vars`: the weight that an old weight_norm works out
                known[id(tensor)] = copy(tensor)
    return deepcopy(module, known).eval()

"""Parameters and multiply-adds by closed form, layer by layer. Pure Python: needs no torch.

Each closed form returns `Parameters`: the formula with its numbers in it, what it gives, and the numbers that
a layer keeps without training them (the running mean and variance of batch normalisation).
Sources: the shapes of the parameters in the PyTorch documentation of each layer. Introduced in lab 01.
Not here: memory (memory.py), the tables of VGG (hand_count.py), a table with output sizes (tracing.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from labkit.arithmetic.layers import (
    BatchNorm,
    Conv,
    ConvTranspose,
    GroupNorm,
    Layer,
    Linear,
    Shape,
    as_layers,
    is_module,
    torch_class,
)
from labkit.arithmetic.sizes import Axes
from labkit.base.checks import whole
from labkit.base.errors import ConfigError
from labkit.base.tables import Table


@dataclass(frozen=True)
class Parameters:
    """The parameters of one layer.

    Attributes:
        formula: how they are counted, such as "(3*3*3+1)*64"; "0" for none.
        weights, biases: numbers that are trained.
        buffers: numbers that are kept but not trained.
    """

    formula: str = "0"
    weights: int = 0
    biases: int = 0
    buffers: int = 0

    @property
    def total(self) -> int:
        """Weights and biases together."""
        return self.weights + self.biases


def conv_params(
    in_channels: int, out_channels: int, kernel_size: Axes, *, dims: int = 2, groups: int = 1, bias: bool = True
) -> Parameters:
    """Count a convolution: (kernel area · in_channels / groups + 1) · out_channels. Introduced in lab 01.

    Args:
        in_channels, out_channels: channels, at least 1; both must be multiples of `groups`.
        kernel_size: kernel size in pixels, one number or one for each axis.
        dims: number of axes, 1 to 3, where the kernel size is one number.
        groups: parts that the channels are split in; equal to in_channels it is a depthwise convolution.
        bias: whether each output channel has a bias.

    Raises:
        ConfigError: a number out of range, or channels that the groups do not divide.

    >>> conv_params(3, 64, 3).formula, conv_params(3, 64, 3).total
    ('(3*3*3+1)*64', 1792)
    """
    kernel = _kernel(kernel_size, dims)
    in_each, _ = _grouped(in_channels, out_channels, groups)
    return _rows_of_weights("*".join(map(str, (*kernel, in_each))), prod(kernel) * in_each, out_channels, bias)


def conv_transpose_params(
    in_channels: int, out_channels: int, kernel_size: Axes, *, dims: int = 2, groups: int = 1, bias: bool = True
) -> Parameters:
    """Count a transposed convolution: the same numbers as a convolution's. See `conv_params`; lab 01.

    >>> conv_transpose_params(64, 32, 4).total
    32800
    """
    return conv_params(in_channels, out_channels, kernel_size, dims=dims, groups=groups, bias=bias)


def linear_params(in_features: int, out_features: int, bias: bool = True) -> Parameters:
    """Count a fully connected layer: (in_features + 1) · out_features. Introduced in lab 01.

    >>> linear_params(4096, 1000).total
    4097000
    """
    in_features = whole("in_features", in_features, 1)
    return _rows_of_weights(str(in_features), in_features, whole("out_features", out_features, 1), bias)


def batch_norm_params(num_features: int, affine: bool = True, track_running_stats: bool = True) -> Parameters:
    """Count a batch normalisation: a scale and a shift for each channel are trained. Introduced in lab 01.

    Its buffers are the running mean and variance of each channel and one counter of batches.

    >>> batch_norm_params(64)
    Parameters(formula='2*64', weights=64, biases=64, buffers=129)
    """
    n = whole("num_features", num_features, 1)
    return _scale_and_shift(n, affine, True, 2 * n + 1 if track_running_stats else 0)


def group_norm_params(num_channels: int, affine: bool = True) -> Parameters:
    """Count a group normalisation: a scale and a shift for each channel, no running statistics; lab 01.

    >>> group_norm_params(64).total
    128
    """
    return _scale_and_shift(whole("num_channels", num_channels, 1), affine, True)


def layer_norm_params(
    normalized_shape: int | Sequence[int], elementwise_affine: bool = True, bias: bool = True
) -> Parameters:
    """Count a layer normalisation: a scale and a shift for each number of `normalized_shape`; lab 01.

    >>> layer_norm_params((8, 8), bias=False).total
    64
    """
    shape = normalized_shape if isinstance(normalized_shape, (tuple, list)) else [normalized_shape]
    return _scale_and_shift(prod(whole("normalized_shape", n, 1) for n in shape), elementwise_affine, bias)


def embedding_params(num_embeddings: int, embedding_dim: int) -> Parameters:
    """Count an embedding: a row of `embedding_dim` numbers for each of `num_embeddings` words; lab 01.

    >>> embedding_params(1000, 16).total
    16000
    """
    n, dim = whole("num_embeddings", num_embeddings, 1), whole("embedding_dim", embedding_dim, 1)
    return Parameters(f"{n}*{dim}", weights=n * dim)


def lstm_params(
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    bias: bool = True,
    bidirectional: bool = False,
    proj_size: int = 0,
) -> Parameters:
    """Count an LSTM: 4 gates, each with weights for the input and for the state, and two biases; lab 01.

    Args:
        input_size, hidden_size: features, at least 1.
        num_layers: layers, at least 1; the later ones take the states of the one before.
        bias: whether the gates have biases.
        bidirectional: whether a second set of weights reads backwards.
        proj_size: features that the state is projected to, less than hidden_size; 0 for no projection.

    >>> lstm_params(32, 64).formula, lstm_params(32, 64).total
    ('4*64*(32+64+2)', 25088)
    """
    return _recurrent(4, input_size, hidden_size, num_layers, bias, bidirectional, proj_size)


def gru_params(
    input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, bidirectional: bool = False
) -> Parameters:
    """Count a GRU: as an LSTM with 3 gates. Arguments as in `lstm_params`; lab 01.

    >>> gru_params(32, 64).total
    18816
    """
    return _recurrent(3, input_size, hidden_size, num_layers, bias, bidirectional)


def attention_params(embed_dim: int, kdim: int | None = None, vdim: int | None = None, bias: bool = True) -> Parameters:
    """Count `torch.nn.MultiheadAttention`: maps for query, key, value, output; heads do not matter; lab 01.

    Source: Vaswani et al. (2017), Attention Is All You Need, section 3.2.2.

    Args:
        embed_dim: features of the query and of the output, at least 1.
        kdim, vdim: features of key and value; default: embed_dim.
        bias: whether each of the four maps has a bias.

    >>> attention_params(64).total
    16640
    """
    e = whole("embed_dim", embed_dim, 1)
    k, v = (e if n is None else whole(name, n, 1) for name, n in (("kdim", kdim), ("vdim", vdim)))
    sides = f"{e}+{k}+{v}+{e}" + ("+4" if bias else "")
    return Parameters(f"({sides})*{e}", (e + k + v + e) * e, 4 * e if bias else 0)


def _kernel(kernel_size: Axes, dims: int) -> tuple[int, ...]:
    """Return the kernel size of each axis."""
    if not isinstance(kernel_size, (tuple, list)):
        kernel_size = (kernel_size,) * whole("dims", dims, 1)
    return tuple(whole("kernel_size", k, 1) for k in kernel_size)


def _grouped(in_channels: int, out_channels: int, groups: int) -> tuple[int, int]:
    """Return the channels, in and out, of one group."""
    groups = whole("groups", groups, 1)
    for name, n in (("in_channels", in_channels), ("out_channels", out_channels)):
        if whole(name, n, 1) % groups:
            raise ConfigError(f"{name} must be a multiple of groups={groups}, got {n}. Change one of the two.")
    return in_channels // groups, out_channels // groups


def _rows_of_weights(formula: str, weights: int, rows: int, bias: bool) -> Parameters:
    """Count `rows` outputs that have the same number of weights and, perhaps, a bias each."""
    text = f"({formula}+1)*{rows}" if bias else f"{formula}*{rows}"
    return Parameters(text, weights * rows, rows if bias else 0)


def _scale_and_shift(n: int, scale: bool, shift: bool, buffers: int = 0) -> Parameters:
    """Count a normalisation over n numbers; without a scale it has no shift either."""
    if not scale:
        return Parameters(buffers=buffers)
    return Parameters(f"2*{n}" if shift else f"{n}", n, n if shift else 0, buffers)


def _recurrent(gates, input_size, hidden_size, num_layers, bias, bidirectional, proj_size=0) -> Parameters:
    """Count a recurrent network, layer by layer; both directions of a layer have the same number."""
    size, hidden = whole("input_size", input_size, 1), whole("hidden_size", hidden_size, 1)
    if whole("proj_size", proj_size, 0) >= hidden:
        raise ConfigError(f"proj_size must be less than hidden_size ({hidden}), got {proj_size}.")
    state, directions = proj_size or hidden, 2 if bidirectional else 1
    terms, weights, biases = [], 0, 0
    for _ in range(whole("num_layers", num_layers, 1)):
        term = f"{gates}*{hidden}*({size}+{state}{'+2' if bias else ''})"
        term += f"+{hidden}*{proj_size}" if proj_size else ""
        terms.append(f"2*({term})" if bidirectional else term)
        weights += directions * (gates * hidden * (size + state) + hidden * proj_size)
        biases += directions * gates * hidden * 2 if bias else 0
        size = directions * state
    return Parameters("+".join(terms), weights, biases)


def parameters_of(layer: Layer, shape: Shape) -> Parameters:
    """Return the parameters of a layer that gets this shape, without the batch. Introduced in lab 01.

    >>> parameters_of(Conv(64, kernel_size=3), (3, 224, 224)).total
    1792
    """
    match layer:
        case Conv() | ConvTranspose():
            return conv_params(
                shape[0],
                layer.out_channels,
                layer.kernel_size,
                dims=len(shape) - 1,
                groups=layer.groups,
                bias=layer.bias,
            )
        case Linear():
            return linear_params(shape[0], layer.out_features, layer.bias)
        case BatchNorm():
            return batch_norm_params(shape[0], layer.affine, layer.track_running_stats)
        case GroupNorm():
            return group_norm_params(shape[0], layer.affine)
        case _:
            return Parameters()


def multiply_adds_of(layer: Layer, shape: Shape) -> int:
    """Return the multiply-adds of a layer for one image; biases are not counted. Introduced in lab 01.

    Formulas: convolution: kernel area · in_channels / groups for each number of its output; transposed:
    kernel area · out_channels / groups for each number of its input; linear: in_features · out_features.
    Other layers count as 0: next to these three their work is small.

    >>> multiply_adds_of(Conv(64, kernel_size=3, padding=1), (3, 224, 224))
    86704128
    """
    match layer:
        case Conv():
            area = prod(_kernel(layer.kernel_size, len(shape) - 1))
            return area * shape[0] // layer.groups * prod(layer.out(shape))
        case ConvTranspose():
            area = prod(_kernel(layer.kernel_size, len(shape) - 1))
            return area * layer.out_channels // layer.groups * prod(shape)
        case Linear():
            return shape[0] * layer.out_features
        case _:
            return 0


@dataclass(frozen=True)
class CountRow:
    """One line of a `Count`: a layer, or a torch module with parameters of its own."""

    name: str
    layer: str
    formula: str
    trainable: int
    frozen: int
    buffers: int


@dataclass(frozen=True)
class Count(Table):
    """The parameters of a network, layer by layer; shared ones stand in the first layer that has them.

    Attributes:
        rows: the layers that have parameters or buffers.
    """

    rows: tuple[CountRow, ...]

    @property
    def trainable(self) -> int:
        """Parameters that are trained."""
        return sum(row.trainable for row in self.rows)

    @property
    def frozen(self) -> int:
        """Parameters with requires_grad=False."""
        return sum(row.frozen for row in self.rows)

    @property
    def total(self) -> int:
        """All parameters, trained or not."""
        return self.trainable + self.frozen

    @property
    def buffers(self) -> int:
        """Numbers that are kept but are no parameters, such as running statistics."""
        return sum(row.buffers for row in self.rows)

    def _table(self):
        head = ["name", "layer", "formula", "parameters", "buffers"]
        rows = [[r.name, r.layer, r.formula, r.trainable + r.frozen, r.buffers] for r in self.rows]
        note = f"{self.total:,} parameters ({self.trainable:,} trainable), {self.buffers:,} numbers in buffers"
        return head, rows, [note]


def count(model_or_layers, input_size: Axes | None = None, in_channels: int = 3) -> Count:
    """Count the parameters of a network. Introduced in lab 01.

    Args:
        model_or_layers: any torch module, or a list of layers (labkit.arithmetic.layers).
        input_size: for a list of layers only, and needed there: size of the images in pixels, one number for
            square ones or (height, width).
        in_channels: for a list of layers only: channels of the images.

    Returns:
        A `Count`: `.total`, `.trainable`, `.frozen`, `.buffers`, `.rows`.

    Raises:
        ConfigError: no network, sizes that do not fit, or parameters that have no shape yet (lazy layers).

    >>> count([Conv(64, kernel_size=3, padding=1), Conv(64, kernel_size=3, padding=1)], input_size=32).total
    38720
    """
    if is_module(model_or_layers):
        check_countable(model_or_layers)
        return Count(tuple(_count_module(model_or_layers)))
    layers = as_layers(model_or_layers)
    if input_size is None:
        raise ConfigError("A list of layers needs the size of the images too, as in count(layers, input_size=32).")
    shape, rows = first_shape(input_size, in_channels), []
    for name, layer in layers:
        p = parameters_of(layer, shape)
        if p.total or p.buffers:
            rows.append(CountRow(name, str(layer), p.formula, p.total, 0, p.buffers))
        shape = layer.out(shape)
    return Count(tuple(rows))


def first_shape(input_size: Axes, in_channels: int, axes: int = 2) -> Shape:
    """Return (channels, height, width) for one number, (channels, and then each size) for a tuple.

    Where one number is given, `axes` says how many there are.

    >>> first_shape(32, 3), first_shape((100,), 1)
    ((3, 32, 32), (1, 100))
    """
    sizes = input_size if isinstance(input_size, (tuple, list)) else (input_size,) * axes
    return (whole("in_channels", in_channels, 1), *(whole("input_size", n, 1) for n in sizes))


def _count_module(model):
    """Yield a row for each torch module that has parameters or buffers of its own, each number once."""
    seen = set()

    def size(tensors) -> int:
        new = {id(t): t for t in tensors if id(t) not in seen}
        seen.update(new)
        return sum(t.numel() for t in new.values())

    for name, module in model.named_modules():
        own = [p for _, p in module.named_parameters(recurse=False)]
        trainable = size([p for p in own if p.requires_grad])
        frozen = size([p for p in own if not p.requires_grad])
        buffers = size([b for _, b in module.named_buffers(recurse=False)])
        if trainable or frozen or buffers:
            yield CountRow(name or "(itself)", type(module).__name__, "", trainable, frozen, buffers)


def check_countable(model) -> None:
    """Raise `ConfigError` where a torch module keeps its parameters where they cannot be counted, and say why.

    Lazy layers have none before their first batch, quantised layers pack theirs into bytes, and a frozen script has
    made constants of them.
    """
    for name, module in model.named_modules():
        called, kind = name or "The model", type(module)
        if any(type(p).__name__.startswith("Uninitialized") for p in module.parameters(recurse=False)):
            raise ConfigError(f"{called} does not know its size yet (a lazy layer). Run the model on one batch first.")
        if ".quantized" in kind.__module__:
            raise ConfigError(
                f"{called} ({kind.__name__}) is quantised: its weights are packed bytes, no parameters. "
                "Count the network from before it was quantised."
            )
    if "Script" in type(model).__name__ and not any(True for _ in model.parameters()):
        raise ConfigError(
            "This script has no parameters: torch.jit.freeze makes constants of them. Count the network from before."
        )


def parameters_of_module(module, seen: set[int]) -> Parameters:
    """Return the parameters of a torch module, its parts included, that were not `seen` before, and note them there.

    Args:
        module: a layer. Weight norm and other parametrizations, subclasses and bare parameters count as they are.
        seen: ids of parameters that were counted before: shared ones count once.
    """
    new = {id(p): p for p in module.parameters() if id(p) not in seen}
    seen.update(new)
    total, closed = sum(p.numel() for p in new.values()), _closed_form(module)
    if closed and closed.total == total:
        return closed
    return Parameters("+".join("*".join(map(str, p.shape)) or "1" for p in new.values()) or "0", weights=total)


def _closed_form(m) -> Parameters | None:
    """Return what the formula for a torch layer gives, or None where there is none here."""
    cls = torch_class(m, COUNTED)
    if cls is None:
        return None
    bias = getattr(m, "bias", None) is not None and m.bias is not False
    match cls.__name__.rstrip("123d") if cls.__name__.endswith("d") else cls.__name__:
        case "Conv":
            return conv_params(m.in_channels, m.out_channels, m.kernel_size, groups=m.groups, bias=bias)
        case "ConvTranspose":
            return conv_transpose_params(m.in_channels, m.out_channels, m.kernel_size, groups=m.groups, bias=bias)
        case "Linear":
            return linear_params(m.in_features, m.out_features, bias)
        case "BatchNorm":
            return batch_norm_params(m.num_features, m.affine, m.track_running_stats)
        case "GroupNorm":
            return group_norm_params(m.num_channels, m.affine)
        case "LayerNorm":
            return layer_norm_params(m.normalized_shape, m.elementwise_affine, bias)
        case "Embedding":
            return embedding_params(m.num_embeddings, m.embedding_dim)
        case "LSTM":
            return lstm_params(m.input_size, m.hidden_size, m.num_layers, m.bias, m.bidirectional, m.proj_size)
        case "GRU":
            return gru_params(m.input_size, m.hidden_size, m.num_layers, m.bias, m.bidirectional)
        case _:
            return attention_params(m.embed_dim, m.kdim, m.vdim, m.in_proj_bias is not None)


COUNTED = (
    *(f"{name}{n}d" for name in ("Conv", "ConvTranspose", "BatchNorm") for n in (1, 2, 3)),
    *"Linear GroupNorm LayerNorm Embedding LSTM GRU MultiheadAttention".split(),
)

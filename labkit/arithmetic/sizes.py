"""Output sizes of convolution and pooling, in whole numbers, and the way back from a wanted size.

Source: the convolution arithmetic of the PyTorch documentation (torch.nn.Conv2d, ConvTranspose2d, MaxPool2d,
AdaptiveAvgPool2d). Every number may be one `int`, or a tuple with one `int` for each axis; then the result is
a tuple too. Not here: layers (layers.py), parameters and memory (counting.py). Pure Python: needs no torch.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from labkit.base.checks import whole
from labkit.base.errors import ConfigError

Axes = int | tuple[int, ...]  # one number for every axis, or one for each; results are of the same kind


def conv_out(size: Axes, kernel_size: Axes, stride: Axes = 1, padding: Axes | str = 0, dilation: Axes = 1) -> Any:
    """Return the output size of a convolution.

    Formula, for each axis: floor((size + 2·padding − dilation·(kernel_size − 1) − 1) / stride) + 1.
    Introduced in lab 02.

    Args:
        size: input size in pixels, at least 1.
        kernel_size: kernel size in pixels, at least 1.
        stride: step in pixels, at least 1.
        padding: pixels added on each side, at least 0; "valid" is 0, "same" keeps the size, at stride 1 only.
        dilation: distance between kernel taps in pixels, at least 1.

    Returns:
        The output size in pixels, at least 1.

    Raises:
        ConfigError: a setting out of range, or a kernel that does not fit into the padded input.

    >>> conv_out(32, kernel_size=3)
    30
    >>> conv_out(32, kernel_size=3, padding=1)
    32
    >>> conv_out((32, 48), kernel_size=(3, 5), stride=2, padding="valid")
    (15, 22)
    """
    return _each_axis(_conv_axis, size=size, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation)


def pool_out(
    size: Axes,
    kernel_size: Axes,
    stride: Axes | None = None,
    padding: Axes = 0,
    dilation: Axes = 1,
    ceil_mode: bool = False,
) -> Any:
    """Return the output size of a pooling; the stride is the kernel size unless given.

    Formula as in `conv_out`. With ceil_mode the division is rounded up, and a last window that would start in
    the right padding is left out. As MaxPool1d to 3d, AvgPool1d and 2d; AvgPool3d alone also refuses a kernel
    that is larger than the input without its padding. Introduced in lab 02.

    Args:
        size, kernel_size, stride, dilation: as in `conv_out`.
        padding: pixels added on each side, 0 to half the kernel size.
        ceil_mode: whether a last window that is only partly inside counts too.

    Returns:
        The output size in pixels, at least 1.

    Raises:
        ConfigError: as in `conv_out`, or a padding of more than half the kernel.

    >>> pool_out(15, kernel_size=2)
    7
    >>> pool_out(15, kernel_size=2, ceil_mode=True)
    8
    """
    if not isinstance(ceil_mode, bool):
        raise ConfigError(f"ceil_mode must be True or False, got {ceil_mode!r}.")
    return _each_axis(
        _ceil_pool_axis if ceil_mode else _pool_axis,
        size=size,
        kernel_size=kernel_size,
        stride=kernel_size if stride is None else stride,
        padding=padding,
        dilation=dilation,
    )


def conv_transpose_out(
    size: Axes, kernel_size: Axes, stride: Axes = 1, padding: Axes = 0, output_padding: Axes = 0, dilation: Axes = 1
) -> Any:
    """Return the output size of a transposed convolution, which undoes the size of a convolution.

    Formula, for each axis: (size − 1)·stride − 2·padding + dilation·(kernel_size − 1) + output_padding + 1.
    Introduced in lab 02.

    Args:
        size, kernel_size, stride, dilation: as in `conv_out`.
        padding: pixels cut off on each side, at least 0.
        output_padding: pixels added at the end only, 0 or more, less than the stride or the dilation. It
            chooses among the sizes that a convolution with this stride takes to the same output size.

    Returns:
        The output size in pixels, at least 1.

    Raises:
        ConfigError: a setting out of range, or nothing left after the padding is cut off.

    >>> conv_transpose_out(16, kernel_size=4, stride=2, padding=1)
    32
    """
    return _each_axis(
        _conv_transpose_axis,
        size=size,
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
    )


def adaptive_pool_out(size: Axes, output_size: Axes | tuple[int | None, ...] | None) -> Any:
    """Return the output size of an adaptive pooling: the one asked for. Introduced in lab 02.

    Args:
        size: input size in pixels, at least 1.
        output_size: wanted size in pixels, at least 1; None keeps the size of an axis.

    Returns:
        The output size in pixels.

    Raises:
        ConfigError: a size out of range.

    >>> adaptive_pool_out((13, 17), (7, None))
    (7, 17)
    """
    return _each_axis(_adaptive_axis, size=size, output_size=output_size)


def same_padding(kernel_size: Axes, dilation: Axes = 1) -> Any:
    """Return the padding on each side that keeps the size at stride 1.

    Formula: dilation·(kernel_size − 1) / 2. Introduced in lab 02.

    Args:
        kernel_size: kernel size in pixels, at least 1.
        dilation: distance between kernel taps in pixels, at least 1.

    Returns:
        Pixels to add on each side.

    Raises:
        ConfigError: a kernel that reaches over an even number of pixels.

    >>> same_padding(3), same_padding(5, dilation=2)
    (1, 4)
    """
    return _each_axis(_same_padding_axis, kernel_size=kernel_size, dilation=dilation)


class Setting(NamedTuple):
    """One way to go from a size to another, as `kernels_for` finds it."""

    kernel_size: int
    stride: int
    padding: int


def kernels_for(
    size: int,
    wanted: int,
    kernel_sizes: Iterable[int] = range(1, 12),
    strides: Iterable[int] = (1, 2, 3, 4),
    dilation: int = 1,
) -> list[Setting]:
    """Return the settings of a convolution that take one size to another. Introduced in lab 02.

    Args:
        size: input size in pixels, at least 1.
        wanted: output size in pixels, at least 1.
        kernel_sizes: kernel sizes to try, in pixels.
        strides: steps to try, in pixels.
        dilation: distance between kernel taps in pixels, at least 1.

    Returns:
        The settings that work, in the order of stride, kernel and padding; paddings up to half the reach of
        the kernel are tried. Empty if there are none.

    Raises:
        ConfigError: a number out of range.

    >>> kernels_for(32, 16, kernel_sizes=[3, 4], strides=[2])
    [Setting(kernel_size=3, stride=2, padding=1), Setting(kernel_size=4, stride=2, padding=1)]
    """
    size, wanted, dilation = (whole("size", size, 1), whole("wanted", wanted, 1), whole("dilation", dilation, 1))
    kernel_sizes = [whole("kernel_size", k, 1) for k in kernel_sizes]
    settings = []
    for stride in (whole("stride", s, 1) for s in strides):
        for kernel_size in kernel_sizes:
            reach = _reach(kernel_size, dilation)
            for padding in range(reach // 2 + 1):
                fits = reach <= size + 2 * padding
                if fits and conv_out(size, kernel_size, stride, padding, dilation) == wanted:
                    settings.append(Setting(kernel_size, stride, padding))
    return settings


def _each_axis(rule: Callable[..., int], **settings) -> Any:
    """Apply the rule of one axis to each axis; plain numbers are used for every axis."""
    lengths = {name: len(value) for name, value in settings.items() if isinstance(value, (tuple, list))}
    if not lengths:
        return rule(**settings)
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise ConfigError(
            f"Tuples must have one number for each axis, all the same length; got "
            f"{', '.join(f'{n} for {name}' for name, n in lengths.items())}."
        )
    out = []
    for axis in range(next(iter(lengths.values()))):
        here = {name: value[axis] if name in lengths else value for name, value in settings.items()}
        try:
            out.append(rule(**here))
        except ConfigError as error:
            raise ConfigError(f"Axis {axis}: {error}") from None
    return tuple(out)


def _reach(kernel_size: int, dilation: int) -> int:
    """Return over how many pixels a kernel reaches, holes included."""
    return dilation * (kernel_size - 1) + 1


def _checked(size, kernel_size, stride, padding, dilation) -> tuple[int, int, int, int, int]:
    """Return the five numbers of a window on one axis, each in its range."""
    return (
        whole("size", size, 1),
        whole("kernel_size", kernel_size, 1),
        whole("stride", stride, 1),
        whole("padding", padding, 0),
        whole("dilation", dilation, 1),
    )


def _conv_axis(size, kernel_size, stride, padding, dilation) -> int:
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ConfigError(f'padding must be a whole number of at least 0, "same" or "valid", got {padding!r}.')
        size, kernel_size, stride, _, dilation = _checked(size, kernel_size, stride, 0, dilation)
        if padding == "same" and stride != 1:
            raise ConfigError(f'padding "same" needs stride 1, got stride {stride}. Give the padding as a number.')
        if padding == "same":
            return size
        padding = 0
    size, kernel_size, stride, padding, dilation = _checked(size, kernel_size, stride, padding, dilation)
    reach, room = _reach(kernel_size, dilation), size + 2 * padding
    if reach > room:
        raise _does_not_fit(reach, size, padding)
    return (room - reach) // stride + 1


def _pool_axis(size, kernel_size, stride, padding, dilation) -> int:
    _check_pool_padding(kernel_size, padding)
    size, kernel_size, stride, padding, dilation = _checked(size, kernel_size, stride, padding, dilation)
    return _conv_axis(size, kernel_size, stride, padding, dilation)


def _ceil_pool_axis(size, kernel_size, stride, padding, dilation) -> int:
    _check_pool_padding(kernel_size, padding)
    size, kernel_size, stride, padding, dilation = _checked(size, kernel_size, stride, padding, dilation)
    reach = _reach(kernel_size, dilation)
    out = -(-(size + 2 * padding - reach) // stride) + 1  # the division rounded up
    if (out - 1) * stride >= size + padding:  # the last window would start in the right padding
        out -= 1
    if out < 1:
        raise _does_not_fit(reach, size, padding)
    return out


def _check_pool_padding(kernel_size, padding) -> None:
    kernel_size, padding = whole("kernel_size", kernel_size, 1), whole("padding", padding, 0)
    if padding > kernel_size // 2:
        raise ConfigError(
            f"The padding of a pooling is at most half its kernel, {kernel_size // 2} for kernel_size "
            f"{kernel_size}; got {padding}. Use less padding or a larger kernel."
        )


def _conv_transpose_axis(size, kernel_size, stride, padding, output_padding, dilation) -> int:
    size, kernel_size, stride, padding, dilation = _checked(size, kernel_size, stride, padding, dilation)
    output_padding = whole("output_padding", output_padding, 0)
    if output_padding >= max(stride, dilation):
        raise ConfigError(
            f"output_padding must be less than the stride ({stride}) or the dilation ({dilation}), "
            f"got {output_padding}."
        )
    out = (size - 1) * stride - 2 * padding + _reach(kernel_size, dilation) + output_padding
    if out < 1:
        raise ConfigError(
            f"Nothing is left: padding {padding} cuts {2 * padding} pixels off an output of "
            f"{out + 2 * padding}. Use less padding, a larger kernel or a larger input."
        )
    return out


def _adaptive_axis(size, output_size) -> int:
    size = whole("size", size, 1)
    return size if output_size is None else whole("output_size", output_size, 1)


def _same_padding_axis(kernel_size, dilation) -> int:
    reach = _reach(whole("kernel_size", kernel_size, 1), whole("dilation", dilation, 1))
    if reach % 2 == 0:
        raise ConfigError(
            f"No padding keeps the size: the kernel reaches over {reach} pixels, an even number, so "
            f"{reach - 1} pixels have to be added and they cannot be shared equally between two sides. "
            f'Use an odd kernel_size, or padding="same", which adds one pixel more at the end.'
        )
    return reach // 2


def _does_not_fit(reach: int, size: int, padding: int) -> ConfigError:
    """Make the error for a kernel that is larger than the padded input."""
    return ConfigError(
        f"A kernel that reaches over {reach} pixels does not fit into {size + 2 * padding} (size {size}, "
        f"padding {padding}). Use a larger input, more padding or a smaller kernel."
    )

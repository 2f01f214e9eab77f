"""Output sizes of convolution and pooling, in whole numbers.

Source: the convolution arithmetic of the PyTorch documentation (torch.nn.Conv2d, torch.nn.MaxPool2d).
Not here: parameters and memory. Pure Python: needs no torch.
"""

from labkit.errors import ConfigError


def conv_out(size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Return the output size of a convolution along one axis.

    Formula: floor((size + 2·padding − dilation·(kernel_size − 1) − 1) / stride) + 1. Introduced in lab 03.

    Args:
        size: input size in pixels, at least 1.
        kernel_size: kernel size in pixels, at least 1.
        stride: step in pixels, at least 1.
        padding: pixels added on each side, at least 0.
        dilation: distance between kernel taps in pixels, at least 1.

    Returns:
        The output size in pixels, at least 1.

    Raises:
        ConfigError: a setting out of range, or a kernel that does not fit into the padded input.

    >>> conv_out(32, kernel_size=3)
    30
    >>> conv_out(32, kernel_size=3, padding=1)
    32
    """
    for name, value, least in (
        ("size", size, 1), ("kernel_size", kernel_size, 1), ("stride", stride, 1),
        ("padding", padding, 0), ("dilation", dilation, 1),
    ):  # fmt: skip
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigError(f"{name} must be a whole number of at least {least}, got {value!r}.")
    reach = dilation * (kernel_size - 1) + 1
    room = size + 2 * padding
    if reach > room:
        raise ConfigError(
            f"A kernel that reaches over {reach} pixels does not fit into {room} (size {size}, padding "
            f"{padding}). Use a larger input, more padding or a smaller kernel."
        )
    return (room - reach) // stride + 1


def pool_out(size: int, kernel_size: int, stride: int | None = None, padding: int = 0) -> int:
    """Return the output size of a pooling along one axis; the stride is the kernel size unless given.

    Arguments, result and errors as in `conv_out`. Introduced in lab 03.

    >>> pool_out(15, kernel_size=2)
    7
    """
    return conv_out(size, kernel_size, kernel_size if stride is None else stride, padding)

"""Where a training runs and with which numbers: the device, the layout in memory, float32 or bf16.

Not here: several devices at once (distributed.py).
"""

from typing import Any

import torch
from torch import nn

from labkit.base.errors import ConfigError
from labkit.training import distributed

FLOATS_IN_A_REGISTER = 16  # float32 numbers in the widest register of today's processors (AVX-512)


def pick_device(device: str | None = None) -> torch.device:
    """Return the device asked for, or the fastest one present; never another one than asked for.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    present = ["cpu"]
    if torch.backends.mps.is_available():
        present.insert(0, "mps")
    if torch.cuda.is_available():
        present.insert(0, "cuda")
    if device is None:
        return torch.device(present[0])
    if device.split(":")[0] not in present:
        raise ConfigError(f"There is no device {device!r} here. This machine has: {', '.join(present)}.")
    try:
        torch.empty(0, device=device)
    except RuntimeError as error:
        raise ConfigError(f"Device {device!r} does not answer: {str(error).splitlines()[0]}.") from error
    return torch.device(device)


def autocast(device: torch.device, precision: str):
    """Return the context for one forward pass: bf16 where asked for, nothing otherwise."""
    enabled = pick_precision(precision, device) == "bf16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def pick_precision(precision: str, device: torch.device) -> str:
    """Return "float32" or "bf16": what a recipe's precision means on a device. Introduced in lab 09.

    Args:
        precision: as in `Recipe`; "auto" asks the device.
        device: where to compute.

    >>> pick_precision("bf16", torch.device("cpu"))
    'bf16'
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:  # on a processor without the instructions, bf16 is slower than float32
        able = getattr(torch.cpu, "get_capabilities", dict)()  # an older torch cannot say
        native = device.type == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return "bf16" if native else "float32"


def layout(model: nn.Module, device: torch.device) -> torch.memory_format:
    """Return how a network's weights should lie in memory; what goes through it follows them.

    Channels last is faster for convolutions on cpu and cuda; it changes neither shapes nor results. But there oneDNN,
    which computes them on a processor, writes beside its memory in the gradient of a strided 1 x 1 convolution with
    fewer channels than a vector register has numbers (seen with 2 to 7 channels on AVX2, whose registers hold 8).
    """
    narrow = any(
        isinstance(part, nn.Conv2d)
        and part.kernel_size == (1, 1)
        and max(part.stride) > 1
        and part.in_channels // part.groups < FLOATS_IN_A_REGISTER
        for part in model.modules()
    )
    beside = device.type == "cpu" and narrow
    return torch.contiguous_format if device.type == "mps" or beside else torch.channels_last


def placed(model: nn.Module, device: torch.device) -> nn.Module:
    """Return a network on a device, in the layout that is fast there; with several processes ready to train in them."""
    placed: Any = model
    return distributed.synced(placed.to(device, memory_format=layout(model, device)))

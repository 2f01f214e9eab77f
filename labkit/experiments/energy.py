"""Energy that work took, where the system lets it be read: the counters of a processor on Linux, or of a GPU.

Not here: estimates from a nominal power. What cannot be read stays unknown.
"""

from pathlib import Path

import torch

COUNTERS = Path("/sys/class/powercap")  # Intel's and AMD's, in microjoules; on most systems only root may read them


def joules(device: torch.device) -> float | None:
    """Return what the energy counter of a device reads, in joules, or None where there is none to be read.

    Only the difference of two readings means something. It includes all that ran on the device in between.
    Introduced in lab 11.

    Args:
        device: "cuda" reads the GPU (needs the package nvidia-ml-py), "cpu" all processors, "mps" nothing.
    """
    if device.type == "cuda":
        return _gpu_joules(device)
    if device.type != "cpu":
        return None
    try:
        readings = [int(file.read_text()) for file in COUNTERS.glob("intel-rapl:?/energy_uj")]
    except OSError:
        return None
    return sum(readings) / 1e6 if readings else None


def _gpu_joules(device: torch.device) -> float | None:
    try:
        import pynvml  # pyright: ignore[reportMissingImports]  # only where there is a GPU
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(device.index or 0)
        return pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000  # millijoules
    except pynvml.NVMLError:  # older than Volta, or not allowed
        return None


def spent(before: float | None, after: float | None) -> float | None:
    """Return the joules between two readings; None where one is missing, or the counter began anew in between.

    >>> spent(10.0, 12.5), spent(None, 3.0), spent(10.0, 1.0)
    (2.5, None, None)
    """
    if before is None or after is None or after < before:
        return None
    return after - before

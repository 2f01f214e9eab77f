"""Memory of one training step, in bytes, from the number of parameters and of activations. Needs no torch.

Two units, never mixed: 1 MB is 10^6 bytes, 1 MiB is 2^20 bytes (4.9 % more). Not here: counting.
"""

from dataclasses import dataclass

from labkit.base.checks import whole
from labkit.base.errors import unknown
from labkit.base.tables import Table

MB, MIB = 10**6, 2**20

PRECISIONS = {  # bytes of a number: in parameters, gradients and optimizer state; in activations
    "float32": (4, 4),
    "bf16": (4, 2),  # mixed precision, as in `Recipe(precision="bf16")`: only the activations are bf16
    "all-bf16": (2, 2),
}
STATES = {"sgd": 0, "momentum": 1, "adam": 2}  # numbers that the optimizer keeps for each parameter


@dataclass(frozen=True)
class Memory(Table):
    """Bytes of one training step; `str` prints them in bytes, MB and MiB, each in its own column."""

    parameters: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """All four together, in bytes."""
        return self.parameters + self.gradients + self.optimizer + self.activations

    def _table(self):
        names = ("parameters", "gradients", "optimizer", "activations", "total")
        sizes = [getattr(self, name) for name in names]
        return ["what", "bytes", "MB", "MiB"], [[n, s, s / MB, s / MIB] for n, s in zip(names, sizes, strict=True)]


def training_memory(
    parameters: int, activations: int = 0, batch_size: int = 1, optimizer: str = "adam", precision: str = "float32"
) -> Memory:
    """Return the memory of one training step. Introduced in lab 01.

    Formula: parameters, as many gradients, 0, 1 or 2 numbers a parameter for the optimizer, and the outputs
    of all layers for each image, which the backward pass needs. Not counted: workspaces, the masks of
    dropout, the indices of max pooling, copies of the weights in bf16, and the framework itself.

    Args:
        parameters: number of trainable parameters.
        activations: number of outputs of all layers for one image (`trace(...).activations`).
        batch_size: images in a step, at least 1.
        optimizer: "sgd", "momentum" (one number a parameter) or "adam" (two).
        precision: "float32"; "bf16" for mixed precision, in which only activations take 2 bytes; "all-bf16".

    Returns:
        `Memory`, in bytes.

    Raises:
        ConfigError: an unknown optimizer or precision, or a number out of range.

    >>> print(training_memory(138_357_544, optimizer="momentum"))
    what                 bytes       MB      MiB
    -----------  -------------  -------  -------
    parameters     553,430,176    553.4    527.8
    gradients      553,430,176    553.4    527.8
    optimizer      553,430,176    553.4    527.8
    activations              0      0.0      0.0
    total        1,660,290,528  1,660.3  1,583.4
    """
    if optimizer not in STATES:
        raise unknown("optimizer", optimizer, STATES)
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    parameters = whole("parameters", parameters, 0)
    numbers = whole("activations", activations, 0) * whole("batch_size", batch_size, 1)
    bytes_each, bytes_activation = PRECISIONS[precision]
    weights = parameters * bytes_each
    return Memory(weights, weights, weights * STATES[optimizer], numbers * bytes_activation)

"""Data-parallel training: several processes train one network, each on its share of every batch.

`torchrun --nproc-per-node=2 -m labkit run LAB` starts them. Each holds the whole network and all images, and draws the
same order and the same transforms as one process would; torch's DistributedDataParallel averages the gradients (Li and
others, 2020). `Recipe.batch_size` counts the images of all processes together, so that weights and history are those of
one process up to rounding. Two things differ: each process draws its own dropout masks, and batch normalisation on the
CPU takes mean and variance over a process's share (on cuda it is turned into SyncBatchNorm, which takes the batch's).

The first process writes records and checkpoints, the others read them: on several machines `LABKIT_CACHE` must be a
folder that all of them see. In a single process every function here returns at once.
Not here: a network that is too large for one device; the workers of a search, which train apart (workers.py).
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn

from labkit.base.errors import ConfigError, LabkitError, TrainingError

PATIENCE = timedelta(hours=1)  # how long a process waits for the others, such as for the planes of a record
GRACE = 10.0  # seconds in which torchrun ends the other processes, once the first one has told an error


def rank() -> int:
    """Return the number of this process, from 0."""
    return distributed.get_rank() if _grouped() else 0


def size() -> int:
    """Return how many processes train together; 1 without torchrun."""
    return distributed.get_world_size() if _grouped() else 1


def is_first() -> bool:
    """Tell whether this process is the one that writes and prints."""
    return rank() == 0


def _grouped() -> bool:
    return distributed.is_available() and distributed.is_initialized()


@contextmanager
def together(pick: Callable[[], torch.device]) -> Iterator[None]:
    """Be one of the processes that torchrun started, within a `with` block; without torchrun, train alone.

    An error of labkit is told by the first process only: it is the same in all of them.

    Args:
        pick: gives the device to train on, such as `labkit.device.pick_device`; each process of a machine gets the GPU
            of its own number.

    Raises:
        ConfigError: a device that several processes cannot use, or fewer GPUs than processes.
        TrainingError: another process died; says how to go on.
    """
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        yield
        return
    before = signal.signal(signal.SIGTERM, _on_sigterm)
    try:
        _join(pick())
        yield
        distributed.destroy_process_group()
        signal.signal(signal.SIGTERM, before)
    except (_Ended, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _lost_another(error):
            raise
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun now ends this process: not before it has told why
        raise TrainingError(
            f"Process {os.environ['RANK']} of {os.environ['WORLD_SIZE']} (from 0) was stopped, because another one "
            "died or torchrun itself was ended; torchrun lists the exit codes. What was finished is kept: the same "
            "command goes on after the last whole epoch."
        ) from error
    except LabkitError:
        if os.environ["RANK"] != "0":
            _leave_quietly()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise


class _Ended(BaseException):
    """Torchrun has told this process to end. Not an `Exception`, so that nothing on the way takes it for its own."""


def _on_sigterm(number, frame):
    raise _Ended


def _lost_another(error: RuntimeError) -> bool:
    """Tell whether an error says that the connection to another process broke."""
    return isinstance(error, distributed.DistError) or "gloo" in str(error) or "onnection" in str(error)


def _leave_quietly() -> None:
    """End this process after the first one: it tells the error, and must not be ended before it has."""
    with suppress(_Ended):
        time.sleep(GRACE)
    raise SystemExit(1)


def _join(device: torch.device) -> None:
    """Meet the other processes: over gloo on the CPU, over nccl on GPUs."""
    if device.type not in ("cpu", "cuda") or device.index is not None:
        raise ConfigError(f"Several processes cannot share {str(device)!r}. Use --device cpu or --device cuda.")
    if device.type == "cuda":
        here, gpus = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
        if here > gpus:
            raise ConfigError(f"{here} processes need {here} GPUs, this machine has {gpus}: --nproc-per-node={gpus}.")
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)


def wait() -> None:
    """Wait until all processes are here."""
    if _grouped():
        distributed.barrier()


def from_first(value):
    """Return what the first process has, such as the row of an epoch: all then decide alike."""
    if not _grouped():
        return value
    box = [value]
    distributed.broadcast_object_list(box, 0)
    return box[0]


def add_up(*tensors: Tensor) -> None:
    """Replace each tensor by its sum over all processes, in place."""
    if _grouped():
        for tensor in tensors:
            distributed.all_reduce(tensor)


def end_epoch(model: nn.Module, *tensors: Tensor) -> None:
    """Add up what the processes counted in an epoch, and give all the running means and variances of the first.

    Those are the buffers of batch normalisation. DistributedDataParallel does so before each step; this is for the
    time after the last one of an epoch.
    """
    add_up(*tensors)
    if _grouped():
        for buffer in model.buffers():
            distributed.broadcast(buffer, 0)


def bounds(images: int) -> tuple[int, int]:
    """Return where the share of this process begins and ends in a batch of `images`; shares differ by one at most."""
    return rank() * images // size(), (rank() + 1) * images // size()


class Share(NamedTuple):
    """What a process takes of a batch in training, and how much its mean loss weighs."""

    X: Tensor  # (B, C, H, W)
    y: Tensor  # (B,)
    count: int  # how many of the images count: B, or 0 for a borrowed one
    weight: Tensor | None  # a scalar, None for 1


def share(X: Tensor, y: Tensor) -> Share:
    """Return the share of this process in a batch, weighted so that the mean gradient is exactly the batch's.

    DistributedDataParallel takes the mean over P processes. A share of n of the N images therefore weighs n P / N,
    which is 1 where all shares are equal. A process without a share borrows an image that weighs 0, since all have to
    take part in every step.

    Args:
        X, y: the whole batch, (N, C, H, W) and (N,).
    """
    if size() == 1:
        return Share(X, y, len(y), None)
    begin, end = bounds(len(y))
    count = end - begin
    weight = torch.full((), count * size() / len(y), device=X.device)
    own = slice(begin, end) if count else slice(0, 1)
    return Share(X[own], y[own], count, weight)


def shares(batches: Iterable[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield this process's share of each batch for a pass without gradients; nothing where it has none."""
    for X, y in batches:
        begin, end = bounds(len(y))
        if end > begin:
            yield X[begin:end], y[begin:end]


class _Forward(nn.Module):
    """A function of a network and a batch as a module: DistributedDataParallel wraps nothing else."""

    def __init__(self, function, model):
        super().__init__()
        self.function, self.model = function, model

    def forward(self, X):
        return self.function(self.model, X)


def averaged(function: Callable, model: nn.Module) -> Callable[[Tensor], object]:
    """Return `function(model, X)` as a function of X after which `backward` averages gradients over all processes."""
    if size() == 1:
        return partial(function, model)
    return nn.parallel.DistributedDataParallel(_Forward(function, model))


def synced(model: nn.Module) -> nn.Module:
    """Return a network whose batch normalisation sees the whole batch, where torch can do that: on cuda."""
    if size() == 1 or next(model.parameters()).device.type != "cuda":
        return model
    return nn.SyncBatchNorm.convert_sync_batchnorm(model)

"""A training between two epochs, and the file that keeps it, so that a stopped training goes on where it was.

Not here: the epoch itself (loop.py), the record of a run (records/ledger.py).
"""

import hashlib
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from labkit.base.errors import ConfigError, TrainingError
from labkit.base.files import write_atomic
from labkit.training import distributed
from labkit.training.history import History
from labkit.training.losses import with_auxiliary
from labkit.training.optimizers import make_optimizer
from labkit.training.recipe import Recipe
from labkit.training.schedules import make_schedule


@dataclass
class State:
    """A training between two epochs: all that a checkpoint keeps.

    Random numbers need no keeping: each epoch draws from a seed made of the run's seed and its own number.
    """

    model: nn.Module
    recipe: Recipe
    seed: int
    steps_per_epoch: int
    path: Path | None = None
    images: str | None = None  # the fingerprint of what is learned from
    history: History = field(default_factory=History)
    best: dict[str, Tensor] | None = None  # early stopping: the weights of the best epoch

    def __post_init__(self):
        self.optimizer = make_optimizer(self.model, self.recipe)
        self.schedule = make_schedule(self.optimizer, self.recipe, self.steps_per_epoch)
        self._resume()
        distributed.wait()  # no checkpoint is written before all have read it
        self.forward = distributed.averaged(with_auxiliary, self.model)  # X -> logits, and those of auxiliary heads

    @property
    def epoch(self) -> int:
        """The number of the next epoch, from 1."""
        return len(self.history) + 1

    @property
    def epoch_seed(self) -> int:
        """The seed of the next epoch; dropout is the same whether resumed or not, and another in each process."""
        return self.seed * 100_003 + self.epoch + 1_000_000_007 * distributed.rank()

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done, or early stopping has waited long enough."""
        done = len(self.history)
        if self.recipe.early_stop and done:
            waited = done - self.history.best(self.recipe.early_stop)["epoch"]
            if waited >= self.recipe.patience:
                return True
        return done >= self.recipe.epochs

    def end_epoch(self, row: dict, callbacks: Iterable[Callable[[dict], None]] = ()) -> None:
        """Add the row of a finished epoch, keep the weights if they are the best, write the checkpoint, tell all."""
        row = distributed.from_first(row)
        self.history.rows.append(row)
        watch = self.recipe.early_stop
        if watch and self.history.best(watch)["epoch"] == row["epoch"]:
            self.best = {name: t.detach().clone() for name, t in self.model.state_dict().items()}
        if not distributed.is_first():
            return
        if self.path:
            self.save()
        for callback in callbacks:
            callback(row)

    def restore_best(self) -> None:
        """Give the network its best weights, if early stopping kept any."""
        if self.best:
            self.model.load_state_dict(self.best)

    def save(self) -> None:
        """Write the checkpoint, whole or not at all; readable with `torch.load(..., weights_only=True)`."""
        buffer = io.BytesIO()
        content = {
            "spec": _spec(self.model),
            "recipe": self.recipe.as_record(),
            "seed": self.seed,
            "history": self.history.rows,
            "model": self.model.state_dict(),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "images": self.images,
        }
        torch.save(content | {"sum": checksum(content)}, buffer)
        assert self.path is not None  # only a training with a file is saved
        write_atomic(self.path, buffer.getvalue())

    def _resume(self) -> None:
        """Go on from the checkpoint, if there is one; refuse one that belongs to another training."""
        if not self.path or not self.path.exists():
            return
        content = read_checkpoint(self.path)
        self._check_same(content)
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        if content["schedule"]:  # older checkpoints keep none of a constant rate
            self.schedule.load_state_dict(content["schedule"])
        self.history, self.best = History(content["history"]), content["best"]

    def _check_same(self, content: dict) -> None:
        """Raise `ConfigError` unless the checkpoint is of this network, seed and recipe (epochs may grow)."""
        if content["spec"] != _spec(self.model):
            raise ConfigError(
                f"{self.path} is a checkpoint of another model: {content['spec']}, not {_spec(self.model)}. "
                "Give another checkpoint file, or delete this one to start anew."
            )
        if content["images"] != self.images:
            raise ConfigError(
                f"{self.path} is the checkpoint of a training on other images. Give another checkpoint file, or delete "
                "this one to start anew."
            )
        ours, theirs = self.recipe.as_record(), Recipe.of(content["recipe"]).as_record()
        changed = [k for k in ours if ours[k] != theirs.get(k) and k != "epochs"]
        grown = ours["epochs"] != theirs["epochs"]
        if grown and self.recipe.schedule in ("cosine", "one-cycle"):
            changed.append("epochs")  # these schedules are planned for a number of epochs: it cannot move
        if content["seed"] != self.seed:
            changed.append("seed")
            ours["seed"], theirs["seed"] = self.seed, content["seed"]
        if changed:
            listed = ", ".join(f"{k} was {theirs.get(k)!r} and is now {ours[k]!r}" for k in changed)
            raise ConfigError(
                f"{self.path} belongs to another training: {listed}. Give another checkpoint file, or delete "
                "this one to start anew."
            )


def read_checkpoint(path: Path) -> dict:
    """Read a checkpoint without running any code from it.

    Raises:
        TrainingError: the file is damaged, that is, its contents do not give its sum; or it cannot be read.
    """
    try:
        held = io.BytesIO(path.read_bytes())
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or "there is not enough memory"
        what = "is a folder, and a checkpoint is a file" if path.is_dir() else f"cannot be read: {reason}"
        raise TrainingError(
            f"{path} {what}. Nothing in it was changed; the same call goes on once it can be."
        ) from error
    try:
        content = torch.load(held, map_location="cpu", weights_only=True)
        if content.pop("sum") != checksum(content):
            raise ValueError("its contents do not give its sum")
        return content
    except MemoryError as error:
        raise TrainingError(f"{path} cannot be read: there is not enough memory.") from error
    except Exception as error:  # cut off or foreign bytes make torch.load raise nearly anything
        raise TrainingError(
            f"{path} is damaged or no checkpoint of this version ({type(error).__name__}). Delete it to start that "
            "training anew."
        ) from error


def checksum(content: Any) -> str:
    """Return the sha256 over everything in a checkpoint: names, numbers and the bytes of each tensor."""
    digest = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, Tensor):
            digest.update(f"{part.dtype} {tuple(part.shape)}".encode())
            digest.update(part.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        elif isinstance(part, dict):
            for name, value in part.items():
                digest.update(repr(name).encode())
                add(value)
        elif isinstance(part, (list, tuple)):
            for value in part:
                add(value)
        else:
            digest.update(repr(part).encode())

    add(content)
    return digest.hexdigest()


def _spec(model: nn.Module) -> dict:
    """Return how a model was built; for one made by hand, the shapes of its parameters."""
    return getattr(model, "spec", None) or {name: list(t.shape) for name, t in model.state_dict().items()}

"""One run from its plan to its record: build, train, look at the test set once, write down what it cost.

Not here: which runs a lab has (design.py), and what a record holds (records/ledger.py).
"""

import math
import platform
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import torch
from filelock import FileLock, Timeout

from labkit.analysis import embed, transfer
from labkit.analysis.summaries import multiply_adds
from labkit.arithmetic.counting import count
from labkit.base.errors import DivergedError
from labkit.base.files import cache_dir
from labkit.data.chosen import Images
from labkit.models import build
from labkit.records import ledger
from labkit.records.ledger import Run
from labkit.training import distributed
from labkit.training.checkpoint import read_checkpoint
from labkit.training.device import pick_device, pick_precision
from labkit.training.history import History
from labkit.training.loop import fit
from labkit.training.progress import shows_progress
from labkit.training.recipe import Recipe
from labkit.training.scoring import eval_batches, pixel_stats, score


def same_training(a: Run, b: Run) -> bool:
    """Tell whether run `a` has all of run `b`: network, recipe, data, draws, and planes of the same layers or more."""
    same_data = Images.of(a.data) == Images.of(b.data)
    same_model = all(a.model.get(key) == value for key, value in b.model.items())
    same_planes, same_draws = set(b.embed) <= set(a.embed), set(b.fixed) == set(a.fixed)
    return Recipe.of(a.recipe) == Recipe.of(b.recipe) and same_data and same_model and same_planes and same_draws


def finished_record(run: Run) -> Run | None:
    """Return the record of a planned run, or None where it has no finished one of the same training."""
    path = ledger.record_path(run.lab, run.arm, run.budget, run.seed)
    known = ledger.read(path) if path.exists() else None
    return known if known and known.finished and same_training(known, run) else None


@dataclass(frozen=True)
class Settings:
    """How runs are executed, whatever they train.

    Attributes:
        device: "cpu", "cuda" or "mps"; None for the fastest one present.
        progress: whether to show a bar, see `labkit.fit`.
        report: called with the growing record after every epoch.
        callbacks: called with the run, gives what `labkit.fit` calls after every epoch.
    """

    device: str | None = None
    progress: bool | None = True
    report: Callable[[Run], None] | None = None
    callbacks: Callable[[Run], list] | None = None


def execute(run: Run, settings: Settings = Settings(), *, again: bool = False, keep_diverged: bool = False) -> Run:
    """Return the finished record of a planned run; train what has none. Labs, searches and commands all come here.

    A record and a checkpoint have one writer: while another process trains the same run, this one waits for its record.

    Args:
        run: what is to be trained.
        settings: how.
        again: train anew what has a quick record already.
        keep_diverged: whether a training whose numbers are none any more is a finished record, and no error.

    Raises:
        DivergedError: such a training, unless it is kept.
    """
    path = ledger.record_path(run.lab, run.arm, run.budget, run.seed)
    if not again and (known := finished_record(run)):
        return known
    with _alone(run, settings):
        if again and run.budget == "quick":
            for file in (path, checkpoint_path(run)):
                file.unlink(missing_ok=True)
        if known := finished_record(run):
            return known
        try:
            return train_run(run, path, settings)
        except DivergedError:
            if not keep_diverged:
                raise
            return _record_diverged(run, path)


@contextmanager
def _alone(run: Run, settings: Settings) -> Iterator[None]:
    """Be the only process that trains a run; the system lets go of a dead process's lock."""
    if distributed.size() > 1:  # the processes of one run train it together
        yield
        return
    checkpoint_path(run).parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(checkpoint_path(run).with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if shows_progress(settings.progress):
            print(f"{run.label}: another process trains this run; waiting for its record.", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _record_diverged(run: Run, path: Path) -> Run:
    """Record a run whose loss became infinite or not a number: it is finished, and its last scores are no numbers."""
    scores = dict.fromkeys(("train_loss", "train_acc", "val_loss", "val_acc"), math.nan)
    run.history.append({"epoch": len(run.history) + 1, "lr": run.recipe["lr"], "seconds": 0.0} | scores)
    run.finished = True
    run.save(path)
    checkpoint_path(run).unlink(missing_ok=True)
    return run


def checkpoint_path(run: Run) -> Path:
    """Return where the checkpoint of an unfinished run lies."""
    record = ledger.record_path(run.lab, run.arm, run.budget, run.seed)
    return cache_dir() / "checkpoints" / run.lab / run.budget / f"{record.stem}.pt"


def train_run(run: Run, path: Path, settings: Settings = Settings()) -> Run:
    """Train one run, write its record after every epoch, and look at the test set once, at the end.

    A run that was stopped goes on after its last finished epoch. Of several processes (`labkit.distributed`) the first
    writes record and checkpoint; the others take part in the training, wait, and read the record.
    """
    distributed.wait()  # all have found that this run is still to be trained, before anything of it is written
    where = pick_device(settings.device)
    splits = Images.of(run.data).load(run.seed_of("images"))
    recipe = Recipe.of(run.recipe)
    options = {k: v for k, v in run.model.items() if k != "name"}
    torch.manual_seed(run.seed_of("weights"))
    model: Any = build(
        run.model["name"],
        in_channels=splits.train.in_channels,
        num_classes=len(splits.train.classes),
        image_size=splits.train.image_size,
        **options,
    )
    run.model = {
        **model.spec,
        "params": count(model).total,
        "trainable": transfer.trainable(model, recipe),
        "multiply_adds": multiply_adds(model, splits.train.images.shape[1:]),
    }
    run.data |= {part.split: {"images": len(part), "fingerprint": part.fingerprint} for part in splits}
    run.device, run.versions = describe_device(where, recipe.precision), versions()
    checkpoint = checkpoint_path(run)

    def keep(row: dict) -> None:
        run.history.append(row)
        run.save(path)
        if settings.report:
            settings.report(run)

    if checkpoint.exists():  # the rows of the epochs that are done; fit checks that they belong here
        run.history = read_checkpoint(checkpoint)["history"]
    more = settings.callbacks(run) if settings.callbacks and distributed.is_first() else []
    train = transfer.fit_head if recipe.head else fit
    try:
        if train is fit or distributed.is_first():  # without gradients there is nothing to share
            history = train(
                model,
                splits.train,
                splits.val,
                recipe,
                seed=run.seed_of("order"),
                device=settings.device,
                checkpoint=checkpoint,
                callbacks=[keep, *more],
                progress=settings.progress,
            )
    finally:
        for callback in more:
            callback.close()
    if distributed.is_first():
        finish(run, model, splits, history, recipe)
        run.save(path)
        checkpoint.unlink(missing_ok=True)
    distributed.wait()
    return run if distributed.is_first() else ledger.read(path)


def finish(run, model, splits, history: History, recipe: Recipe) -> None:
    """Fill in what is known after training: best epoch, final scores (the test set's too), cost."""
    device = next(model.parameters()).device
    stats = pixel_stats(model, splits.train)
    run.history = history.rows
    run.best_epoch = history.best(recipe.early_stop or "val_loss")["epoch"]
    run.final = {
        part.split: score(
            model, eval_batches(part.to(device), stats), recipe.precision, confusion=part.split == "test", details=True
        )
        for part in splits
    }
    if run.embed:
        run.final["embedding"] = embed.record(model, splits.test, run.embed, run.seed, stats)
    run.images_per_second = median(history["images_per_second"])
    run.seconds = sum(history["seconds"])
    run.peak_memory = peak_memory(device)
    run.finished_at = datetime.now(UTC).isoformat(timespec="seconds")
    run.finished = True


def describe_device(device: torch.device, precision: str = "float32") -> str:
    """Return the device in words, such as "2 CPU threads, bf16" or the name of the GPU, and how many processes."""
    name = "an Apple GPU (mps)"
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    elif device.type == "cpu":
        threads = torch.get_num_threads()
        name = f"{threads} CPU thread{'s' if threads > 1 else ''}"
    if pick_precision(precision, device) == "bf16":
        name += ", bf16"
    return name if distributed.size() == 1 else f"{distributed.size()} processes, each on {name}"


def versions() -> dict:
    """Return the versions that a result may depend on."""
    from importlib.metadata import version

    import labkit

    return {
        "labkit": labkit.__version__,
        "torch": torch.__version__,
        "torchvision": version("torchvision"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def peak_memory(device: torch.device) -> int | None:
    """Return the highest memory so far in bytes: of the GPU, or of the process; None where it cannot be read."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.is_file() and (peak := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return int(peak[1]) * 1024  # on Linux; the counter below begins with what the parent process had
    try:
        import resource
    except ImportError:  # Windows
        return None
    kilobyte = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilobyte

"""The ledger: the record of each run, the figures that the sources report, and the two side by side.

A record is one JSON file a run: `data/results/LAB/BUDGET/ARM-seed-N.json`. Full-budget records are part of the
project; quick ones are kept in the cache. Tables and sentences with numbers are made from records only.
Not here: what a lab trains (index.py), figures (plots.py).
"""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median

from labkit.base.errors import ConfigError, DataError, unknown
from labkit.base.files import bundled, cache_dir, write_atomic


@dataclass
class Run:
    """One training, as its JSON record tells it.

    Attributes:
        lab, arm, budget, seed: which run it is.
        model: how the network was built, its parameter count under "params", how many are trained under "trainable".
        data: name, fingerprints of the three splits, their sizes.
        recipe: the fields of `labkit.Recipe`.
        history: one row an epoch, see `labkit.History`.
        final: after training: loss and acc on "train" (dropout off), "val" and "test"; the test set is looked
            at here and nowhere else. "confusion" counts test images by (true class, predicted class).
        embed: names of the layers whose planes are kept under final["embedding"].
        seconds: time of training alone, in s; images_per_second: the median over epochs.
        peak_memory: highest memory of the process so far, in bytes, or None where it cannot be read.
        device, versions, finished_at: where and when.
        trial: number of the search's trial that trained it, if any.
        finished: False while epochs are missing; such a record is never counted.
    """

    lab: str
    arm: str
    budget: str
    seed: int
    model: dict
    data: dict
    recipe: dict
    embed: list[str] = field(default_factory=list)
    history: list[dict] = field(default_factory=list)
    final: dict = field(default_factory=dict)
    best_epoch: int = 0
    seconds: float = 0.0
    images_per_second: float = 0.0
    peak_memory: int | None = None
    device: str = ""
    versions: dict = field(default_factory=dict)
    finished_at: str = ""
    finished: bool = False
    trial: int | None = None

    @property
    def label(self) -> str:
        """The arm and the seed, as progress lines name a run."""
        return f"{self.arm} seed {self.seed}"

    def value(self, metric: str | Callable[["Run"], float]) -> float:
        """Return one number of the run, by the name of a metric (see `METRICS`) or by a function of the run."""
        if callable(metric):
            return metric(self)
        if metric not in METRICS:
            raise unknown("metric", metric, METRICS)
        return METRICS[metric](self)

    def until(self, epoch: int) -> "Run":
        """Return the run as it stood after an epoch: its rows up to there, and no final scores.

        That is what a shorter training would have given only where the schedule is constant.
        """
        if not 1 <= epoch <= len(self.history):
            raise ConfigError(f"{self.label} has epochs 1 to {len(self.history)}, asked for {epoch}.")
        return replace(self, history=self.history[:epoch], final={})

    def save(self, path: Path) -> None:
        """Write the record, whole or not at all."""
        write_atomic(path, (json.dumps(asdict(self), indent=1) + "\n").encode())


METRICS = {  # name: how it is read off a run; train and val at the end of training, as the sources report them
    "train_acc": lambda run: run.history[-1]["train_acc"],
    "val_acc": lambda run: run.history[-1]["val_acc"],
    "train_loss": lambda run: run.history[-1]["train_loss"],
    "val_loss": lambda run: run.history[-1]["val_loss"],
    "test_acc": lambda run: run.final["test"]["acc"],
    "test_loss": lambda run: run.final["test"]["loss"],
    "train_acc_eval": lambda run: run.final["train"]["acc"],
    "train_loss_eval": lambda run: run.final["train"]["loss"],
    "val_acc_best": lambda run: max(row["val_acc"] for row in run.history),
    "val_loss_best": lambda run: min(row["val_loss"] for row in run.history),
    # how far the validation loss has climbed from its lowest point by the end: what over-fitting costs
    "val_loss_rise": lambda run: run.value("val_loss") - run.value("val_loss_best"),
    # the median: an epoch during which the machine did something else does not count
    "seconds_per_epoch": lambda run: median(row["seconds"] for row in run.history),
    "minutes": lambda run: run.value("seconds_per_epoch") * len(run.history) / 60,
    # how much better the network is on images that it has learned from; dropout off for both
    "acc_gap": lambda run: run.value("train_acc_eval") - run.value("val_acc"),
    "seconds": lambda run: run.seconds,
    # epochs, numbered from 1; "overfits_from" is the one after the lowest validation loss
    "best_epoch": lambda run: max(run.history, key=lambda row: row["val_acc"])["epoch"],
    "overfits_from": lambda run: min(run.history, key=lambda row: row["val_loss"])["epoch"] + 1,
    "errors_of_10000": lambda run: 10_000 * (1 - run.value("test_acc")),
    # of the last layer whose plane is kept, and how far it is above that of the first
    "silhouette": lambda run: _planes(run)[-1]["silhouette"],
    "silhouette_gain": lambda run: _planes(run)[-1]["silhouette"] - _planes(run)[0]["silhouette"],
    "line_errors": lambda run: _planes(run)[-1]["line_errors"],
    "trainable": lambda run: run.model["trainable"],
    "multiply_adds": lambda run: run.model["multiply_adds"],
    "params": lambda run: run.model["params"],
    # what a source gives in round figures: its verdict allows ABOUT
    "params_about": lambda run: run.model["params"],
    "bytes_about": lambda run: 4 * run.model["params"],  # float32
}

WHOLE = (
    "params",
    "params_about",
    "bytes_about",
    "trainable",
    "multiply_adds",
    "best_epoch",
    "overfits_from",
    "errors_of_10000",
)


def _planes(run: Run) -> list[dict]:
    """Return the recorded planes of a run, in the order of its layers."""
    return [run.final["embedding"]["layers"][name] for name in run.embed]


def record_path(lab: str, arm: str, budget: str, seed: int) -> Path:
    """Return where the record of a run lies: in the project for the full budget, else in the cache."""
    root = bundled("results") if budget == "full" else cache_dir() / "results"
    safe = re.sub(r"[^A-Za-z0-9.]+", "-", arm).strip("-")  # a file name on every system
    return root / lab / budget / f"{safe}-seed-{seed}.json"


def read(path: Path) -> Run:
    """Read one record; raise `DataError` where the file is damaged."""
    try:
        return Run(**json.loads(Path(path).read_text(encoding="utf-8")))
    except (json.JSONDecodeError, TypeError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} is no record of a run ({error}). Delete it and run that lab again, or restore it from git."
        ) from error

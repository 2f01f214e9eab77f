"""The ledger: the record of each run.

A record is one JSON file a run: `data/results/LAB/BUDGET/ARM-seed-N.json`. Full-budget records are part of the
project; quick ones are kept in the cache. Tables and sentences with numbers are made from records only.
Not here: what the sources report (reports.py), what a lab trains (catalogue).
"""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from labkit.base.errors import ConfigError, DataError, unknown
from labkit.base.files import cache_dir, records_dir, write_atomic
from labkit.records import whole
from labkit.records.metrics import METRICS

DRAWS = ("weights", "order", "images")  # what a run draws from its seed; dropout and transforms go with the order


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
            at here and nowhere else. "confusion" counts test images by (true class, predicted class),
            "loss_sd" is the sd of the loss over images, "right" tells which images of a small set are named rightly.
        embed: names of the layers whose planes are kept under final["embedding"].
        seconds: time of training alone, in s; images_per_second: the median over epochs.
        peak_memory: highest memory of the process so far, in bytes, or None where it cannot be read.
        device, versions, finished_at: where and when.
        trial: number of the search's trial that trained it, if any.
        finished: False while epochs are missing; such a record is never counted.
        fixed: which of `DRAWS` are drawn from seed 0, whatever the run's seed.
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
    fixed: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The arm and the seed, as progress lines name a run."""
        return f"{self.arm} seed {self.seed}"

    def seed_of(self, draw: str) -> int:
        """Return the seed of one of `DRAWS`: the run's own, or 0 where that draw is fixed. Introduced in lab 16."""
        return 0 if draw in self.fixed else self.seed

    def value(self, metric: str | Callable[["Run"], float]) -> float:
        """Return one number of the run, by the name of a metric (see `METRICS`) or by a function of the run."""
        if callable(metric):
            return metric(self)
        if metric not in METRICS:
            raise unknown("metric", metric, METRICS)
        return METRICS[metric].read(self)

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


def record_path(lab: str, arm: str, budget: str, seed: int) -> Path:
    """Return where the record of a run lies: in the project for the full budget, else in the cache."""
    root = records_dir() if budget == "full" else cache_dir() / "results"
    safe = re.sub(r"[^A-Za-z0-9.]+", "-", arm).strip("-")  # a file name on every system
    return root / lab / budget / f"{safe}-seed-{seed}.json"


def read(path: Path) -> Run:
    """Read one record, and believe it only where it is whole and the record of the run that its file is named after.

    Raises:
        DataError: the file is damaged, contradicts itself, or belongs to another run; or it cannot be read at all.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        what = "is a folder, and a record is a file" if path.is_dir() else f"cannot be read: {error.strerror}"
        raise DataError(f"{path} {what}. Nothing in it was changed.") from error
    except ValueError as error:  # no JSON, or no text
        raise _damaged(path, [str(error)]) from error
    if wrong := list(whole.faults(content, Run)):
        raise _damaged(path, wrong)
    run = Run(**content)
    right = record_path(run.lab, run.arm, run.budget, run.seed)
    try:
        wrong = [*whole.disagreements(run), *whole.misplaced(run, path, right)]
    except (TypeError, KeyError, AttributeError, IndexError) as error:  # a part has another form
        wrong = [f"a part of it has another form ({type(error).__name__}: {error})"]
    if wrong:
        raise _damaged(path, wrong)
    return run


def _damaged(path: Path, wrong: list[str]) -> DataError:
    return DataError(
        f"{path} is no whole record of a run: {'; '.join(wrong[:3])}. Delete it and run that lab again, or restore it "
        "from git."
    )

"""The ledger: the record of each run, the figures that the sources report, and the two side by side.

A record is one JSON file a run: `data/results/LAB/BUDGET/ARM-seed-N.json`. Full-budget records are part of the
project; quick ones are kept in the cache. Tables and sentences with numbers are made from records only.
Not here: what a lab trains (experiments.py), figures (plots.py).
"""

import json
import math
import re
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from statistics import median

from labkit.errors import ConfigError, DataError, unknown
from labkit.files import bundled, cache_dir, write_atomic

LEVEL = 0.95  # of every interval in the book
ABOUT = 0.05  # share that a round figure ("about 25,000") may be off


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


@cache
def reported(source: str | None = None, section: str | None = None) -> dict:
    """Return what a source coursework reports, from `reported.toml`. Introduced in lab 03.

    Args:
        source: key of the source, such as "uchile"; all sources by key if not given.
        section: one section of it, such as "dropout"; all of its sections if not given.

    >>> reported("uchile", "dropout")["p=0.5"]["val_acc"]
    0.65
    """
    sources = {entry["key"]: entry for entry in tomllib.loads(bundled("reported.toml").read_text("utf-8"))["source"]}
    if source is None:
        return sources
    if source not in sources:
        raise unknown("source", source, sources)
    if section is None:
        return sources[source]
    if section not in sources[source]:
        raise unknown(f"section of {source}", section, sources[source])
    return sources[source][section]


@dataclass(frozen=True)
class Summary:
    """Mean, spread and number of some values; `str` gives "0.653 ± 0.004 (5)", and "not run" for none.

    >>> str(summarise([0.651, 0.655, 0.653]))
    '0.653 ± 0.002 (3)'
    >>> str(summarise([16, 16, 16]))
    '16 ± 0 (3)'
    """

    mean: float
    sd: float
    n: int

    def __str__(self) -> str:
        if not self.n:
            return "not run"
        alike = self.sd == 0 and self.mean > 1 and self.mean == int(self.mean)  # such as the same epoch in every run
        digits = 0 if alike else digits_for(self.sd)
        spread = f" ± {self.sd:.{digits}f}" if self.n > 1 else ""
        return f"{self.mean:.{digits}f}{spread} ({self.n})"


def summarise(values: list[float]) -> Summary:
    """Return mean (nan for no values), sample sd (0 for one value or none) and number of some values."""
    n = len(values)
    if not n:
        return Summary(math.nan, 0.0, 0)
    mean = math.fsum(values) / n
    sd = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1)) if n > 1 else 0.0
    return Summary(mean, sd, n)


def digits_for(sd: float) -> int:
    """Return how many decimals a spread supports: one significant digit of it, 2 to 4 decimals; none from 1 on.

    >>> digits_for(0.004), digits_for(0.03), digits_for(7.6), digits_for(0)
    (3, 2, 0, 3)
    """
    if sd >= 1:
        return 0
    return 3 if sd == 0 else min(4, max(2, -math.floor(math.log10(sd))))


def plus_minus(mean: float, sd: float) -> str:
    """Return a mean with its spread, in the decimals that the spread supports; without one the mean alone.

    >>> plus_minus(0.6374, 0.008), plus_minus(0.5, 0.0)
    ('0.637 ± 0.008', '0.500')
    """
    digits = digits_for(sd)
    return f"{mean:.{digits}f}" + (f" ± {sd:.{digits}f}" if sd else "")


def interval(values: list[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of some values, by Student's t; infinite for fewer than two.

    >>> low, high = interval([1.0, 2.0, 3.0])
    >>> round(low, 2), round(high, 2)
    (-0.48, 4.48)
    """
    from scipy.stats import t

    s = summarise(values)
    if s.n < 2:
        return -math.inf, math.inf
    half = float(t.ppf((1 + LEVEL) / 2, s.n - 1)) * s.sd / math.sqrt(s.n)
    return s.mean - half, s.mean + half


def verdict(reported_value: float, values: list[float]) -> str:
    """Say whether a source's single figure could be one more run of ours.

    It could if it lies in the 95 % prediction interval of a new run (mean ± t·sd·√(1 + 1/n)), widened by the
    rounding of the printed figure. Otherwise the distance to our mean is given.

    >>> verdict(0.65, [0.651, 0.655, 0.653])
    'reproduced'
    >>> verdict(0.78, [0.651, 0.655, 0.653])
    'not reproduced: ours is 0.13 lower'
    >>> verdict(0.9894, [0.9912, 0.9913, 0.9911])
    'not reproduced: ours is 0.0018 higher'
    """
    if not values:
        return "not run"
    s = summarise(values)
    if s.n < 2:
        return "unclear: one run has no spread"
    low, high = interval(values)
    digits = decimals(reported_value)
    rounding = 0.5 * 10**-digits if digits else 1e-9  # a count is exact
    half = (high - low) / 2 * math.sqrt(s.n + 1) + rounding
    gap = s.mean - reported_value
    if abs(gap) <= half:
        return "reproduced"
    digits = digits or (0 if float(s.mean).is_integer() else 1)  # a mean of counts need not be whole
    return f"not reproduced: ours is {abs(gap):,.{digits}f} {'higher' if gap > 0 else 'lower'}"


def decimals(value: float) -> int:
    """Return how many decimals a source prints of a figure: none of a count, else at least two.

    >>> decimals(106), decimals(0.6), decimals(0.9894)
    (0, 2, 4)
    """
    return 0 if isinstance(value, int) else max(2, len(repr(value).partition(".")[2]))


def verdict_about(reported_value: float, values: list[float]) -> str:
    """Say whether a figure that a source rounds ("about 25,000") fits ours, which has no spread.

    >>> verdict_about(25_000, [24_234, 24_234])
    'reproduced: about the same'
    >>> verdict_about(30_000, [24_234])
    'not reproduced: ours is 19% lower'
    """
    if not values:
        return "not run"
    share = summarise(values).mean / reported_value - 1
    if abs(share) <= ABOUT + 1e-9:
        return "reproduced: about the same"
    return f"not reproduced: ours is {abs(share):.0%} {'higher' if share > 0 else 'lower'}"


def paired(runs: list[Run], metric: str, arm: str, against: str) -> list[float]:
    """Return the difference of a metric between two arms, for each seed that both have finished, by seed."""
    values = {(run.arm, run.seed): run.value(metric) for run in runs if run.finished and run.arm in (arm, against)}
    seeds = sorted(seed for name, seed in values if name == arm and (against, seed) in values)
    return [values[arm, seed] - values[against, seed] for seed in seeds]


def measured(values: list[float]) -> str:
    """Return a mean with its 95 % interval, such as "-0.012 [-0.020, -0.004] (n = 5)".

    >>> measured([0.1, 0.2, 0.3])
    '+0.200 [-0.048, +0.448] (n = 3)'
    >>> measured([1_378_720.0])
    '+1,378,720 (n = 1: no interval)'
    """
    if not values:
        return "not run"
    if len(values) == 1:
        return f"{_signed(values[0])} (n = 1: no interval)"
    low, high = interval(values)
    return f"{_signed(summarise(values).mean)} [{_signed(low)}, {_signed(high)}] (n = {len(values)})"


def _signed(value: float) -> str:
    """Return a difference with its sign; from a thousand on, decimals say nothing."""
    return f"{value:+,.0f}" if abs(value) >= 1000 else f"{value:+.3f}"


def judge(metric: str, differences: list[float]) -> str:
    """Say what paired differences of a metric show: "better" or "worse" only where the 95 % interval leaves out 0.

    >>> judge("val_loss", [-0.10, -0.12, -0.11])
    'better'
    >>> judge("val_acc", [-0.01, 0.02, 0.0])
    'no difference seen'
    """
    if not differences:
        return "not run"
    low, high = interval(differences)
    if len(differences) < 2:
        return "unclear: one run has no interval"
    if low <= 0 <= high:
        return "no difference seen"
    up = low > 0
    if "loss" in metric:
        return "worse" if up else "better"
    if "acc" in metric and metric != "acc_gap":
        return "better" if up else "worse"
    return "higher" if up else "lower"


@dataclass(frozen=True)
class Claim:
    """A sentence of a source, as something that runs can decide.

    Attributes:
        says: the claim in plain words.
        metric: what decides it, one of `METRICS` or a function of a run.
        arm: the arm that it speaks of.
        against: the arm that it is compared with, seed by seed; empty to look at `arm` alone.
        expect: "lower", "higher", "not higher" or "equal".
        margin: "equal" and "not higher": the largest difference that still counts as none; else the smallest
            that counts.
        source: whose sentence it is.
    """

    says: str
    metric: str | Callable[[Run], float]
    arm: str
    against: str
    expect: str
    margin: float = 0.0
    source: str = "uchile"

    def differences(self, runs: list[Run]) -> list[float]:
        """Return the difference of the two arms, or the metric of the one, for each seed that has both."""
        if self.against:
            return paired(runs, self.metric, self.arm, self.against)
        alone = sorted((run for run in runs if run.finished and run.arm == self.arm), key=lambda run: run.seed)
        return [run.value(self.metric) for run in alone]

    def decide(self, runs: list[Run]) -> str:
        """Return "holds", "does not hold", "unclear" or "not run", from the 95 % interval over seeds."""
        found = self.differences(runs)
        if not found:
            return "not run"
        low, high = interval(found)
        if self.expect == "lower":
            low, high = -high, -low
        if self.expect == "equal":
            holds = -self.margin <= low and high <= self.margin
            fails = low > self.margin or high < -self.margin
        elif self.expect == "not higher":
            holds, fails = high <= self.margin, low > self.margin
        else:
            holds, fails = low > self.margin, high < self.margin
        return "holds" if holds else "does not hold" if fails else "unclear"

    def measured(self, runs: list[Run]) -> str:
        """Return the mean difference with its 95 % interval, see `measured`."""
        return measured(self.differences(runs))

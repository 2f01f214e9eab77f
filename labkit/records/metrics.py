"""The metrics of a run: how each is read off its record, which direction is better, how it is printed.

Not here: the record (ledger.py), means (spread.py) and intervals (statistics.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Metric:
    """One number of a run. Introduced in lab 03.

    Attributes:
        name: what tables call it.
        read: takes the `Run`, returns the number.
        better: "higher" or "lower"; empty where neither is better.
        whole: whether it counts something, and is printed without decimals.
        exact: whether it follows from the network alone, the same whatever the seed.
        about: whether the sources give it in round figures ("about 25,000"), so that its verdict allows for them.
    """

    name: str
    read: Callable[..., float]
    better: str = ""
    whole: bool = False
    exact: bool = False
    about: bool = False


def _last(name: str) -> Callable[..., float]:
    """Return what reads a quantity of the last epoch: the end of training, as the sources report it."""
    return lambda run: run.history[-1][name]


def _final(part: str, name: str) -> Callable[..., float]:
    """Return what reads a score of the finished network, with dropout off."""
    return lambda run: run.final[part][name]


def _best(choose: Callable, name: str) -> Callable[..., float]:
    return lambda run: choose(row[name] for row in run.history)


def _loss_rise(run) -> float:
    """Return how far the validation loss has climbed from its lowest point by the end: what over-fitting costs."""
    return run.value("val_loss") - run.value("val_loss_best")


def _seconds_per_epoch(run) -> float:
    """Return the median: an epoch during which the machine did something else does not count."""
    return median(row["seconds"] for row in run.history)


def _acc_gap(run) -> float:
    """Return how much better the network is on images that it has learned from; dropout off for both."""
    return run.value("train_acc_eval") - run.value("val_acc")


def _best_epoch(run) -> int:
    return max(run.history, key=lambda row: row["val_acc"])["epoch"]


def _overfits_from(run) -> int:
    """Return the epoch after the one of the lowest validation loss."""
    return min(run.history, key=lambda row: row["val_loss"])["epoch"] + 1


def _planes(run) -> list[dict]:
    """Return the recorded planes of a run, in the order of its layers."""
    return [run.final["embedding"]["layers"][name] for name in run.embed]


def _silhouette_gain(run) -> float:
    """Return how far the last layer whose plane is kept is above the first one."""
    return _planes(run)[-1]["silhouette"] - _planes(run)[0]["silhouette"]


_ALL = (
    Metric("train_acc", _last("train_acc"), "higher"),
    Metric("val_acc", _last("val_acc"), "higher"),
    Metric("train_loss", _last("train_loss"), "lower"),
    Metric("val_loss", _last("val_loss"), "lower"),
    Metric("test_acc", _final("test", "acc"), "higher"),
    Metric("test_loss", _final("test", "loss"), "lower"),
    Metric("train_acc_eval", _final("train", "acc"), "higher"),
    Metric("train_loss_eval", _final("train", "loss"), "lower"),
    Metric("val_acc_best", _best(max, "val_acc"), "higher"),
    Metric("val_loss_best", _best(min, "val_loss"), "lower"),
    Metric("val_loss_rise", _loss_rise, "lower"),
    Metric("acc_gap", _acc_gap),
    Metric("seconds_per_epoch", _seconds_per_epoch),
    Metric("minutes", lambda run: run.value("seconds_per_epoch") * len(run.history) / 60),
    Metric("seconds", lambda run: run.seconds),
    Metric("best_epoch", _best_epoch, whole=True),
    Metric("overfits_from", _overfits_from, whole=True),
    Metric("errors_of_10000", lambda run: 10_000 * (1 - run.value("test_acc")), whole=True),
    Metric("silhouette", lambda run: _planes(run)[-1]["silhouette"]),
    Metric("silhouette_gain", _silhouette_gain),
    Metric("line_errors", lambda run: _planes(run)[-1]["line_errors"]),
    Metric("trainable", lambda run: run.model["trainable"], whole=True, exact=True),
    Metric("multiply_adds", lambda run: run.model["multiply_adds"], whole=True, exact=True),
    Metric("params", lambda run: run.model["params"], whole=True, exact=True),
    Metric("params_about", lambda run: run.model["params"], whole=True, exact=True, about=True),
    Metric("bytes_about", lambda run: 4 * run.model["params"], whole=True, exact=True, about=True),  # float32
)
METRICS = {metric.name: metric for metric in _ALL}


def named(metric: str | Callable[..., float]) -> Metric | None:
    """Return what is known of a metric: None of a function of a run, which has no name."""
    return METRICS.get(metric) if isinstance(metric, str) else None

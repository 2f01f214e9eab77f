"""What the records of runs say about classes: their confusions on the test images, as figures and claims read them.

Not here: the confusions of a network at hand (analysis/predictions.py).
"""

from collections.abc import Callable, Sequence

import numpy as np

from labkit.analysis.predictions import most_confused
from labkit.base.errors import ConfigError
from labkit.records.ledger import Run


def recorded_confusion(runs: Sequence[Run]) -> np.ndarray:
    """Return the sum of the confusions of recorded runs on their test images, by (true class, chosen class).

    Raises:
        ConfigError: no runs.
    """
    if not runs:
        raise ConfigError("There is no run to read a confusion from. Train one first: lab.run().")
    return np.sum([run.final["test"]["confusion"] for run in runs], axis=0)


def right(run: Run, split: str = "test") -> np.ndarray:
    """Return which images of a split a recorded run named rightly, (N,) bool, in their order. Introduced in lab 16.

    Raises:
        ConfigError: a record that does not have it: of more than 1,000 images, or of an older labkit.
    """
    if "right" not in run.final[split]:
        raise ConfigError(f"The record of {run.label} does not say which {split} images are right; only small sets do.")
    bits = np.frombuffer(bytes.fromhex(run.final[split]["right"]), dtype=np.uint8)
    return np.unpackbits(bits)[: run.data[split]["images"]].astype(bool)


def worst_pairs(*named: tuple[int, int]) -> Callable[[Run], int]:
    """Return a metric: how many of the named pairs of classes are among as many most confused ones of a run.

    Args:
        named: pairs of class numbers, the smaller one first.
    """

    def metric(run: Run) -> int:
        counts = recorded_confusion([run])
        worst = most_confused(counts, range(len(counts)), pairs=len(named))
        return len({(a, b) for a, b, _ in worst} & set(named))

    return metric


def worst_classes(*named: int) -> Callable[[Run], int]:
    """Return a metric: how many of the named classes are among as many classes with most confusions of a run.

    A confusion counts for both of its classes.
    """

    def metric(run: Run) -> int:
        counts = recorded_confusion([run])
        confusions = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()  # (num_classes,)
        worst = np.argsort(-confusions, kind="stable")[: len(named)]
        return len(set(worst.tolist()) & set(named))

    return metric


def per_class(counts: np.ndarray) -> np.ndarray:
    """Return the share of each class's images that is recognised, (num_classes,) in [0, 1]. Introduced in lab 08.

    >>> per_class(np.array([[3, 1], [0, 4]]))
    array([0.75, 1.  ])
    """
    counts = np.asarray(counts)
    return counts.diagonal() / counts.sum(axis=1)

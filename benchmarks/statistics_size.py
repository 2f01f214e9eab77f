"""Do the intervals cover at their level, and do the tests keep their size? With many repetitions, by simulation.

    python benchmarks/statistics_size.py [REPETITIONS]

Each line draws runs whose truth is known, asks the function of labkit.records, and counts how often it is wrong. Beside
it stands the band in which the count of a right one lies 99 times in 100. Exit code 1 where one lies outside of its
band, and of what is allowed for a test that is not exact. The tests of the project do the same in seconds.
"""

import sys
from collections.abc import Callable, Iterator

import numpy as np
from scipy import stats

from labkit.records.estimates import difference
from labkit.records.ledger import Run
from labkit.records.statistics import (
    binomial_sd,
    cluster_interval,
    mean_interval,
    paired,
    power,
    prediction_interval,
    tost,
    welch,
    wilson,
)

Case = tuple[str, float, float, Callable[[np.random.Generator], bool]]  # what, expected share, allowance, one trial


def outside(interval: tuple[float, float], truth: float) -> bool:
    """Tell whether an interval leaves out the truth."""
    return not interval[0] <= truth <= interval[1]


def cases() -> Iterator[Case]:
    """Yield what is tried; a share of 5 % is expected of all but the last."""
    for n in (2, 3, 5, 10):
        yield f"mean_interval, n = {n}", 0.05, 0.0, lambda rng, n=n: outside(mean_interval(rng.normal(0, 1, n)), 0)
        yield f"prediction_interval, n = {n}", 0.05, 0.0, lambda rng, n=n: prediction(rng, n)
        yield f"paired, n = {n}", 0.05, 0.0, lambda rng, n=n: outside(paired(*rng.normal(0, 1, (2, n))), 0)
    for n, m, ratio in ((3, 3, 1), (5, 5, 4), (3, 5, 2), (10, 10, 1)):
        yield (
            f"welch, n = {n} and {m}, sd 1 and {ratio}",
            0.05,
            0.015,  # Welch's degrees of freedom are an approximation
            lambda rng, n=n, m=m, r=ratio: outside(welch(rng.normal(0, 1, n), rng.normal(0, r, m)), 0),
        )
    yield "prediction_interval of 200 other images, n = 5", 0.05, 0.01, on_200_images
    for r in (0.0, 0.3, 0.6, 0.9):
        yield f"pairs or Welch by correlation, r = {r}, n = 10", 0.05, 0.015, lambda rng, r=r: by_correlation(rng, r)
    yield (
        "tost at its margin, n = 10",
        0.05,
        0.0,
        lambda rng: tost(rng.normal(1, 0.5, 10), rng.normal(0, 0.5, 10), 1) < 0.05,
    )
    yield "wilson, 180 of 200", 0.05, 0.015, lambda rng: outside(wilson(int(rng.binomial(200, 0.9)), 200), 0.9)
    yield "cluster_interval, 40 clusters of 5", 0.05, 0.015, clusters
    yield (
        "power of a difference of 1.5 sd, n = 6",
        power(1.5, 1.0, 6),
        0.015,
        lambda rng: outside(welch(rng.normal(1.5, 1, 6), rng.normal(0, 1, 6)), 0),
    )


def prediction(rng: np.random.Generator, n: int) -> bool:
    """Tell whether one more run lies outside of where it should."""
    return outside(prediction_interval(rng.normal(0.5, 1, n)), rng.normal(0.5, 1))


def on_200_images(rng: np.random.Generator) -> bool:
    """Tell the same of a run that is judged on 200 images of its own."""
    other = rng.binomial(200, np.clip(rng.normal(0.7, 0.01), 0, 1)) / 200
    return outside(prediction_interval(rng.normal(0.7, 0.01, 5), drawn=binomial_sd(0.7, 200)), other)


def by_correlation(rng: np.random.Generator, r: float) -> bool:
    """Tell whether two arms that draw the same images, and are equal, are told apart."""
    shared, own = rng.normal(0, np.sqrt(r), 10), rng.normal(0, np.sqrt(1 - r), (2, 10))
    runs = [
        run(arm, seed, value) for arm, row in zip("ab", shared + own, strict=True) for seed, value in enumerate(row)
    ]
    return outside(difference(runs, lambda run: run.seconds, "a", "b").interval(), 0)


def run(arm: str, seed: int, value: float) -> Run:
    """Return a finished run that drew its images from its seed; its value stands under `seconds`."""
    return Run("x", arm, "full", seed, {}, {"name": "made", "draw_split": True}, {}, seconds=value, finished=True)


def clusters(rng: np.random.Generator) -> bool:
    """Tell whether the interval of values that come in clusters leaves out their mean."""
    values = np.repeat(rng.normal(0, 1, 40), 5) + rng.normal(0, 0.5, 200)
    return outside(cluster_interval(values, np.repeat(range(40), 5)), 0)


def main(repetitions: int) -> int:
    bad = 0
    for what, share, allowance, wrong in cases():
        rng = np.random.default_rng(0)
        found = np.mean([wrong(rng) for _ in range(repetitions)])
        low, high = stats.binom.interval(0.99, repetitions, share) / np.float64(repetitions)
        ok = low - allowance <= found <= high + allowance
        bad += not ok
        print(
            f"{what:50} {found:.4f}   expected {share:.3f} [{low:.4f}, {high:.4f}]{'' if ok else '   OUTSIDE'}",
            flush=True,
        )
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))

"""Means with their spread, 95 % intervals by Student's t, and differences of runs paired by seed.

Not here: verdicts on figures and sentences of the sources (claims.py).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from labkit.records.ledger import Run
from labkit.records.metrics import METRICS

LEVEL = 0.95  # of every interval in the book


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


def paired(runs: list[Run], metric: str | Callable[[Run], float], arm: str, against: str) -> list[float]:
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
    seen = "higher" if low > 0 else "lower"
    better = METRICS[metric].better
    return seen if not better else "better" if seen == better else "worse"

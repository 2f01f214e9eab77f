"""Intervals and tests over a few runs, under the names of the field; the work is scipy's and statsmodels'.

One page, to be read in lab 16. Each takes plain numbers, one a run, and refuses what has no answer: one run, runs that
are all equal, a number that is none. Not here: which runs are compared (statistics.py), what follows (claims.py).
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from labkit.base.checks import number, whole
from labkit.base.errors import ConfigError
from labkit.records.statistics import LEVEL


def prediction_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Return where one more run would lie: mean ± t · sd · √(1 + 1/n). Introduced in lab 16.

    Args:
        values: at least two runs that are not all equal.
        level: of the interval, in (0, 1).

    Raises:
        ConfigError: fewer runs, equal ones, numbers that are none, a level that is none.

    >>> low, high = prediction_interval([0.651, 0.655, 0.653])
    >>> round(low, 3), round(high, 3)
    (0.643, 0.663)
    """
    x = _runs("values", values)
    half = stats.t.ppf((1 + _level(level)) / 2, len(x) - 1) * x.std(ddof=1) * math.sqrt(1 + 1 / len(x))
    return float(x.mean() - half), float(x.mean() + half)


def mean_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Return where the mean of many runs lies: mean ± t · sd / √n. Arguments and errors as `prediction_interval`.

    >>> low, high = mean_interval([1.0, 2.0, 3.0])
    >>> round(low, 2), round(high, 2)
    (-0.48, 4.48)
    """
    found = stats.ttest_1samp(_runs("values", values), 0).confidence_interval(_level(level))
    return float(found.low), float(found.high)


def welch(a: Sequence[float], b: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Return where the mean of `a` less the mean of `b` lies, of runs that share nothing (Welch, 1947). Lab 16.

    Args:
        a, b: at least two runs each; not both without spread.
        level: of the interval, in (0, 1).

    Raises:
        ConfigError: as `prediction_interval`.

    >>> low, high = welch([0.70, 0.72, 0.71], [0.65, 0.66, 0.67])
    >>> round(low, 3), round(high, 3)
    (0.027, 0.073)
    """
    from statsmodels.stats.weightstats import CompareMeans

    x, y = _runs("a", a, spread=False), _runs("b", b, spread=False)
    if not (x.std() or y.std()):
        raise ConfigError("All runs of each arm are equal: without any spread there is no interval.")
    low, high = CompareMeans.from_data(x, y).tconfint_diff(1 - _level(level), usevar="unequal")
    return float(low), float(high)


def paired(a: Sequence[float], b: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Return where the mean of `a` less `b` lies, of runs that share something pair by pair, such as images. Lab 16.

    Pairs pay where the two rise and fall together, see `correlation`; else they cost half of the degrees of freedom.

    Args:
        a, b: the two runs of each pair, in the same order; at least two pairs.
        level: of the interval, in (0, 1).

    Raises:
        ConfigError: arms of different length; differences that are all equal; as `prediction_interval`.

    >>> low, high = paired([0.70, 0.72, 0.71], [0.65, 0.66, 0.67])
    >>> round(low, 3), round(high, 3)
    (0.025, 0.075)
    """
    x, y = _pairs(a, b)
    return mean_interval((x - y).tolist(), level)


def correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Return how far the runs of two arms rise and fall together, in [-1, 1]: what pairing has to live on. Lab 16.

    Raises:
        ConfigError: as `paired`, and for an arm without spread.

    >>> round(correlation([1, 2, 3], [1, 2, 4]), 2)
    0.98
    """
    x, y = _pairs(a, b)
    if not (x.std() and y.std()):
        raise ConfigError("All runs of an arm are equal: there is nothing that could rise and fall together.")
    return float(np.corrcoef(x, y)[0, 1])


def tost(a: Sequence[float], b: Sequence[float], margin: float) -> float:
    """Return the p of two one-sided tests that the means differ by less than a margin (Schuirmann, 1987). Lab 16.

    A small p says "equal, within the margin". A large one says nothing: neither equal nor different.

    Args:
        a, b: as in `welch`.
        margin: the largest difference that still counts as none, above 0.

    Raises:
        ConfigError: a margin of zero or below; as `welch`.

    >>> round(tost([0.70, 0.72, 0.71], [0.70, 0.71, 0.72], 0.03), 3)
    0.011
    """
    from statsmodels.stats.weightstats import ttost_ind

    if not 0 < number("margin", margin) < math.inf:
        raise ConfigError(f"A margin is above 0, got {margin}: no two means are exactly equal.")
    welch(a, b)  # says what is wrong with the runs
    return float(ttost_ind(np.asarray(a, float), np.asarray(b, float), -margin, margin, usevar="unequal")[0])


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values of several tests, corrected so that one false alarm among all is as rare as of one (Holm, 1979).

    Args:
        p_values: of the tests that belong together, each in [0, 1].

    Raises:
        ConfigError: none, or a number outside of [0, 1].

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    from statsmodels.stats.multitest import multipletests

    p = np.asarray([number("p", one) for one in p_values], float)
    if not len(p) or not ((p >= 0) & (p <= 1)).all():
        raise ConfigError(f"Holm's correction takes p-values from 0 to 1, at least one; got {list(p_values)}.")
    corrected: Any = multipletests(p, method="holm")[1]
    return [float(one) for one in corrected]


def wilson(successes: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return where a share lies of which `successes` of `n` were seen, such as an accuracy (Wilson, 1927). Lab 10.

    Args:
        successes: from 0 to n.
        n: at least 1.
        level: of the interval, in (0, 1).

    Raises:
        ConfigError: numbers out of range.

    >>> low, high = wilson(190, 200)
    >>> round(low, 3), round(high, 3)
    (0.91, 0.973)
    """
    n = whole("n", n, 1)
    found = stats.binomtest(whole("successes", successes, 0, n), n).proportion_ci(_level(level), method="wilson")
    return float(found.low), float(found.high)


def power(difference: float, sd: float, n: int, level: float = LEVEL) -> float:
    """Return how often Welch's interval leaves out zero, with n runs an arm, where the means differ. Lab 16.

    Args:
        difference: of the two means; 0 gives the share of false alarms.
        sd: of the runs of each arm, above 0.
        n: runs an arm, at least 2.
        level: of the interval, in (0, 1).

    Raises:
        ConfigError: numbers out of range.

    >>> round(power(0.01, 0.01, 17), 2), round(power(0.0, 0.01, 5), 2)
    (0.81, 0.05)
    """
    from statsmodels.stats.power import TTestIndPower

    if not math.isfinite(number("difference", difference)) or not 0 < number("sd", sd) < math.inf:
        raise ConfigError(f"Power needs a finite difference and an sd above 0, got {difference} and {sd}.")
    found = TTestIndPower().power(abs(difference) / sd, whole("n", n, 2), 1 - _level(level))
    return float(found)


def _pairs(a, b) -> tuple[np.ndarray, np.ndarray]:
    if len(a) != len(b):
        raise ConfigError(f"Pairs need as many runs in one arm as in the other, got {len(a)} and {len(b)}.")
    return _runs("a", a, spread=False), _runs("b", b, spread=False)


def _runs(name: str, values: Sequence[float], spread: bool = True) -> np.ndarray:
    """Return the numbers of some runs; raise `ConfigError` where they cannot have an interval."""
    x = np.asarray(list(values), dtype=float)
    if x.ndim != 1 or len(x) < 2:
        raise ConfigError(f"{name}: an interval needs at least two runs, got {len(x)}. Train more seeds.")
    if not np.isfinite(x).all():
        raise ConfigError(f"{name} has numbers that are none: {x[~np.isfinite(x)].tolist()}. Look at those runs.")
    if spread and x.min() == x.max():
        raise ConfigError(f"{name}: all {len(x)} runs are {x[0]:g}. What cannot vary has no interval.")
    return x


def _level(level: float) -> float:
    if not 0 < number("level", level) < 1:
        raise ConfigError(f"A level lies between 0 and 1, such as 0.95; got {level}.")
    return level

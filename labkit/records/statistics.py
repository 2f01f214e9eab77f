"""Intervals and tests over a few runs, under the names of the field; the work is scipy's and statsmodels'.

To be read in lab 16. Each takes plain numbers, one a run, and refuses what has no answer: one run, runs that are all
equal, a number that is none. scipy and statsmodels take a second to load, so each function loads what it needs.
Not here: which runs are compared (estimates.py), what follows (claims.py).
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from labkit.base.checks import number, whole
from labkit.base.errors import ConfigError

LEVEL = 0.95  # of every interval in the book
POWER = 0.8  # how often enough runs see a difference that is there


def prediction_interval(values: Sequence[float], level: float = LEVEL, *, drawn: float = 0.0) -> tuple[float, float]:
    """Return where one more run would lie: mean ± t · sd · √(1 + 1/n). Introduced in lab 16.

    Args:
        values: at least two runs that are not all equal.
        level: of the interval, in (0, 1).
        drawn: where the other run was judged on images of its own: the sd that these add, see `binomial_sd`. It is
            known, not estimated, which the degrees of freedom take into account (Satterthwaite, 1946).

    Raises:
        ConfigError: fewer runs, equal ones, numbers that are none, a level that is none, an sd below 0.

    >>> low, high = prediction_interval([0.651, 0.655, 0.653])
    >>> round(low, 3), round(high, 3)
    (0.643, 0.663)
    >>> low, high = prediction_interval([0.651, 0.655, 0.653], drawn=binomial_sd(0.653, 200))
    >>> round(low, 2), round(high, 2)
    (0.59, 0.72)
    """
    from scipy import stats

    x = _runs("values", values)
    if not 0 <= number("drawn", drawn) < math.inf:
        raise ConfigError(f"An sd is 0 or above, got {drawn}.")
    seeds = x.var(ddof=1) * (1 + 1 / len(x))
    degrees = (len(x) - 1) * ((seeds + drawn**2) / seeds) ** 2
    half = stats.t.ppf((1 + _level(level)) / 2, degrees) * math.sqrt(seeds + drawn**2)
    return float(x.mean() - half), float(x.mean() + half)


def binomial_sd(share: float, images: int) -> float:
    """Return how far a share lies off by chance alone, where it is read on so many images: √(p(1 - p) / n). Lab 16.

    Args:
        share: such as an accuracy, in [0, 1].
        images: at least 1.

    Raises:
        ConfigError: numbers out of range.

    >>> round(binomial_sd(0.8, 64), 2)
    0.05
    """
    if not 0 <= number("share", share) <= 1:
        raise ConfigError(f"A share lies between 0 and 1, got {share}.")
    return math.sqrt(share * (1 - share) / whole("images", images, 1))


def mean_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Return where the mean of many runs lies: mean ± t · sd / √n. Arguments and errors as `prediction_interval`.

    >>> low, high = mean_interval([1.0, 2.0, 3.0])
    >>> round(low, 2), round(high, 2)
    (-0.48, 4.48)
    """
    from scipy import stats

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


def above(a: Sequence[float], b: Sequence[float], margin: float = 0.0, *, pairs: bool = False) -> float:
    """Return the p of the one-sided test that the mean of `a` is more than `margin` above that of `b`. Lab 16.

    Args:
        a, b: as in `welch`; as in `paired` where `pairs` is set.
        margin: the difference that must be passed; may be negative.
        pairs: whether the runs share something pair by pair.

    Raises:
        ConfigError: a margin that is none; as `welch` or `paired`.

    >>> round(above([0.70, 0.72, 0.71], [0.65, 0.66, 0.67], 0.02), 3)
    0.011
    """
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    if not math.isfinite(number("margin", margin)):
        raise ConfigError(f"A margin is a finite number, got {margin}.")
    if pairs:
        paired(a, b)  # says what is wrong with the runs
        gaps = np.asarray(a, float) - np.asarray(b, float)
        return float(DescrStatsW(gaps - margin).ttest_mean(alternative="larger")[1])
    welch(a, b)
    means = CompareMeans.from_data(np.asarray(a, float) - margin, np.asarray(b, float))
    return float(means.ttest_ind(alternative="larger", usevar="unequal")[1])


def tost(a: Sequence[float], b: Sequence[float], margin: float, *, pairs: bool = False) -> float:
    """Return the p of two one-sided tests that the means differ by less than a margin (Schuirmann, 1987). Lab 16.

    A small p says "equal, within the margin". A large one says nothing: neither equal nor different.

    Args:
        a, b, pairs: as in `above`.
        margin: the largest difference that still counts as none, above 0.

    Raises:
        ConfigError: a margin of zero or below; as `above`.

    >>> round(tost([0.70, 0.72, 0.71], [0.70, 0.71, 0.72], 0.03), 3)
    0.011
    """
    if not 0 < number("margin", margin) < math.inf:
        raise ConfigError(f"A margin is above 0, got {margin}: no two means are exactly equal.")
    return max(above(a, b, -margin, pairs=pairs), above(b, a, -margin, pairs=pairs))


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
    from scipy import stats

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
    found = float(TTestIndPower().power(abs(difference) / sd, whole("n", n, 2), 1 - _level(level)))
    return 1.0 if math.isnan(found) else found  # SciPy has no digits left where the power is 1 to the tenth of them


def runs_needed(difference: float, sd: float, level: float = LEVEL) -> int:
    """Return how many runs an arm show a difference in four cases of five, by Welch's interval. Lab 16.

    Args:
        difference: that is to be seen; not 0.
        sd: as in `power`.
        level: of the interval, in (0, 1).

    Raises:
        ConfigError: numbers out of range.

    >>> runs_needed(0.01, 0.01), runs_needed(0.01, 0.003)
    (17, 3)
    """
    from statsmodels.stats.power import TTestIndPower

    if not difference:
        raise ConfigError("No number of runs shows a difference of 0. Say which difference would matter.")
    n = 2
    if power(difference, sd, n, level) < POWER:
        found = TTestIndPower().solve_power(abs(difference) / sd, power=POWER, alpha=1 - level)
        n = math.ceil(float(found))  # pyright: ignore[reportArgumentType]
    return n


def mcnemar(only_a: int, only_b: int) -> float:
    """Return the p that two networks are equally good, from the images that only one of them has right. Lab 16.

    Images that both or neither have right say nothing. Exact, by the binomial distribution (McNemar, 1947).

    Args:
        only_a, only_b: how many images only the one and only the other has right; not both 0.

    Raises:
        ConfigError: numbers below 0, or nothing in which the two differ.

    >>> round(mcnemar(12, 9), 2)
    0.66
    """
    from statsmodels.stats.contingency_tables import mcnemar as test

    a, b = whole("only_a", only_a, 0), whole("only_b", only_b, 0)
    if not a + b:
        raise ConfigError("Both networks have the same images right: there is nothing that could tell them apart.")
    found: Any = test([[0, a], [b, 0]], exact=True)
    return float(found.pvalue)


def cluster_interval(values: Sequence[float], clusters: Sequence[Any], level: float = LEVEL) -> tuple[float, float]:
    """Return where the mean of values lies that come in clusters, such as many networks' answers to one image. Lab 16.

    Values of a cluster say the same in part: what counts is the number of clusters, not that of values. Least squares
    on a constant, with a variance that is robust to clusters (Liang and Zeger, 1986).

    Args:
        values: numbers.
        clusters: for each value the name of its cluster; at least two clusters.
        level: of the interval, in (0, 1).

    Raises:
        ConfigError: fewer clusters, another number of names than of values; as `mean_interval`.

    >>> low, high = cluster_interval([1, 1, 1, 0, 0, 0, 1, 0], list("aaabbbcd"))
    >>> round(low, 1), round(high, 1)
    (-0.5, 1.5)
    """
    from statsmodels.regression.linear_model import OLS

    x, names = _runs("values", values), list(clusters)
    if len(names) != len(x):
        raise ConfigError(f"Each value needs its cluster: got {len(x)} values and {len(names)} names.")
    groups = np.unique(np.asarray([str(name) for name in names]), return_inverse=True)[1]
    if groups.max() < 1:
        raise ConfigError("All values are of one cluster: what varies between clusters cannot be seen.")
    fitted = OLS(x, np.ones_like(x)).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    low, high = fitted.conf_int(1 - _level(level))[0]
    return float(low), float(high)


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
    if spread and np.ptp(x) <= 1e-12 * abs(x[0]):
        raise ConfigError(f"{name}: all {len(x)} runs are {x[0]:g}. What cannot vary has no interval.")
    return x


def _level(level: float) -> float:
    if not 0 < number("level", level) < 1:
        raise ConfigError(f"A level lies between 0 and 1, such as 0.95; got {level}.")
    return level

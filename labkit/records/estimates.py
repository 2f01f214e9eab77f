"""What runs say about a quantity: a difference, a mean, a ratio, a share or a count, with its interval and its tests.

All of one form, so that a claim needs not know which it is: `mean`, `neutral`, `interval`, `above`, `below`, `needed`,
and `why_not` where there is no interval. Not here: the statistics themselves (statistics.py), verdicts (claims.py).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from labkit.base.errors import ConfigError
from labkit.base.tables import duration
from labkit.records import statistics
from labkit.records.ledger import Run
from labkit.records.metrics import named
from labkit.records.spread import summarise
from labkit.records.statistics import LEVEL

NOT_RUN = "not run"


class Estimate(Protocol):
    """What a claim asks of an estimate."""

    @property
    def why_not(self) -> str:
        """Why there is no interval; empty where there is one."""
        ...

    @property
    def neutral(self) -> float:
        """The value that stands for no difference."""
        ...

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return where the true value lies."""
        ...

    def above(self, limit: float) -> float:
        """Return the p of the one-sided test that the true value is above a limit."""
        ...

    def below(self, limit: float) -> float:
        """Return the p of the one-sided test that the true value is below a limit."""
        ...

    def needed(self, margin: float) -> str:
        """Say how many runs would show a difference as large as a margin, and what those that are missing cost.

        Empty where that is not known.
        """
        ...


@dataclass(frozen=True)
class Exact:
    """A count that no seed changes, or the difference of two. Introduced in lab 07.

    >>> str(Exact(-12_710.0))
    '-12,710 (exact)'
    """

    mean: float
    neutral: float = 0.0
    signed: bool = True
    better: str = ""
    why_not: str = ""

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the value twice."""
        return self.mean, self.mean

    def above(self, limit: float) -> float:
        """Return 0 or 1: there is nothing to doubt."""
        return 0.0 if self.mean > limit else 1.0

    def below(self, limit: float) -> float:
        """Return 0 or 1."""
        return 0.0 if self.mean < limit else 1.0

    def needed(self, margin: float) -> str:
        """Return nothing: a count is known."""
        return ""

    @property
    def seen(self) -> str:
        """What it shows, one of "better", "worse", "higher", "lower" and "the same"."""
        return "the same" if self.mean == self.neutral else _seen(self, self.better)

    def __str__(self) -> str:
        return f"{self.mean:{'+' if self.signed else ''},.0f} (exact)"


@dataclass(frozen=True)
class Gap:
    """The mean of some runs less that of others that share nothing with them, by Welch's interval. Lab 05.

    Attributes:
        a, b: a number a run.
        better: "higher" or "lower" where one of them is better, else empty.
        neutral: the value that stands for no difference.
        minutes: what one more run of each arm takes; 0 where that is not known.
    """

    a: tuple[float, ...]
    b: tuple[float, ...]
    better: str = ""
    neutral: float = 0.0
    minutes: float = field(default=0.0, compare=False)

    @property
    def why_not(self) -> str:
        """Why there is no interval; empty where there is one."""
        return why_not(lambda: statistics.welch(self.a, self.b), self.a, self.b)

    @property
    def mean(self) -> float:
        """The difference of the means."""
        return summarise(self.a).mean - summarise(self.b).mean

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return Welch's interval."""
        return statistics.welch(self.a, self.b, level)

    def above(self, limit: float) -> float:
        """Return the p that the difference is above a limit."""
        return statistics.above(self.a, self.b, limit)

    def below(self, limit: float) -> float:
        """Return the p that the difference is below a limit."""
        return statistics.above(self.b, self.a, -limit)

    def needed(self, margin: float) -> str:
        """Say how many runs an arm would show a difference as large as the margin."""
        sd = math.hypot(summarise(self.a).sd, summarise(self.b).sd) / math.sqrt(2)
        return _needed(margin, sd, len(self.a), "runs an arm", self.minutes)

    @property
    def seen(self) -> str:
        """What it shows without any margin, one of "better", "worse", "higher", "lower" and "cannot tell"."""
        return _seen(self, self.better)

    def __str__(self) -> str:
        runs = (len(self.a), len(self.b))
        return _shown(self, " and ".join(str(n) for n in dict.fromkeys(runs)))


@dataclass(frozen=True)
class Mean:
    """The mean of some numbers: of one arm's runs, or of differences pair by pair. Introduced in lab 05.

    Attributes:
        values: a number a run or a pair.
        neutral: the value that stands for no difference.
        better: as in `Gap`.
        pairs: how far the two runs of a pair rise and fall together, where the values are differences.
        what: what is counted.
        signed: whether it is shown with its sign, as a difference is.
        minutes: as in `Gap`.
    """

    values: tuple[float, ...]
    neutral: float = 0.0
    better: str = ""
    pairs: float | None = None
    what: str = "runs"
    signed: bool = True
    minutes: float = field(default=0.0, compare=False)

    @property
    def why_not(self) -> str:
        """Why there is no interval; empty where there is one."""
        return why_not(lambda: statistics.mean_interval(self.values), self.values)

    @property
    def mean(self) -> float:
        """The mean."""
        return summarise(self.values).mean

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return Student's interval."""
        return statistics.mean_interval(self.values, level)

    def above(self, limit: float) -> float:
        """Return the p that the mean is above a limit."""
        return statistics.above(self.values, [0.0] * len(self.values), limit, pairs=True)

    def below(self, limit: float) -> float:
        """Return the p that the mean is below a limit."""
        return statistics.above([0.0] * len(self.values), self.values, -limit, pairs=True)

    def needed(self, margin: float) -> str:
        """Say how many runs would show a difference as large as the margin."""
        sd = summarise(self.values).sd / math.sqrt(2)  # the mean of one sample has half the variance of a difference
        return _needed(margin, sd, len(self.values), self.what, self.minutes)

    @property
    def seen(self) -> str:
        """What it shows without any margin, one of "better", "worse", "higher", "lower" and "cannot tell"."""
        return _seen(self, self.better)

    def __str__(self) -> str:
        what = "" if self.what == "runs" else f" {self.what}"
        r = "" if self.pairs is None else f", r = {self.pairs:.2f}"
        return _shown(self, f"{len(self.values)}{what}{r}", signed=self.signed)


@dataclass(frozen=True)
class Ratio:
    """How many times as large one measurement is as another that was taken beside it. Introduced in lab 11.

    Attributes:
        values: a ratio a pair, above 0; their logarithms are averaged, so that half and twice weigh the same.
        missing: why there are none, if so.
    """

    values: tuple[float, ...]
    neutral: float = 1.0
    missing: str = NOT_RUN

    @property
    def _logs(self) -> Mean:
        return Mean(tuple(math.log(value) for value in self.values), what="measurements")

    @property
    def why_not(self) -> str:
        """Why there is no interval; empty where there is one."""
        return self._logs.why_not if self.values else self.missing

    @property
    def mean(self) -> float:
        """The geometric mean."""
        return math.exp(self._logs.mean)

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return Student's interval of the logarithms, as ratios."""
        low, high = self._logs.interval(level)
        return math.exp(low), math.exp(high)

    def above(self, limit: float) -> float:
        """Return the p that the ratio is above a limit."""
        return self._logs.above(math.log(limit))

    def below(self, limit: float) -> float:
        """Return the p that the ratio is below a limit."""
        return self._logs.below(math.log(limit))

    def needed(self, margin: float) -> str:
        """Say how many measurements would show a ratio as far from 1 as the margin."""
        return self._logs.needed(math.log1p(margin))

    def __str__(self) -> str:
        if self.why_not:
            return self.why_not
        low, high = self.interval()
        return f"× {self.mean:.2f} [{low:.2f}, {high:.2f}] (n = {len(self.values)})"


@dataclass(frozen=True)
class Share:
    """In which share of the runs something is so, by Wilson's interval. Introduced in lab 08.

    >>> str(Share(9, 10))
    '9 of 10 runs [0.60, 0.98]'
    """

    successes: int
    n: int
    neutral: float = 0.5

    @property
    def why_not(self) -> str:
        """Why there is no interval; empty where there is one."""
        return "" if self.n else NOT_RUN

    @property
    def mean(self) -> float:
        """The share that was seen."""
        return self.successes / self.n

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return Wilson's interval."""
        return statistics.wilson(self.successes, self.n, level)

    def above(self, limit: float) -> float:
        """Return the p that the share is above a limit, by the score test that Wilson's interval comes from."""
        return _score_p(self.successes, self.n, limit)

    def below(self, limit: float) -> float:
        """Return the p that the share is below a limit."""
        return _score_p(self.n - self.successes, self.n, 1 - limit)

    def needed(self, margin: float) -> str:
        """Return nothing: it depends on the share itself."""
        return ""

    def __str__(self) -> str:
        if not self.n:
            return NOT_RUN
        low, high = self.interval()
        return f"{self.successes} of {self.n} runs [{low:.2f}, {high:.2f}]"


def difference(runs: list[Run], metric: str | Callable[[Run], float], arm: str, against: str) -> Exact | Gap | Mean:
    """Return a metric of one arm less that of another, with what decides it. Introduced in lab 05.

    Runs of one seed are compared pair by pair where both drew the same split or the same images from it and, as
    measured, rise and fall together; else they share nothing that could cancel, and all runs of both arms are compared.

    Args:
        runs: records; only finished ones of the two arms count.
        metric: a name of `labkit.records.metrics.METRICS`, or a function of a run.
        arm, against: the two names.
    """
    one, other = _by_seed(runs, arm), _by_seed(runs, against)
    a, b = (tuple(run.value(metric) for run in part.values()) for part in (one, other))
    about = named(metric)
    better = about.better if about else ""
    if about and about.exact and a and b:
        return Exact(summarise(a).mean - summarise(b).mean, better=better)
    seeds = [seed for seed in one if seed in other and _drew(one[seed]) and _drew(one[seed]) == _drew(other[seed])]
    pairs = [(one[seed].value(metric), other[seed].value(metric)) for seed in seeds]
    if len(pairs) == len(a) == len(b) and (r := _together(pairs)) is not None:
        values = tuple(x - y for x, y in pairs)
        return Mean(values, better=better, pairs=r, what="pairs", minutes=_minutes(one, other))
    return Gap(a, b, better, minutes=_minutes(one, other))


def setting_by_setting(runs: list[Run], metric: str | Callable[[Run], float], arm: str, against: str) -> Mean:
    """Return the mean difference of a metric between two arms whose runs stand for settings in place of seeds. Lab 14.

    Each setting has one run an arm. The interval is about settings like these, with these images.
    """
    one, other = _by_seed(runs, arm), _by_seed(runs, against)
    about = named(metric)
    values = tuple(one[at].value(metric) - other[at].value(metric) for at in one if at in other)
    return Mean(values, better=about.better if about else "", what="settings")


def of_arm(runs: list[Run], metric: str | Callable[[Run], float], arm: str, neutral: float = 0.0) -> Exact | Mean:
    """Return the mean of a metric over the finished runs of an arm, by seed."""
    mine = _by_seed(runs, arm)
    values = tuple(run.value(metric) for run in mine.values())
    about = named(metric)
    if about and about.exact and values:
        return Exact(summarise(values).mean, neutral, signed=False)
    return Mean(values, neutral, signed=False, minutes=_minutes(mine))


def share_of(runs: list[Run], is_so: Callable[[Run], bool], arm: str) -> Share:
    """Return in which share of an arm's finished runs something is so."""
    said = [bool(is_so(run)) for run in _by_seed(runs, arm).values()]
    return Share(sum(said), len(said))


def _by_seed(runs: list[Run], arm: str) -> dict[int, Run]:
    mine = [run for run in runs if run.finished and run.arm == arm]
    return {run.seed: run for run in sorted(mine, key=lambda run: run.seed)}


def _minutes(*arms: dict[int, Run]) -> float:
    """Return what one more run of each arm takes, as its recorded ones did."""
    return sum(summarise([run.value("minutes") for run in arm.values()]).mean for arm in arms if arm)


def _needed(margin: float, sd: float, have: int, what: str, minutes: float) -> str:
    """Say how many runs would show the margin, more than there are, and how long the missing ones train."""
    needed = max(statistics.runs_needed(margin, sd), have + 1)
    price = f" ({duration((needed - have) * minutes)})" if minutes else ""
    return f"{needed:,} {what}{price}"


def _drew(run: Run) -> tuple:
    """Return what the run drew from its seed beside weights and order; nothing where it drew no images."""
    drawn = run.data.get("draw_split"), run.data.get("draw_per_class")
    return (run.data["name"], *drawn) if any(drawn) and "images" not in run.fixed else ()


def _together(pairs: list[tuple[float, float]]) -> float | None:
    """Return the correlation of pairs where it is above 0 beyond chance (p < 0.05, one-sided); else None."""
    from scipy import stats

    if len(pairs) < 3 or any(len(set(side)) < 2 for side in zip(*pairs, strict=True)):
        return None
    found: Any = stats.pearsonr(*zip(*pairs, strict=True), alternative="greater")
    return float(found.statistic) if found.pvalue < 1 - LEVEL else None


def _score_p(successes: int, n: int, limit: float) -> float:
    from statsmodels.stats.proportion import proportions_ztest

    variance: Any = limit  # of the value that is tested, as in Wilson's interval
    return float(proportions_ztest(successes, n, limit, alternative="larger", prop_var=variance)[1])


def why_not(interval: Callable, *sides: Sequence[float]) -> str:
    """Return why some runs have no interval, in few words; empty where they have one.

    The sentence of statistics.py is for those who call it. Introduced in lab 16.

    Args:
        interval: what fails with a ConfigError where there is none.
        sides: the numbers of the runs, arm by arm.
    """
    if not all(sides):
        return NOT_RUN
    if any(len(side) < 2 for side in sides):
        return "one run has no interval"
    if not all(math.isfinite(value) for side in sides for value in side):
        return "a run has no number"
    try:
        interval()
    except ConfigError:
        return "all runs are equal: no interval"
    return ""


def _seen(estimate: Estimate, better: str) -> str:
    if estimate.why_not:
        return estimate.why_not
    low, high = estimate.interval()
    if low <= estimate.neutral <= high:
        return "cannot tell"
    seen = "higher" if low > estimate.neutral else "lower"
    return seen if not better else "better" if seen == better else "worse"


def _shown(estimate: Gap | Mean, n: str, signed: bool = True) -> str:
    """Return a mean with its interval, such as "-0.012 [-0.020, -0.004] (n = 5)", or why there is none."""
    why = estimate.why_not
    if why in (NOT_RUN, "a run has no number"):
        return why
    mean = _number(estimate.mean, signed)
    if why:
        return f"{mean} (n = {n}: {why.removeprefix('one run has ').removeprefix('all runs are equal: ')})"
    low, high = estimate.interval()
    return f"{mean} [{_number(low, signed)}, {_number(high, signed)}] (n = {n})"


def _number(value: float, signed: bool) -> str:
    """Return a number as it stands in an interval; from a thousand on, decimals say nothing."""
    text = f"{value:+,.0f}" if abs(value) >= 1000 else f"{value:+.3f}"
    return text if signed else text.removeprefix("+")

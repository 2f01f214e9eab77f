"""Verdicts: whether a source's figure could be one more run of ours, and whether its sentences hold.

Not here: means, spreads and intervals (statistics.py), what the sources say (reports.py).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from labkit.records.ledger import Run
from labkit.records.reports import decimals
from labkit.records.statistics import interval, measured, paired, summarise

ABOUT = 0.05  # share that a round figure ("about 25,000") may be off


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


class Measure(Protocol):
    """What a claim is about: numbers that records give, with the value that stands for "no difference"."""

    neutral: ClassVar[float]  # 0 for a difference, 1 for a ratio

    def values(self, runs: list[Run]) -> list[float]:
        """Return the numbers, one a seed, a setting or a measurement."""
        ...

    def show(self, values: list[float]) -> str:
        """Return their mean with its 95 % interval."""
        ...

    def missing(self) -> str:
        """Say why there is no number."""
        ...


@dataclass(frozen=True)
class Value:
    """A metric of one arm, a number a seed.

    Attributes:
        metric: one of `labkit.records.metrics.METRICS`, or a function of a run.
        arm: whose runs.
    """

    metric: str | Callable[[Run], float]
    arm: str
    neutral: ClassVar[float] = 0.0

    def values(self, runs: list[Run]) -> list[float]:
        """Return the metric of each finished run of the arm, by seed."""
        mine = sorted((run for run in runs if run.finished and run.arm == self.arm), key=lambda run: run.seed)
        return [run.value(self.metric) for run in mine]

    def show(self, values: list[float]) -> str:
        """Return their mean with its 95 % interval, see `labkit.statistics.measured`."""
        return measured(values)

    def missing(self) -> str:
        """Say that nothing was run."""
        return "not run"


@dataclass(frozen=True)
class Difference(Value):
    """A metric of one arm less that of another, seed by seed.

    Attributes:
        against: the arm that it is compared with.
    """

    against: str

    def values(self, runs: list[Run]) -> list[float]:
        """Return the difference of the two arms for each seed that has both."""
        return paired(runs, self.metric, self.arm, self.against)


@dataclass(frozen=True)
class Claim:
    """A sentence of a source, as something that records can decide. Introduced in lab 03.

    Attributes:
        source: whose sentence it is, a key of reported.toml.
        says: the claim in plain words.
        about: what decides it.
        expect: "lower", "higher", "not higher" or "equal".
        margin: "equal" and "not higher": the largest difference that still counts as none; else the smallest
            that counts.
    """

    source: str
    says: str
    about: Measure
    expect: str
    margin: float = 0.0

    def decide(self, runs: list[Run]) -> str:
        """Return "holds", "does not hold" or "unclear", from the 95 % interval; or why there is nothing to decide."""
        values = self.about.values(runs)
        if not values:
            return self.about.missing()
        low, high = (end - self.about.neutral for end in interval(values))
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
        """Return what was measured, as its mean with its 95 % interval."""
        return self.about.show(self.about.values(runs))

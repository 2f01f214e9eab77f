"""Verdicts: whether a source's figure could be one more run of ours, and whether its sentences hold.

Not here: intervals and tests (statistics.py), which runs are compared (estimates.py), what sources say (reports.py).
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from labkit.base.errors import ConfigError, unknown
from labkit.records import estimates, statistics
from labkit.records.estimates import NOT_RUN, Estimate, Exact
from labkit.records.ledger import Run
from labkit.records.reports import decimals
from labkit.records.spread import summarise
from labkit.records.statistics import LEVEL

ABOUT = 0.05  # share that a round figure ("about 25,000") may be off
EXPECTED = ("lower", "higher", "not higher", "equal")
HOLDS, FAILS, UNCLEAR, NO_POWER = "holds", "does not hold", "unclear", "no power"
NOT_REPRODUCED = "not reproduced"


# -- figures -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What is said of a source's figure.

    Attributes:
        says: "reproduced", "not reproduced: ...", "cannot tell: ...", "exact" or "not run".
        low, high: where one more run of ours would lie, None where there is no interval.
    """

    says: str
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        return self.says


def verdict(reported: float, values: list[float], *, drawn: float = 0.0, discussed: float | None = None) -> Verdict:
    """Say whether a source's single figure could be one more run of ours. Introduced in lab 03.

    It could if it lies in the 95 % prediction interval of a new run, widened by the rounding of the printed figure.
    Where that interval is wider than the difference that the source reads something into, being inside says nothing.

    Args:
        reported: the source's figure.
        values: ours, one a run.
        drawn: where the source judged on other images than ours: the sd that these add, see `prediction_interval`.
        discussed: the smallest difference of this quantity that the source reads something into; None for none.

    >>> str(verdict(0.65, [0.651, 0.655, 0.653]))
    'reproduced'
    >>> str(verdict(0.78, [0.651, 0.655, 0.653]))
    'not reproduced: ours is 0.13 lower'
    >>> str(verdict(0.65, [0.651, 0.655, 0.653], discussed=0.01))
    'cannot tell: wider than the 0.01 discussed'
    """
    if why := estimates.why_not(lambda: statistics.prediction_interval(values), values):
        return Verdict(why if why == NOT_RUN else f"cannot tell: {why}")
    low, high = statistics.prediction_interval(values, drawn=drawn)
    digits = decimals(reported)
    rounding = 0.5 * 10**-digits if digits else 1e-9  # a count is exact
    low, high = low - rounding, high + rounding
    if not low <= reported <= high:
        return Verdict(_apart(reported, values), low, high)
    if discussed and high - low > discussed:
        return Verdict(f"cannot tell: wider than the {discussed:g} discussed", low, high)
    return Verdict("reproduced", low, high)


def verdict_exact(reported: float, values: list[float]) -> Verdict:
    """Say whether a count of ours, which no seed changes, is the source's.

    >>> str(verdict_exact(813_802, [813_802, 813_802])), str(verdict_exact(813_802, [813_792]))
    ('exact', 'not reproduced: ours is 10 lower')
    """
    if not values:
        return Verdict(NOT_RUN)
    same = math.isclose(summarise(values).mean, reported, rel_tol=1e-9, abs_tol=0.5 * 10 ** -(decimals(reported) or 9))
    return Verdict("exact" if same else _apart(reported, values))


def verdict_about(reported: float, values: list[float]) -> Verdict:
    """Say whether a figure that a source rounds ("about 25,000") fits ours, which no seed changes.

    >>> str(verdict_about(25_000, [24_234, 24_234]))
    'reproduced: about the same'
    >>> str(verdict_about(30_000, [24_234]))
    'not reproduced: ours is 19% lower'
    """
    if not values:
        return Verdict(NOT_RUN)
    share = summarise(values).mean / reported - 1
    if abs(share) <= ABOUT + 1e-9:
        return Verdict("reproduced: about the same")
    return Verdict(f"{NOT_REPRODUCED}: ours is {abs(share):.0%} {'higher' if share > 0 else 'lower'}")


def _apart(reported: float, values: list[float]) -> str:
    """Say how far our mean is from a figure, in the figure's digits."""
    mean = summarise(values).mean
    digits = decimals(reported) or (0 if float(mean).is_integer() else 1)  # a mean of counts need not be whole
    side = "higher" if mean > reported else "lower"
    return f"{NOT_REPRODUCED}: ours is {abs(mean - reported):,.{digits}f} {side}"


# -- claims ------------------------------------------------------------------------------------------------------------


class Measure(Protocol):
    """What a claim is about."""

    def estimate(self, runs: list[Run]) -> Estimate:
        """Return what the runs say about it."""
        ...


@dataclass(frozen=True)
class Value:
    """A metric of one arm.

    Attributes:
        metric: one of `labkit.records.metrics.METRICS`, or a function of a run.
        arm: whose runs.
        than: what it is compared with.
    """

    metric: str | Callable[[Run], float]
    arm: str
    than: float = 0.0

    def estimate(self, runs: list[Run]) -> Estimate:
        """Return its mean over the finished runs of the arm."""
        return estimates.of_arm(runs, self.metric, self.arm, self.than)


@dataclass(frozen=True)
class Difference:
    """A metric of one arm less that of another.

    Attributes:
        metric: one of `labkit.records.metrics.METRICS`, or a function of a run.
        arm, against: whose runs.
    """

    metric: str | Callable[[Run], float]
    arm: str
    against: str

    def estimate(self, runs: list[Run]) -> Estimate:
        """Return the difference of the two arms, see `labkit.estimates.difference`."""
        return estimates.difference(runs, self.metric, self.arm, self.against)


@dataclass(frozen=True)
class Share:
    """In which share of an arm's runs something is so; what is so in more than half of them is so "mostly".

    Attributes:
        is_so: tells it of a run.
        arm: whose runs.
    """

    is_so: Callable[[Run], bool]
    arm: str

    def estimate(self, runs: list[Run]) -> Estimate:
        """Return the share."""
        return estimates.share_of(runs, self.is_so, self.arm)


@dataclass(frozen=True)
class Decision:
    """What records say about a claim.

    Attributes:
        measured: the estimate in words.
        verdict: "holds", "does not hold", "unclear", "no power: ...", or why there is nothing to decide.
        p: of the test behind the verdict, two-sided where the claim has a direction; None where nothing was tested.
    """

    measured: str
    verdict: str
    p: float | None = None


@dataclass(frozen=True)
class Claim:
    """A sentence of a source, as something that records can decide. Introduced in lab 03.

    Attributes:
        source: whose sentence it is, a key of reported.toml.
        says: the claim in plain words.
        about: what decides it.
        expect: "lower", "higher", "not higher" or "equal".
        margin: "equal" and "not higher": the largest difference that still counts as none; else the smallest that
            counts. Above 0.
        why: why this margin, one sentence.

    Raises:
        ConfigError: another expectation, a margin of zero or below, no reason.
    """

    source: str
    says: str
    about: Measure
    expect: str
    margin: float
    why: str

    def __post_init__(self):
        if self.expect not in EXPECTED:
            raise unknown("expectation of a claim", self.expect, EXPECTED)
        if not 0 < self.margin < math.inf:
            raise ConfigError(
                f"The margin of a claim is above 0, got {self.margin}: say which difference would matter."
            )
        if not self.why.endswith("."):
            raise ConfigError(f"The claim {self.says!r} needs a sentence that says why its margin is {self.margin}.")

    def decide(self, runs: list[Run]) -> Decision:
        """Return the verdict of 95 % intervals and equivalence tests, or why there is nothing to decide."""
        found = self.about.estimate(runs)
        if found.why_not == NOT_RUN or found.why_not.startswith("not measured"):
            return Decision(found.why_not, found.why_not)
        if found.why_not:
            return Decision(str(found), f"{NO_POWER}: {found.why_not}")
        holds, fails = self._p_values(found)
        said = HOLDS if holds < 1 - LEVEL else FAILS if fails < 1 - LEVEL else self._undecided(found)
        return Decision(str(found), said, None if isinstance(found, Exact) else min(1.0, holds, fails))

    def row(self, decision: Decision) -> tuple[str, str, str, str, str]:
        """Return what tables show of it: the claim, what was measured, the margin, p, the verdict."""
        return self.says, decision.measured, f"{self.margin:g}", shown_p(decision.p), decision.verdict

    def _p_values(self, found: Estimate) -> tuple[float, float]:
        """Return the p that the claim holds and the p that it does not.

        Doubled where the claim has a direction: then p is below 0.05 exactly where the 95 % interval leaves the margin
        out. That two are equal takes two one-sided tests, each at 0.05 (Schuirmann, 1987).
        """
        low, high = found.neutral - self.margin, found.neutral + self.margin
        if self.expect == "higher":
            return 2 * found.above(high), 2 * found.below(high)
        if self.expect == "lower":
            return 2 * found.below(low), 2 * found.above(low)
        if self.expect == "not higher":
            return 2 * found.below(high), 2 * found.above(high)
        return max(found.above(low), found.below(high)), 2 * min(found.above(high), found.below(low))

    def _undecided(self, found: Estimate) -> str:
        """Say whether more runs would help: they would where the interval is wider than twice the margin."""
        low, high = found.interval()
        if high - low <= 2 * self.margin:
            return UNCLEAR
        needed = found.needed(self.margin)
        return f"{NO_POWER}: {needed} would decide" if needed else NO_POWER


def shown_p(p: float | None) -> str:
    """Return a p as tables show it.

    >>> shown_p(0.0312), shown_p(2e-9), shown_p(None)
    ('0.031', '< 0.001', '–')
    """
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def corrected(decisions: Iterable[Decision]) -> list[tuple[float | None, str]]:
    """Return p and verdict of claims that belong together, corrected by Holm for their number. Introduced in lab 16.

    A verdict whose corrected p is not below 0.05 any more becomes "unclear"; what was not tested stays as it is.
    """
    kept = list(decisions)
    p_values = iter(statistics.holm([one.p for one in kept if one.p is not None] or [1.0]))
    said = []
    for one in kept:
        p = None if one.p is None else next(p_values)
        fallen = p is not None and p >= 1 - LEVEL and one.verdict in (HOLDS, FAILS)
        said.append((p, UNCLEAR if fallen else one.verdict))
    return said

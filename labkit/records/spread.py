"""Means with their spread and number, in the digits that the spread supports.

Not here: intervals and tests (statistics.py).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


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


def summarise(values: Sequence[float]) -> Summary:
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

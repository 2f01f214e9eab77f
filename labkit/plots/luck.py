"""Figures of luck: the runs of each arm as points, and how often a difference is seen.

Not here: intervals of differences (runs.py), the statistics themselves (records/statistics.py).
"""

from collections.abc import Sequence

import numpy as np

from labkit.plots.base import PALETTE, Picture, canvas
from labkit.plots.runs import label_ends, name_rows, not_run
from labkit.records.spread import plus_minus, summarise
from labkit.records.statistics import POWER, power


def strips(values: dict[str, Sequence[float]], axis: str, title: str = "") -> Picture:
    """Draw a line of points a name, one point a run, with a mark at their mean. Introduced in lab 16.

    Args:
        values: the values of each name; one without any is left out.
        axis: what they are, with the unit.
        title: what stands above.
    """
    values = {name: numbers for name, numbers in values.items() if len(numbers)}
    if not values:
        return not_run(title)
    figure, axes = canvas(height=1.0 + 0.5 * len(values))
    said = []
    for place, (name, numbers) in enumerate(values.items()):
        summary, colour = summarise(list(numbers)), PALETTE[place % len(PALETTE)]
        apart = np.random.default_rng(place).random(len(numbers)) - 0.5  # so that few points cover others
        axes.scatter(numbers, place + 0.3 * apart, s=16, color=colour, alpha=0.6, linewidth=0)
        axes.plot([summary.mean] * 2, [place - 0.3, place + 0.3], color="#333333", linewidth=2)
        ends = f"from {min(numbers):.3f} to {max(numbers):.3f}"
        said.append(f"{name} {plus_minus(summary.mean, summary.sd)}, {ends} (n = {len(numbers)})")
    name_rows(axes, values, axis, title)
    return Picture(figure, f"One point a run: {axis}. {title}. " + "; ".join(said) + ".")


def power_curves(sd: float, differences: Sequence[float], most: int = 40, title: str = "") -> Picture:
    """Draw how often Welch's interval leaves out zero, by the number of runs an arm. Introduced in lab 16.

    Args:
        sd: of the runs of each arm, above 0.
        differences: of the two means, a curve each.
        most: runs an arm where the axis ends.
        title: what stands above.
    """
    counts = [n for n in (*range(2, 11), *range(12, most + 1, 2)) if n <= most]
    figure, axes = canvas()
    said, ends = [], []
    for place, difference in enumerate(differences):
        shares, colour = [power(difference, sd, n) for n in counts], PALETTE[place % len(PALETTE)]
        axes.plot(counts, shares, color=colour, linewidth=2)
        ends.append((counts[-1], shares[-1], f"{difference:g}", colour))
        enough = next((n for n, share in zip(counts, shares, strict=True) if share >= POWER), None)
        reached = f"reaches {POWER:.0%} with {enough} runs" if enough else f"stays below {POWER:.0%} up to {most} runs"
        said.append(f"a difference of {difference:g} {reached}")
    axes.axhline(POWER, color="#333333", linewidth=1, linestyle=":")
    axes.set_ylim(0, 1.03)
    axes.set_xlabel("runs an arm")
    axes.set_ylabel("share of experiments that see it")
    axes.set_title(title, loc="left", fontsize=10)
    figure.tight_layout()
    label_ends(axes, ends)
    return Picture(figure, f"How often a difference is seen, at an sd of {sd:.4f}. {title}. " + "; ".join(said) + ".")

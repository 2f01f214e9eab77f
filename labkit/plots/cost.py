"""The figure of what a network reaches against what it costs.

Not here: seconds, memory and energy of a training step (cost.py).
"""

from collections.abc import Sequence

from labkit.plots.answers import spread
from labkit.plots.base import Picture, canvas
from labkit.plots.runs import colours, images_of, not_run, seeds_of
from labkit.records.ledger import Run
from labkit.records.spread import plus_minus, summarise

LETTER = 7  # pixels, the width of a letter of a label


def trade_off(runs: Sequence[Run], title: str = "") -> Picture:
    """Draw the validation accuracy over the multiply-adds of an image, a point an arm. Introduced in lab 11.

    Args:
        runs: finished runs of one lab, budget and data set; several seeds of an arm become a mean with ± 1 sd.
        title: what stands above; the images and the number of seeds are added.

    Returns:
        The figure; without any runs one that says so.

    Raises:
        ConfigError: runs of different data sets in one figure, or more arms than colours.
    """
    from matplotlib import ticker

    if not runs:
        return not_run(title)
    images = images_of(runs)
    figure, axes = canvas()
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")  # 20 and 50, not 2 × 10¹ and 5 × 10¹
    axes.minorticks_off()
    axes.margins(x=0.15)
    said, points = [], []
    for arm, colour in colours(runs).items():
        accuracy = summarise([run.value("val_acc") for run in runs if run.arm == arm])
        work = next(run.value("multiply_adds") for run in runs if run.arm == arm) / 1e6
        axes.errorbar(work, accuracy.mean, yerr=accuracy.sd or None, fmt="o", color=colour, capsize=3)
        points.append((work, accuracy.mean, arm, colour))
        said.append(f"{arm}: {plus_minus(accuracy.mean, accuracy.sd)} at {work:,.1f} million.")
    head = f"{images}, {seeds_of(runs).replace('band', 'whisker')}"
    axes.set_title(f"{title}\n{head}" if title else head, loc="left", fontsize=10)
    axes.set_xlabel("multiply-adds of an image (millions, log scale)")
    axes.set_ylabel("validation accuracy (share of images)")
    figure.tight_layout()
    label(axes, points)
    alt = f"Validation accuracy over multiply-adds. {title or 'Runs'}, {head}. " + " ".join(said)
    return Picture(figure, alt)


def label(axes, points) -> None:
    """Write each name to the right of its point, moved up where two of them would overlap.

    Args:
        axes: with their final limits.
        points: place across, place up, name and colour of each.
    """
    from matplotlib.patheffects import withStroke

    names = [name for _, _, name, _ in points]
    places = axes.transData.transform([(x, y) for x, y, _, _ in points])  # in pixels
    middles = [(x + 8 + LETTER * len(name) / 2, y) for (x, y), name in zip(places, names, strict=True)]
    moved = spread(middles, names, LETTER)
    for (x, y, name, colour), (_, before), (_, after) in zip(points, places, moved, strict=True):
        shift = (8, (after - before) * 72 / axes.figure.dpi)
        axes.annotate(
            name,
            (x, y),
            shift,
            textcoords="offset points",
            color=colour,
            fontsize=9,
            va="center",
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )

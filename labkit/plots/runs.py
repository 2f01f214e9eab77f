"""Figures of runs: curves over the epochs, bars and intervals over seeds.

One look: training dashed, validation solid, one colour for each arm in every figure of a lab, a band of one standard
deviation over seeds, a mark at the best epoch. Not here: numbers (ledger.py).
"""

from collections.abc import Iterable, Sequence
from textwrap import fill

import numpy as np

from labkit.base.errors import ConfigError
from labkit.plots.base import PALETTE, Picture, canvas
from labkit.records.estimates import Gap, Mean
from labkit.records.ledger import Run
from labkit.records.spread import digits_for, plus_minus

PARTS = {"train": ("training", "--"), "val": ("validation", "-")}
AXES = {"epoch": "epoch", "seconds": "time of training (s)"}
UNITS = {"loss": "loss (nats per image)", "acc": "accuracy (share of images)"}


def curves(
    runs: Sequence[Run],
    quantity: str = "loss",
    title: str = "",
    parts: Sequence[str] = ("train", "val"),
    over: str = "epoch",
) -> Picture:
    """Draw training (dashed) and validation (solid) over the epochs, one colour an arm. Introduced in lab 03.

    Args:
        runs: finished runs of one lab and budget; several seeds of an arm become a mean with a band of ± 1 sd.
        quantity: "loss" or "acc".
        title: what stands above; the images and the number of seeds are added.
        parts: which curves: "train", "val" or both.
        over: "epoch", or "seconds" of training (their mean over the seeds).

    Returns:
        The figure; without any runs one that says so.

    Raises:
        ConfigError: an unknown quantity, or runs of different data sets in one figure.
    """
    if quantity not in UNITS:
        raise ConfigError(f"quantity must be one of {', '.join(UNITS)}, got {quantity!r}.")
    if over not in AXES or not parts or not set(parts) <= set(PARTS):
        raise ConfigError(f"over must be one of {', '.join(AXES)} and parts some of {', '.join(PARTS)}.")
    if not runs:
        return not_run(title)
    images = images_of(runs)
    figure, axes = canvas()
    says, ends = [], []
    for arm, colour in colours(runs).items():
        ours = [run for run in runs if run.arm == arm]
        says.append(_draw_arm(axes, ours, arm, quantity, colour, parts, over, ends))
    label_ends(axes, ends)
    head = f"{images}, {seeds_of(runs)}"
    axes.set_title(f"{title}\n{head}" if title else head, loc="left", fontsize=10)
    axes.set_xlabel(AXES[over])
    axes.set_ylabel(UNITS[quantity])
    axes.locator_params(axis="x", integer=over == "epoch")  # there is no epoch 2.5
    alt = f"Line chart of {UNITS[quantity]} over the {AXES[over]}. {title or 'Runs'}, {head}. " + " ".join(says)
    return Picture(figure, alt)


def colours(runs: Sequence[Run]) -> dict[str, str]:
    """Return the colour of each arm: by its place in the lab, so that it is the same in every figure of the lab."""
    from labkit.catalogue.index import LABS

    arms = list(dict.fromkeys(run.arm for run in runs))
    if len(arms) > len(PALETTE):
        raise ConfigError(f"A figure shows at most {len(PALETTE)} arms, got {len(arms)}. Draw some of them.")
    order = [arm.name for arm in LABS[runs[0].lab].arms] if runs[0].lab in LABS else arms
    chosen = {}
    for arm in arms:
        place = order.index(arm) if arm in order else len(chosen)
        while PALETTE[place % len(PALETTE)] in chosen.values():  # a lab may have more arms than there are colours
            place += 1
        chosen[arm] = PALETTE[place % len(PALETTE)]
    return chosen


def _draw_arm(axes, runs, arm, quantity, colour, parts, over, ends) -> str:
    """Draw one arm's curves, note where they end, and return its sentence for the alternative text."""
    said = []
    epochs = np.arange(1, len(runs[0].history) + 1)
    place = epochs if over == "epoch" else np.array([run_seconds(run) for run in runs]).mean(axis=0)
    for part in parts:
        values = np.array([[row[f"{part}_{quantity}"] for row in run.history] for run in runs])  # (seeds, epochs)
        mean = values.mean(axis=0)
        axes.plot(place, mean, PARTS[part][1], color=colour, linewidth=1.8)
        spread = values[:, -1].std(ddof=1) if len(runs) > 1 else 0.0
        if len(runs) > 1:
            sd = values.std(axis=0, ddof=1)
            axes.fill_between(place, mean - sd, mean + sd, color=colour, alpha=0.18, linewidth=0)
        word, digits = PARTS[part][0], digits_for(spread)
        ends.append((place[-1], mean[-1], f"{arm} {word}" if len(parts) > 1 else arm, colour))
        said.append(f"{word} ends at {mean[-1]:.{digits}f}" + (f" after {place[-1]:.0f} s" if over != "epoch" else ""))
        if part == "val":
            best = int(mean.argmin() if quantity == "loss" else mean.argmax())
            axes.plot(place[best], mean[best], "o", color=colour, markersize=7, markeredgecolor="white")
            said.append(f"its best is {mean[best]:.{digits}f} at epoch {epochs[best]} (marked)")
    return f"{arm}: {', '.join(said)}."


def run_seconds(run: Run) -> np.ndarray:
    """Return the seconds of training after each epoch; every epoch counts as the median one."""
    return run.value("seconds_per_epoch") * np.arange(1, len(run.history) + 1)


def seeds_of(runs: Sequence[Run]) -> str:
    """Return the number of seeds in words; arms may have different numbers of them."""
    numbers = sorted({sum(run.arm == arm for run in runs) for arm in {run.arm for run in runs}})
    if numbers == [1]:
        return "one seed"
    return f"mean of {' or '.join(map(str, numbers))} seeds, band ± 1 sd"


def label_ends(axes, ends) -> None:
    """Write the name of each curve at its right end, moved apart so that no two overlap, and make room for them."""
    low, high = axes.get_ylim()
    least = (high - low) * 0.055
    height = -np.inf
    right = max(end[0] for end in ends) * 1.03
    begin, widest = axes.transData.transform((right, low))[0], 0.0  # of the labels, in pixels
    for x, y, text, colour in sorted(ends, key=lambda end: end[1]):
        height = max(y, height + least)
        label = axes.annotate(
            text,
            (x, y),
            xytext=(right, height),
            color=colour,
            fontsize=9,
            va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "alpha": 0.4, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 2},
            annotation_clip=False,
        )
        widest = max(widest, label.get_window_extent().x1 - begin)
    figure = axes.figure
    left, room = figure.subplotpars.left, 0.99 - widest / figure.bbox.width  # in widths of the figure
    place = axes.transAxes.inverted().transform((begin, 0))[0]  # of the labels, in widths of the axes
    figure.subplots_adjust(right=min(0.78, left + (room - left) / place))


def bars(values: dict[str, Sequence[float]], axis: str, title: str = "") -> Picture:
    """Draw one horizontal bar a name: the mean of its values, with a whisker of ± 1 sd. Introduced in lab 03.

    Args:
        values: the values of each bar, one or more.
        axis: what they are, with the unit.
        title: what stands above.
    """
    if not values or not all(len(v) for v in values.values()):
        raise ConfigError("bars needs at least one name, and at least one value for each name.")
    figure, axes = canvas(height=0.9 + 0.5 * len(values))
    said = []
    for place, (name, numbers) in enumerate(values.items()):
        mean, sd = float(np.mean(numbers)), float(np.std(numbers, ddof=1)) if len(numbers) > 1 else 0.0
        axes.barh(place, mean, color=PALETTE[place % len(PALETTE)], height=0.6, xerr=sd or None, capsize=3)
        text = plus_minus(mean, sd)
        axes.text(mean + sd, place, f"    {text}", va="center", fontsize=9)
        said.append(f"{name} {text}")
    axes.set_xlim(0, axes.get_xlim()[1] * 1.15)
    name_rows(axes, values, axis, title)
    return Picture(figure, f"Bar chart of {axis}. {title}. " + "; ".join(said) + ".")


def intervals(differences: dict[str, Gap | Mean], axis: str, title: str = "") -> Picture:
    """Draw differences: their mean, with a whisker over its 95 % interval. Introduced in lab 06.

    Args:
        differences: for each name a difference, as `lab.difference` gives it; one without an interval is left out.
        axis: what they are, with the unit.
        title: what stands above.
    """
    differences = {name: found for name, found in differences.items() if not found.why_not}
    if not differences:
        return not_run(title)
    figure, axes = canvas(height=1.0 + 0.36 * len(differences))
    said = []
    axes.axvline(0, color="#333333", linewidth=1)
    for place, (name, found) in enumerate(differences.items()):
        low, high = found.interval()
        sure = low > 0 or high < 0
        colour = PALETTE[0] if sure else "#777777"
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
        axes.plot(found.mean, place, "o", color=colour if sure else "white", markeredgecolor=colour, markersize=7)
        said.append(f"{name} {found}")
    name_rows(axes, differences, axis, title)
    return Picture(figure, f"Mean and 95 % interval of {axis}. {title}. " + "; ".join(said) + ".")


def name_rows(axes, names: Iterable[str], axis: str, title: str) -> None:
    """Write the name of each row of a figure, the first one on top, then axis and title; make room for all."""
    names = list(names)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(axis)
    axes.set_title(title, loc="left", fontsize=10)
    axes.figure.tight_layout()


def not_run(title: str) -> Picture:
    """Return a figure that says that nothing is recorded yet."""
    figure, axes = canvas(height=0.9)
    axes.set_axis_off()
    text = f"{title or 'This figure'}: not run, so there is nothing to draw"
    axes.text(0.02, 0.5, fill(text, 84), fontsize=10, va="center", transform=figure.transFigure)
    return Picture(figure, f"{text}.")


def images_of(runs: Sequence[Run]) -> str:
    """Return the images of all runs in words; those of one figure must be the same."""
    names = {_images(run) for run in runs}
    if len(names) != 1:
        raise ConfigError(f"A figure shows runs on one data set; got {sorted(names)}.")
    return names.pop()


def _images(run: Run) -> str:
    few = run.data.get("train_per_class")
    size = run.data.get("image_size")
    name = run.data["name"] + (f", {few} training images a class" if few else "")
    return name + (f", {size} px" if size else "")

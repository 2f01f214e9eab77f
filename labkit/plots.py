"""Every figure of the book, each with an alternative text made from its data.

One look: training dashed, validation solid, one colour for each arm, a band of one standard deviation over
seeds, a mark at the best epoch. Opaque light ground, so that a figure stands on a dark page too.
Not here: numbers (ledger.py).
"""

import base64
import html
import io
from collections.abc import Sequence

import numpy as np

from labkit.data import ImageSet
from labkit.errors import ConfigError
from labkit.ledger import Run, digits_for

PALETTE = ("#0173B2", "#DE8F05", "#029E73", "#D55E00", "#CC78BC", "#CA9161")  # seaborn's colour-blind palette
WIDTH, HEIGHT = 7.4, 4.2  # inches; 100 dots an inch
UNITS = {"loss": "loss (nats per image)", "acc": "accuracy (share of images)"}


class Picture:
    """A finished figure with its alternative text; a notebook shows it, screen readers read it.

    Attributes:
        png: the image file's bytes.
        alt: the alternative text.
    """

    def __init__(self, figure, alt: str):
        from matplotlib import pyplot

        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=100, facecolor="white")
        pyplot.close(figure)
        self.png, self.alt = buffer.getvalue(), alt

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        data = base64.b64encode(self.png).decode()
        tag = f'<img alt="{html.escape(self.alt)}" src="data:image/png;base64,{data}" style="max-width: 100%">'
        return {"text/html": tag, "image/png": data, "text/plain": f"Figure: {self.alt}"}

    def __repr__(self) -> str:
        return f"Figure: {self.alt}"


def curves(runs: Sequence[Run], quantity: str = "loss", title: str = "") -> Picture:
    """Draw training (dashed) and validation (solid) over the epochs, one colour an arm. Introduced in lab 03.

    Args:
        runs: finished runs of one lab and budget; several seeds of an arm become a mean with a band of ± 1 sd.
        quantity: "loss" or "acc".
        title: what stands above; the images and the number of seeds are added.

    Raises:
        ConfigError: no runs, an unknown quantity, or runs of different data sets in one figure.
    """
    if quantity not in UNITS:
        raise ConfigError(f"quantity must be one of {', '.join(UNITS)}, got {quantity!r}.")
    images = {_images(run) for run in runs}
    if len(images) != 1:
        raise ConfigError(f"A figure shows runs on one data set; got {sorted(images) or 'no runs'}.")
    figure, axes = _canvas()
    seeds = len({run.seed for run in runs})
    says, ends = [], []
    for colour, arm in zip(PALETTE, dict.fromkeys(run.arm for run in runs), strict=False):
        says.append(_draw_arm(axes, [run for run in runs if run.arm == arm], arm, quantity, colour, ends))
    _label_ends(axes, ends)
    head = f"{images.pop()}, " + (f"mean of {seeds} seeds, band ± 1 sd" if seeds > 1 else "one seed")
    axes.set_title(f"{title}\n{head}" if title else head, loc="left", fontsize=10)
    axes.set_xlabel("epoch")
    axes.set_ylabel(UNITS[quantity])
    alt = f"Line chart of {UNITS[quantity]} over the epochs. {title or 'Runs'}, {head}. " + " ".join(says)
    return Picture(figure, alt)


def _draw_arm(axes, runs, arm, quantity, colour, ends) -> str:
    """Draw one arm's two curves, note where they end, and return its sentence for the alternative text."""
    said = []
    for split, style in (("train", "--"), ("val", "-")):
        values = np.array([[row[f"{split}_{quantity}"] for row in run.history] for run in runs])  # (seeds, epochs)
        epochs, mean = np.arange(1, values.shape[1] + 1), values.mean(axis=0)
        axes.plot(epochs, mean, style, color=colour, linewidth=1.8)
        spread = values[:, -1].std(ddof=1) if len(runs) > 1 else 0.0
        if len(runs) > 1:
            sd = values.std(axis=0, ddof=1)
            axes.fill_between(epochs, mean - sd, mean + sd, color=colour, alpha=0.18, linewidth=0)
        word = {"train": "training", "val": "validation"}[split]
        ends.append((epochs[-1], mean[-1], f"{arm} {word}", colour))
        digits = digits_for(spread)
        said.append(f"{word} ends at {mean[-1]:.{digits}f}")
        if split == "val":
            best = int(mean.argmin() if quantity == "loss" else mean.argmax())
            axes.plot(epochs[best], mean[best], "o", color=colour, markersize=7, markeredgecolor="white")
            said.append(f"its best is {mean[best]:.{digits}f} at epoch {epochs[best]} (marked)")
    return f"{arm}: {', '.join(said)}."


def _label_ends(axes, ends) -> None:
    """Write the name of each curve at its right end, moved apart so that no two labels overlap."""
    low, high = axes.get_ylim()
    least = (high - low) * 0.055
    height = -np.inf
    for x, y, text, colour in sorted(ends, key=lambda end: end[1]):
        height = max(y, height + least)
        axes.annotate(
            text, (x, y), xytext=(x * 1.03, height), color=colour, fontsize=9, va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "alpha": 0.4, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 2},
            annotation_clip=False,
        )  # fmt: skip
    axes.figure.subplots_adjust(right=0.78)


def samples(data: ImageSet, columns: int = 10) -> Picture:
    """Show the first images of each class, a column a class, two rows. Introduced in lab 03."""
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(2, columns, figsize=(WIDTH, 2.2), squeeze=False)
    for label in range(columns):
        members = (data.labels == label).nonzero().flatten()[:2]
        for axes, index in zip(grid[:, label], members, strict=True):
            image = data.images[index].permute(1, 2, 0).cpu().numpy()  # (C, H, W) -> (H, W, C)
            axes.imshow(image, cmap="gray" if data.in_channels == 1 else None)
            axes.set_axis_off()
        grid[0, label].set_title(data.classes[label], fontsize=8)
    figure.suptitle(f"{data.name}, {data.split} images, two of each class", fontsize=10, x=0.02, ha="left")
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.02, top=0.74, wspace=0.08, hspace=0.08)
    shape = "grey" if data.in_channels == 1 else "colour"
    alt = (
        f"Two {shape} images of {data.image_size} x {data.image_size} pixels of each class of {data.name}: "
        f"{', '.join(data.classes[:columns])}."
    )
    return Picture(figure, alt)


def bars(values: dict[str, Sequence[float]], axis: str, title: str = "") -> Picture:
    """Draw one horizontal bar a name: the mean of its values, with a whisker of ± 1 sd. Introduced in lab 03.

    Args:
        values: the values of each bar, one or more.
        axis: what they are, with the unit.
        title: what stands above.
    """
    if not values or not all(len(v) for v in values.values()):
        raise ConfigError("bars needs at least one name, and at least one value for each name.")
    figure, axes = _canvas(height=0.9 + 0.5 * len(values))
    said = []
    for place, (name, found) in enumerate(values.items()):
        mean, sd = float(np.mean(found)), float(np.std(found, ddof=1)) if len(found) > 1 else 0.0
        axes.barh(place, mean, color=PALETTE[place % len(PALETTE)], height=0.6, xerr=sd or None, capsize=3)
        digits = digits_for(sd)
        text = f"{mean:.{digits}f}" + (f" ± {sd:.{digits}f}" if sd else "")
        axes.text(mean + sd, place, f"  {text}", va="center", fontsize=9)
        said.append(f"{name} {text}")
    axes.set_yticks(range(len(values)), list(values))
    axes.invert_yaxis()
    axes.set_xlabel(axis)
    axes.set_xlim(0, axes.get_xlim()[1] * 1.15)
    axes.set_title(title, loc="left", fontsize=10)
    figure.tight_layout()
    return Picture(figure, f"Bar chart of {axis}. {title}. " + "; ".join(said) + ".")


def _images(run: Run) -> str:
    few = run.data.get("train_per_class")
    return run.data["name"] + (f", {few} training images a class" if few else "")


def _canvas(height: float = HEIGHT):
    """Return a figure and its axes in the book's look."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(WIDTH, height))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes

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
from labkit.hand_count import paper_name
from labkit.layers import receptive_field
from labkit.ledger import Run, digits_for
from labkit.sizes import conv_out
from labkit.tracing import trace

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
        axes.text(mean + sd, place, f"    {text}", va="center", fontsize=9)
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


def layer_shares(traced, title: str = "") -> Picture:
    """Draw the parameters and the multiply-adds of each layer side by side. Introduced in lab 01.

    Args:
        traced: a `labkit.trace` of a network; layers without parameters are left out.
        title: what stands above.
    """
    from matplotlib import pyplot

    rows = [row for row in traced.rows if row.parameters]
    names = [f"{number}  {paper_name(row.layer)}" for number, row in enumerate(rows, 1)]
    figure, panels = pyplot.subplots(1, 2, figsize=(WIDTH, 0.9 + 0.27 * len(rows)), sharey=True)
    said = []
    for axes, quantity, unit, colour in (
        (panels[0], "parameters", 1e6, PALETTE[0]),
        (panels[1], "multiply_adds", 1e9, PALETTE[1]),
    ):
        values = [getattr(row, quantity) for row in rows]
        word, total = quantity.replace("_", "-"), sum(values)
        scale = {1e6: "millions", 1e9: "billions"}[unit]
        axes.barh(range(len(rows)), [value / unit for value in values], color=colour, height=0.7)
        for place, value in enumerate(values):
            axes.text(value / unit, place, f" {_share(value / total)}", va="center", fontsize=8)
        axes.set_xlabel(f"{word} ({scale})")
        axes.set_xlim(0, max(values) / unit * 1.18)
        axes.spines[["top", "right"]].set_visible(False)
        largest = values.index(max(values))
        said.append(
            f"{word}: {total / unit:,.1f} {scale} in all, most in layer {names[largest]} ("
            f"{values[largest] / total:.0%}), {sum(values[-3:]) / total:.0%} in the last three"
        )
    panels[0].set_yticks(range(len(rows)), names, fontsize=8)
    panels[0].invert_yaxis()
    figure.suptitle(title, fontsize=10, x=0.02, ha="left")
    figure.tight_layout()
    return Picture(figure, f"Two bar charts over the {len(rows)} layers. {title}. " + "; ".join(said) + ".")


def windows(size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Picture:
    """Draw the first two windows of a convolution on its input, and the output beside it. Introduced in lab 02.

    Arguments as in `labkit.conv_out`; size at most 16, so that the pixels can be seen.
    """
    from matplotlib import pyplot

    if size + 2 * padding > 16:
        raise ConfigError(f"A drawing shows at most 16 pixels with padding, got {size + 2 * padding}.")
    out = conv_out(size, kernel_size, stride, padding, dilation)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(WIDTH, 3.3), width_ratios=[3, 2])
    room = size + 2 * padding
    for row in range(room):
        for column in range(room):
            inside = padding <= row < padding + size and padding <= column < padding + size
            _cell(left, row, column, "white" if inside else "#E6E6E6", hatch=None if inside else "////")
    for first, colour in ((0, PALETTE[0]), (stride, PALETTE[1]))[: min(2, out)]:
        for row in range(kernel_size):
            for column in range(kernel_size):
                _cell(left, row * dilation, first + column * dilation, colour, alpha=0.55)
    for row in range(out):
        for column in range(out):
            colour = {(0, 0): PALETTE[0], (0, 1): PALETTE[1]}.get((row, column), "white")
            _cell(right, row, column, colour, alpha=0.55 if colour != "white" else 1)
    for axes, side, word in ((left, room, "input"), (right, out, "output")):
        axes.set(xlim=(-0.6, side - 0.4), ylim=(side - 0.4, -0.6), aspect="equal")
        axes.set_axis_off()
        pixels = size if word == "input" else out
        axes.set_title(f"{word}: {pixels} × {pixels}", fontsize=10)
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.03, top=0.82)
    setting = f"kernel_size={kernel_size}, stride={stride}, padding={padding}, dilation={dilation}"
    figure.suptitle(setting, fontsize=10, x=0.02, ha="left")
    alt = (
        f"A grid of {size} x {size} input pixels with {padding} hatched pixels of padding on each side, and a grid of "
        f"{out} x {out} output pixels; {setting}. The first window (blue) gives the first output pixel, the "
        f"second (orange), {stride} pixels to the right, the second."
    )
    return Picture(figure, alt)


def _share(part: float) -> str:
    return "<1%" if 0 < part < 0.005 else f"{part:.0%}"


def _cell(axes, row: int, column: int, colour: str, alpha: float = 1.0, hatch: str | None = None) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (column - 0.5, row - 0.5),
            1,
            1,
            facecolor=colour,
            edgecolor="#777777",
            linewidth=0.8,
            alpha=alpha,
            hatch=hatch,
        )
    )


def fields(image, layers) -> Picture:
    """Draw over an image what one pixel of each map sees, the pixel being the middle one. Introduced in lab 02.

    Args:
        image: (C, H, W), uint8, with H equal to W.
        layers: layers in their order, or a torch module that is a chain of them, without linear layers.
    """
    from matplotlib import pyplot
    from matplotlib.patches import Rectangle

    traced = trace(layers, image.shape[1], image.shape[0])
    figure, axes = pyplot.subplots(figsize=(WIDTH, 4.6))
    axes.imshow(image.permute(1, 2, 0).numpy(), cmap="gray" if image.shape[0] == 1 else None)  # (H, W, C)
    said, chain, colours = [], [], iter(PALETTE * 3)
    for row in traced.rows:
        chain.append(row.layer)
        field = receptive_field(chain)
        if not row.parameters and field.size == receptive_field(chain[:-1]).size:
            continue  # a layer that looks no further
        colour, middle = next(colours), (row.out_shape[1] - 1) // 2
        corner = field.start + middle * field.stride - field.size / 2
        axes.add_patch(Rectangle((corner, corner), field.size, field.size, fill=False, edgecolor=colour, linewidth=2.2))
        label = f"{len(chain)} {paper_name(row.layer)}: {field.size} × {field.size}"
        axes.plot([], [], color=colour, linewidth=2.2, label=label)
        said.append(label.replace("×", "x"))
    axes.legend(loc="center left", bbox_to_anchor=(1.03, 0.5), frameon=False, fontsize=9, title="one output pixel sees")
    axes.set(xlabel="pixels", ylabel="pixels")
    figure.subplots_adjust(left=0.09, right=0.64, bottom=0.12, top=0.97)
    return Picture(
        figure,
        f"An image of {image.shape[1]} pixels with nested squares, what one pixel sees after " + "; ".join(said) + ".",
    )

"""Figures of layers: where parameters and work lie, the windows of a convolution, what a pixel of a map sees."""

from labkit.arithmetic.hand_count import paper_name
from labkit.arithmetic.layers import receptive_field
from labkit.arithmetic.sizes import conv_out
from labkit.arithmetic.tracing import trace
from labkit.base.errors import ConfigError
from labkit.plots.base import PALETTE, WIDTH, Picture


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

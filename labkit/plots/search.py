"""Figures of a search, and of which pixels a dilated kernel looks at.

Where Optuna has the same figure for plotly, that one is shown in pages with scripts, made from the same records; the
picture is what is seen elsewhere: on paper, by a screen reader, without scripts. Not here: searching (grid.py).
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from labkit.base.errors import ConfigError
from labkit.plots.base import PALETTE, WIDTH, Picture, canvas
from labkit.plots.interactive import Hover, interactive
from labkit.plots.runs import bars, not_run
from labkit.records.ledger import Run
from labkit.records.statistics import wilson
from labkit.search.grid import Range, Search, as_study, best, short

LEAST = 8  # points below which an importance says nothing
WORDS = {
    "image_size": "input size (px)",
    "kernel_size": "kernel size",
    "channels": "channels",
    "batch_size": "batch size",
    "lr": "learning rate",
    "momentum": "momentum",
    "val_acc": "validation accuracy",
    "val_loss": "validation loss",
}
GREY, DARK = "#949494", "#222222"


def parallel(runs: Sequence[Run], search: Search, title: str = "") -> Picture:
    """Draw each point as a line through its values, coloured by what it reached. Introduced in lab 14.

    Args:
        runs: records of the search, one a point.
        search: whose dimensions are the axes.
        title: what stands above; the images and the number of points are added.

    Returns:
        The figure, the best point drawn thick; without any records one that says so.
    """
    from matplotlib import pyplot

    if not (runs := _finite(runs, search)):
        return not_run(title)
    names, points = list(search.space), [search.point_of(run) for run in runs]
    places = {name: _places([point[name] for point in points], search.space[name]) for name in names}
    figure, axes = pyplot.subplots(figsize=(WIDTH, 4.2))
    values = np.array([run.value(search.metric) for run in runs])
    first = best(runs, search)[0]
    colours, heights = pyplot.get_cmap("viridis"), _to_unit(values)
    for name in names:
        if not isinstance(search.space[name], Range):  # lines of one value lie apart, in the order of their result
            places[name] = places[name][0] + 0.06 * (heights - 0.5), places[name][1]
    for i in np.argsort(heights if search.direction == "maximize" else -heights):
        line = [places[name][0][i] for name in names] + [heights[i]]
        chosen = runs[i] is first
        look: dict[str, Any] = (
            {"color": PALETTE[3], "linewidth": 3, "zorder": 5} if chosen else {"color": colours(heights[i])}
        )
        axes.plot(range(len(line)), line, **({"linewidth": 1, "alpha": 0.7} | look))
    for place, name in enumerate(names):
        axes.axvline(place, color="#777777", linewidth=1)
        for height, text in places[name][1]:
            axes.text(place - 0.04, height, text, ha="right", va="center", fontsize=8, bbox=_GROUND)
    for height in (0, 0.25, 0.5, 0.75, 1):
        text = f"{values.min() + height * np.ptp(values):.3f}"
        axes.text(len(names) + 0.04, height, text, ha="left", va="center", fontsize=8)
    axes.axvline(len(names), color="#777777", linewidth=1)
    axes.set_xticks(range(len(names) + 1), [_word(short(name)) for name in names] + [_word(search.metric)], fontsize=9)
    axes.set(xlim=(-0.45, len(names) + 0.35), yticks=[])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    head = _head(title, runs)
    axes.set_title(head, loc="left", fontsize=10)
    figure.tight_layout()
    axis_words = ", ".join(_word(short(name)) for name in names)
    alt = f"Parallel lines of {len(runs)} points over {axis_words} and {_word(search.metric)}. {_say(head)} "
    picture = Picture(figure, alt + f"Best: {_told(first, search)}. {_common(runs, search)}")
    return _interactive(picture, "parallel_coordinate", runs, search, head)


_GROUND = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8}


def best_so_far(runs: Sequence[Run], search: Search, title: str = "") -> Picture:
    """Draw what each point reached in the order of training, and the best until then. Introduced in lab 14.

    Arguments and result as in `parallel`.
    """
    if not (runs := _finite(runs, search)):
        return not_run(title)
    runs = sorted(runs, key=lambda run: run.trial or 0)
    values = np.array([run.value(search.metric) for run in runs])
    record = (np.maximum if search.direction == "maximize" else np.minimum).accumulate(values)
    figure, axes = canvas()
    order = np.arange(1, len(values) + 1)
    axes.plot(order, values, "o", color=GREY, markersize=4, alpha=0.8, label="one point")
    axes.step(order, record, where="post", color=PALETTE[0], linewidth=2, label="best so far")
    axes.set(xlabel="points trained", ylabel=_word(search.metric))
    axes.legend(fontsize=9, frameon=False, loc="best")
    head = _head(title, runs)
    axes.set_title(head, loc="left", fontsize=10)
    figure.tight_layout()
    last = int(np.argmax(record == record[-1])) + 1
    part = max(1, len(values) // 4)
    said = f"Best after 1: {record[0]:.3f}; after {part}: {record[part - 1]:.3f}; after {len(values)}: {record[-1]:.3f}"
    picture = Picture(
        figure,
        f"{_word(search.metric).capitalize()} of each point, and the best so far. {_say(head)} {said}, reached "
        f"at point {last}.",
    )
    return _interactive(picture, "optimization_history", runs, search, head)


def slices(runs: Sequence[Run], search: Search, title: str = "") -> Picture:
    """Draw what was reached over each dimension by itself, with the mean at each value. Introduced in lab 14.

    Arguments and result as in `parallel`.
    """
    from matplotlib import pyplot

    if not (runs := _finite(runs, search)):
        return not_run(title)
    names = list(search.space)
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    figure, grid = pyplot.subplots(rows, columns, figsize=(WIDTH, 0.7 + 2.7 * rows), sharey=True, squeeze=False)
    said = [_draw_slice(axes, runs, search, name) for axes, name in zip(grid.flat, names, strict=False)]
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    for row in grid:
        row[0].set_ylabel(_word(search.metric))
    head = _head(title, runs)
    figure.suptitle(head, fontsize=10, x=0.02, ha="left")
    figure.tight_layout()
    alt = f"{_word(search.metric).capitalize()} of each point over each dimension. {_say(head)} {' '.join(said)}"
    return _interactive(Picture(figure, alt), "slice", runs, search, head)


def _draw_slice(axes, runs, search: Search, name: str) -> str:
    """Draw one dimension, and return its sentence for the alternative text."""
    points = [search.point_of(run)[name] for run in runs]
    values = np.array([run.value(search.metric) for run in runs])
    word = _word(short(name))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(word, fontsize=9)
    axes.tick_params(labelsize=8)
    if isinstance(search.space[name], Range):
        axes.plot(points, values, "o", color=PALETTE[0], markersize=4, alpha=0.7)
        if search.space[name].log:
            axes.set_xscale("log")
        at = points[int(np.argmax(values) if search.direction == "maximize" else np.argmin(values))]
        return f"{word}: the best at {_number(at)}."
    known = _in_order(points)
    place = np.array([known.index(_text(point)) for point in points])
    spread = np.random.default_rng(0).uniform(-0.16, 0.16, len(place))  # so that equal points can be told apart
    axes.plot(place + spread, values, "o", color=PALETTE[0], markersize=3, alpha=0.5)
    means = [values[place == number].mean() for number in range(len(known))]
    axes.hlines(means, np.arange(len(known)) - 0.3, np.arange(len(known)) + 0.3, color=PALETTE[3], linewidth=2.2)
    axes.set_xticks(range(len(known)), known)
    axes.set_xlim(-0.5, len(known) - 0.5)
    listed = ", ".join(f"{mean:.3f} at {text}" for mean, text in zip(means, known, strict=True))
    return f"{word}: mean {listed}."


def importance(runs: Sequence[Run], search: Search, title: str = "") -> Picture:
    """Draw how much of the differences between points each dimension accounts for. Introduced in lab 14.

    By functional analysis of variance on a random forest (Hutter, Hoos and Leyton-Brown, 2014).

    Arguments as in `parallel`.

    Returns:
        The figure; for fewer than 8 points, or points that all reach the same, one that says that it was not run.
    """
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    runs = _finite(runs, search)
    if len(runs) < LEAST or len({run.value(search.metric) for run in runs}) == 1:
        return not_run(title)
    shares = get_param_importances(as_study(runs, search), evaluator=FanovaImportanceEvaluator(seed=0))
    words: dict[str, Sequence[float]] = {
        _word(name): [share] for name, share in sorted(shares.items(), key=lambda item: -item[1])
    }
    head = _head(title, runs)
    picture = bars(words, axis=f"share of the variance of {_word(search.metric)}", title=head)
    picture.alt = picture.alt.replace("\n", ". ")
    return _interactive(picture, "param_importances", runs, search, head)


def heat_map(runs: Sequence[Run], search: Search, down: str, across: str, title: str = "") -> Picture:
    """Draw what was reached over two dimensions, one cell a pair of values. Introduced in lab 14.

    Args:
        runs: records of the search; where several share a cell, it shows the best of them.
        search: whose dimensions they are.
        down, across: names of two dimensions, such as "recipe.lr".
        title: what stands above.

    Returns:
        The figure. A cell whose loss became infinite or not a number is marked "diverged"; one whose accuracy could be
        that of guessing, "chance": the 95 % interval from the number of validation images holds one in as many as
        there are classes, or less.

    Raises:
        ConfigError: a dimension that the search does not have.
    """
    for name in (down, across):
        if name not in search.space:
            raise ConfigError(f"{search.name} has no dimension {name!r}; it has {', '.join(search.space)}.")
    if not (runs := list(runs)):
        return not_run(title)
    from matplotlib import pyplot

    points = [search.point_of(run) for run in runs]
    rows, columns = _in_order([point[down] for point in points]), _in_order([point[across] for point in points])
    cells = {}
    for run, point in zip(runs, points, strict=True):
        cells.setdefault((rows.index(_text(point[down])), columns.index(_text(point[across]))), []).append(run)
    figure, axes = pyplot.subplots(figsize=(WIDTH, 1.3 + 0.5 * len(rows)))
    marks = {place: _mark(inside, search) for place, inside in cells.items()}
    values = np.full((len(rows), len(columns)), np.nan)
    for place, (value, mark) in marks.items():
        values[place] = np.nan if mark == "diverged" else value
    axes.set_facecolor("white")
    drawn = axes.imshow(values, cmap="Blues", aspect="auto", vmin=min(0.0, np.nanmin(values, initial=0.0)))
    top = drawn.get_clim()[1]
    for (row, column), (value, mark) in marks.items():
        _draw_cell(axes, row, column, value, mark, dark=value > 0.6 * top)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlabel=_word(short(across)), ylabel=_word(short(down)))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(drawn, ax=axes, label=_word(search.metric), pad=0.03)
    head = _head(title, runs)
    axes.set_title(head, loc="left", fontsize=10)
    figure.tight_layout()
    return Picture(figure, f"Table of {_word(search.metric)}. {_say(head)} {_say_cells(marks, rows, columns)}")


def _mark(runs: Sequence[Run], search: Search) -> tuple[float, str]:
    """Return what a cell reached, and whether that is "diverged", "chance" or neither."""
    if not (ranked := best(runs, search)):
        return math.nan, "diverged"
    value = ranked[0].value(search.metric)
    count, classes = ranked[0].data["val"]["images"], ranked[0].model["num_classes"]
    right = round(ranked[0].value("val_acc") * count)
    return value, "chance" if wilson(right, count)[0] <= 1 / classes else ""


def _draw_cell(axes, row: int, column: int, value: float, mark: str, dark: bool) -> None:
    """Write into a cell; one that shows nothing learned is hatched, so that it can be told apart without colour."""
    from matplotlib.patches import Rectangle

    if mark:
        ground = "#F3D9C9" if mark == "diverged" else "none"
        hatch = "xxx" if mark == "diverged" else "///"
        axes.add_patch(
            Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=ground, edgecolor="#BBBBBB", hatch=hatch, linewidth=0)
        )
    text = mark if mark == "diverged" else f"{value:.3f}" + (f" {mark}" if mark else "")
    axes.text(
        column,
        row,
        text,
        ha="center",
        va="center",
        fontsize=9,
        color="white" if dark and not mark else DARK,
        bbox=_GROUND if mark else None,
    )


def _say_cells(marks: dict, rows: list[str], columns: list[str]) -> str:
    lines = []
    for row, name in enumerate(rows):
        said = []
        for column, other in enumerate(columns):
            if (row, column) in marks:
                value, mark = marks[row, column]
                text = mark if mark == "diverged" else f"{value:.3f}" + (f" ({mark})" if mark else "")
                said.append(f"{text} at {other}")
        lines.append(f"{name}: {', '.join(said)}.")
    return " ".join(lines)


def taps(settings: Sequence[tuple[int, int]], title: str = "") -> Picture:
    """Draw which pixels a kernel looks at, one drawing for each kernel size and dilation. Introduced in lab 15.

    Args:
        settings: up to 4 pairs of kernel size and dilation, each at least 1, whose windows are at most 9 pixels wide.
        title: what stands above.

    Raises:
        ConfigError: too many settings, or a window that is too wide.
    """
    from matplotlib import pyplot
    from matplotlib.patches import Rectangle

    reaches = [dilation * (kernel_size - 1) + 1 for kernel_size, dilation in settings]
    if not 1 <= len(settings) <= 4 or max(reaches) > 9:
        raise ConfigError("taps draws one to four kernels that reach over at most 9 pixels each.")
    side = max(reaches) + 2
    figure, panels = pyplot.subplots(1, len(settings), figsize=(WIDTH, 2.6), squeeze=False)
    said = []
    for axes, (kernel_size, dilation), reach in zip(panels.flat, settings, reaches, strict=True):
        seen = {1 + dilation * step for step in range(kernel_size)}
        for row in range(side):
            for column in range(side):
                colour = PALETTE[0] if row in seen and column in seen else "white"
                axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="#AAAAAA", linewidth=0.7))
        axes.add_patch(Rectangle((1, 1), reach, reach, fill=False, edgecolor=PALETTE[3], linewidth=2.4))
        axes.set(xlim=(-0.1, side + 0.1), ylim=(side + 0.1, -0.1), aspect="equal")
        axes.set_axis_off()
        axes.set_title(
            f"{kernel_size} × {kernel_size}, dilation {dilation}\n{kernel_size**2} weights, reaches {reach} × {reach}",
            fontsize=9,
        )
        said.append(
            f"a {kernel_size} x {kernel_size} kernel with dilation {dilation} looks at {kernel_size**2} pixels of a "
            f"window of {reach} x {reach}"
        )
    if title:
        figure.suptitle(title, fontsize=10, x=0.02, ha="left")
    figure.tight_layout()
    return Picture(figure, f"Grids of pixels with those that a kernel looks at. {title}: {'; '.join(said)}.")


def _finite(runs: Sequence[Run], search: Search) -> list[Run]:
    """Return the records whose metric is a number: those that diverged have no place on an axis."""
    return [run for run in runs if math.isfinite(run.value(search.metric))]


def _word(name: str) -> str:
    return WORDS.get(name, name)


def _text(value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number(value) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def _in_order(values: Sequence) -> list[str]:
    """Return the different values as text, numbers from small to large, others as they come."""
    different = {_text(value): value for value in values}
    if all(isinstance(value, int | float) for value in different.values()):
        return sorted(different, key=lambda text: different[text])
    return list(different)


def _to_unit(values) -> np.ndarray:
    """Return values on a scale from 0, the lowest, to 1; all the same are in the middle."""
    values = np.asarray(values, dtype=float)
    return (values - values.min()) / np.ptp(values) if np.ptp(values) else np.full(len(values), 0.5)


def _places(values: Sequence, space) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Return where values lie on an axis from 0 to 1, and its labels with their places."""
    if not isinstance(space, Range):
        known = _in_order(values)
        at = np.linspace(0, 1, len(known)) if len(known) > 1 else np.array([0.5])
        return at[[known.index(_text(value)) for value in values]], list(zip(at, known, strict=True))
    scale = np.log10 if space.log else np.asarray
    low, high = scale(float(space.low)), scale(float(space.high))
    labels = [(part, low + part * (high - low)) for part in (0.0, 0.5, 1.0)]
    shown = [(part, _number(float(10**value if space.log else value))) for part, value in labels]
    return (scale(np.array(values, dtype=float)) - low) / (high - low), shown


def _head(title: str, runs: Sequence[Run]) -> str:
    """Return the lines above a figure: its title, the images, the number of points."""
    data = runs[0].data
    few = f", {data['train_per_class']} training images a class" if data.get("train_per_class") else ""
    head = f"{data['name']}{few}, {len(runs)} point{'s' if len(runs) > 1 else ''}"
    return f"{title}\n{head}" if title else head


def _say(head: str) -> str:
    return head.replace("\n", ". ") + "."


def _told(run: Run, search: Search) -> str:
    values = ", ".join(f"{_word(short(name))} {_number(value)}" for name, value in search.point_of(run).items())
    return f"{_word(search.metric)} {run.value(search.metric):.3f} at {values}"


def _common(runs: Sequence[Run], search: Search) -> str:
    """Return a sentence on the best tenth: for each dimension of a grid the value that occurs most."""
    top = best(runs, search, max(1, len(runs) // 10))
    if len(top) < 3:
        return ""
    said = []
    for name, space in search.space.items():
        if not isinstance(space, Range):
            (value, count), *_ = Counter(_text(search.point_of(run)[name]) for run in top).most_common(1)
            said.append(f"{_word(short(name))} {value} in {count}")
    return f"Of the best {len(top)}: {', '.join(said)}." if said else ""


def _interactive(picture: Picture, kind: str, runs: Sequence[Run], search: Search, head: str) -> Hover:
    """Return a picture that becomes Optuna's figure of the same kind in a page with scripts.

    Args:
        picture: what is seen elsewhere, with its alternative text.
        kind: the figure's name in `optuna.visualization`, without "plot_".
        runs, search: what is drawn.
        head: the words above.
    """
    import optuna

    more: dict[str, Any] = {"target_name": _word(search.metric)}
    if kind == "param_importances":
        more["evaluator"] = optuna.importance.FanovaImportanceEvaluator(seed=0)
    figure = getattr(optuna.visualization, f"plot_{kind}")(as_study(runs, search), **more)
    figure.update_layout(
        template="none",
        title=None,
        width=None,
        height=400,
        paper_bgcolor="white",
        plot_bgcolor="white",
        margin={"l": 60, "r": 30, "t": 30, "b": 60},
        font={"color": DARK, "size": 12},
        dragmode=False,
    )
    figure.update_yaxes(automargin=True)  # long names
    if kind == "slice":
        figure.update_traces(marker_showscale=False)  # the number of a trial needs no key, and a phone has no room
        figure.for_each_xaxis(lambda axis: axis.update(title_text=axis.title.text.replace("_", "<br>")))
    if kind == "parallel_coordinate":
        figure.update_layout(margin_b=90)  # its names lie aslant on a phone
    return interactive("plot", picture, head, json.loads(figure.to_json()), {"displayModeBar": False})

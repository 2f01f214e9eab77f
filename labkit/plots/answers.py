"""Figures of what a network answers: confusions, mistakes, planes of features, accuracy over the number of labels.

Not here: the images under the pointer (hover.py).
"""

from collections.abc import Sequence
from itertools import combinations
from textwrap import fill

import numpy as np

from labkit.analysis.embed import Scores, separating_line
from labkit.base.errors import ConfigError
from labkit.data.images import ImageSet
from labkit.plots.base import PALETTE, WIDTH, Picture, canvas
from labkit.plots.images import show
from labkit.plots.runs import UNITS, label_ends, not_run
from labkit.records.ledger import Run
from labkit.records.spread import plus_minus

# a colour and a shape a class, so that classes can be told apart without colour too
COLOURS = (*PALETTE, "#333333", "#6A3D9A", "#8C1C3B", "#5B6B00")
SHAPES = ("o", "s", "^", "D", "v", "X", "P", "*", "<", ">", "p", "h")
MOST_CLASSES = len(COLOURS)
LONGEST = 24  # letters of a class beside a table: a longer name would leave no room for the cells


def confusion(counts, classes: Sequence[str], title: str = "") -> Picture:
    """Draw which class was taken for which: a number a cell, the mistakes coloured. Introduced in lab 08.

    Args:
        counts: (K, K), integers, number of images by true class (row) and chosen class (column); K is at most 12.
            None, or no image at all, gives the figure of a lab that was not run.
        classes: the K names.
        title: what stands above.

    Returns:
        The figure; each mistake is coloured by its share of the images of its true class.

    Raises:
        ConfigError: counts that are not K by K, or too many classes.
    """
    if counts is None or np.sum(np.asarray(counts)) == 0:
        return not_run(title)
    counts = np.asarray(counts).astype(int)
    _check_classes(classes)
    if counts.shape != (len(classes), len(classes)):
        raise ConfigError(
            f"counts must have a row and a column for each of the {len(classes)} classes, got shape {counts.shape}. "
            "Give the names of all classes that were counted."
        )
    from matplotlib import pyplot, ticker

    figure, axes = pyplot.subplots(figsize=(WIDTH, max(3.4, 1.6 + 0.4 * len(classes))))
    drawn = _draw_cells(axes, counts)
    names = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in classes]
    axes.set_xticks(range(len(names)), names, parse_math=False)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    if sum(map(len, names)) > 40:
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set(xlabel="chosen class", ylabel="true class")
    percents = ticker.PercentFormatter(1, symbol=" %")
    figure.colorbar(drawn, ax=axes, label="mistakes: share of the true class", pad=0.03, format=percents)
    said = _say_confusions(counts, classes)
    head = f"{counts.sum():,} images, {_percent(np.trace(counts) / counts.sum())} right"
    axes.set_title(f"{title}\n{head}" if title else head, loc="left", fontsize=10)
    figure.tight_layout()
    return Picture(
        figure, f"Table of {len(classes)} true by {len(classes)} chosen classes. {sentence(title)}{head}. {said}"
    )


def _draw_cells(axes, counts):
    """Draw the numbers on their grounds: grey on the diagonal, orange by share of the row beside it."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mistakes = np.where(np.eye(len(counts), dtype=bool), np.nan, shares)  # (K, K)
    most = max(np.nanmax(mistakes, initial=0), 0.01)
    axes.set_facecolor("#E8E8E8")
    drawn = axes.imshow(mistakes, cmap="Oranges", vmin=0, vmax=most, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        dark = row != column and shares[row, column] > 0.68 * most
        colour = "white" if dark else "#222222" if count else "#777777"
        weight = "bold" if row == column else "normal"
        axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=9, color=colour, weight=weight)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return drawn


def _say_confusions(counts, classes) -> str:
    wrong = [
        (-counts[row, column], row, column) for row, column in np.argwhere(counts) if row != column
    ]  # the largest first; equal ones in the order of the table
    if not wrong:
        return "No image was taken for another class."
    most = [f"{classes[row]} taken for {classes[column]}: {-count:,}" for count, row, column in sorted(wrong)[:3]]
    return f"Largest confusions: {'; '.join(most)}."


def mistakes(data: ImageSet, predictions, index, title: str = "") -> Picture:
    """Show images with their true and their chosen class and the chance that it was given. Introduced in lab 08.

    Args:
        data: the images that were predicted, N of them.
        predictions: what a network says of them: `chances` (N, K), float, 0 to 1; `labels` (N,), the true classes;
            `chosen` (N,); `classes`, the K names.
        index: (M,), integers, which images to show, at most 16.
        title: what stands above.

    Returns:
        The figure; for an empty index one that says that there is none.

    Raises:
        ConfigError: predictions of another set, or too many images.
    """
    if len(predictions.labels) != len(data):
        raise ConfigError(
            f"predictions are of {len(predictions.labels)} images, and {data.name} ({data.split}) has {len(data)}. "
            "Give the images that were predicted."
        )
    index = [int(i) for i in index]
    if not index:
        return _says(f"{title or 'Mistakes'}: there is none")
    if len(index) > 16:
        raise ConfigError(f"A figure shows at most 16 images, got {len(index)}. Give a shorter index.")
    from matplotlib import pyplot

    said = [_caption(predictions, i) for i in index]
    written = [_wrap(words) for words in said]
    rows, below = -(-len(index) // 8), 0.1 + 0.14 * max(words.count("\n") + 1 for words in written)  # inches
    height = 0.36 + rows * (0.87 + below)
    figure, grid = pyplot.subplots(rows, 8, figsize=(WIDTH, height), squeeze=False)
    for axes in grid.flat[len(index) :]:
        axes.set_axis_off()
    for axes, i, words in zip(grid.flat, index, written, strict=False):
        show(axes, data.images[i])
        axes.text(0.5, -0.05, words, transform=axes.transAxes, ha="center", va="top", fontsize=8)
    figure.suptitle(title, fontsize=10, x=0.02, ha="left", y=1 - 0.07 / height, va="top")
    edges = {"bottom": below / height, "top": 1 - 0.36 / height, "hspace": below / 0.87}
    figure.subplots_adjust(left=0.015, right=0.985, wspace=0.08, **edges)
    listed = "; ".join(words.replace("\N{NO-BREAK SPACE}", " ") for words in said)
    return Picture(figure, f"{len(index)} images with true → chosen class and its chance. {sentence(title)}{listed}.")


def _caption(predictions, i: int) -> str:
    """Return what stands under an image, such as "shirt → coat, 98 %", with a space that does not break a line."""
    true, chosen = int(predictions.labels[i]), int(predictions.chosen[i])
    chance = float(predictions.chances[i][chosen])
    return f"{predictions.classes[true]} → {predictions.classes[chosen]}, {100 * chance:.0f}\N{NO-BREAK SPACE}%"


def _wrap(caption: str) -> str:
    """Break a caption that is wider than its image, first of all behind the arrow."""
    true, chosen = caption.split(" → ")
    return caption if len(caption) < 14 else f"{fill(f'{true} →', 13)}\n{fill(chosen, 13)}"


def plane(points, labels, classes: Sequence[str], title: str = "", line=None, score: str = "") -> Picture:
    """Draw points of a plane such as that of t-SNE, a colour and a shape a class. Introduced in lab 08.

    Args:
        points: (N, 2), float; the axes have no unit.
        labels: (N,), integers, the class of each point.
        classes: the names, at most 12.
        title: what stands above.
        line: a line that divides two classes: `weights` (2,), `bias` and `errors`, the number of points on the wrong
            side; drawn is weights · point + bias = 0.
        score: words about the points, with their number, such as "silhouette 0.41".

    Returns:
        The figure; the name of each class stands at the median of its points.

    Raises:
        ConfigError: points, labels or a line that cannot be drawn.
    """
    from matplotlib import pyplot

    points, labels = check_plane(points, labels, classes)
    figure, axes = pyplot.subplots(figsize=(WIDTH, 5.2))
    _draw_plane(axes, points, labels, classes, line, _head(title, len(points), line, score))
    figure.tight_layout()
    _write_names(axes, points, labels, classes, 14 if _short(classes) else 10)
    names = ", ".join(classes[int(label)] for label in np.unique(labels))
    return Picture(figure, f"Plane of points of {names}. {say_plane(points, labels, classes, title, line, score)}")


def planes(parts: Sequence[dict], classes: Sequence[str], title: str = "") -> Picture:
    """Draw up to four planes side by side, two a row, under one key of the classes. Introduced in lab 08.

    Args:
        parts: for each plane its "points" and "labels", and, where there are, "title", "line" and "score", all as
            in `plane`.
        classes: the names, the same in all planes.
        title: what stands above them all.

    Returns:
        The figure; a class has one colour and one shape in all planes.

    Raises:
        ConfigError: no plane or more than four, or one that cannot be drawn.
    """
    if not 1 <= len(parts) <= 4:
        raise ConfigError(f"A figure shows one to four planes, got {len(parts)}. Draw the others in a second figure.")
    from matplotlib import pyplot

    rows, columns = -(-len(parts) // 2), min(2, len(parts))
    height = 0.8 + 3.5 * rows
    figure, grid = pyplot.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False)
    said, handles = [], {}
    for axes in grid.flat[len(parts) :]:
        axes.set_axis_off()
    for axes, part in zip(grid.flat, parts, strict=False):
        points, labels = check_plane(part["points"], part["labels"], classes)
        rest = [part.get("title", ""), part.get("line"), part.get("score", "")]
        _draw_plane(axes, points, labels, classes, rest[1], _head(rest[0], len(points), *rest[1:]), size=12)
        handles |= dict(zip(np.unique(labels), axes.collections, strict=False))
        said.append(f"Plane {len(said) + 1}: {say_plane(points, labels, classes, *rest)}")
    lines = _write_key(figure, {classes[label]: handles[label] for label in sorted(handles)})
    figure.suptitle(title, fontsize=11, x=0.02, ha="left")
    figure.tight_layout(rect=(0, (0.1 + 0.2 * lines) / height, 1, 1))
    for axes, part in zip(grid.flat, parts, strict=False) if _short(classes) else ():
        _write_names(axes, *check_plane(part["points"], part["labels"], classes), classes, 11)
    names = ", ".join(classes[int(label)] for label in sorted(handles))
    return Picture(figure, f"{len(parts)} planes of points of {names}. {sentence(title)}{' '.join(said)}")


def recorded_planes(runs: Sequence[Run], classes: Sequence[str], title: str = "") -> Picture:
    """Draw the planes that the records of a full budget keep, of seed 0. Introduced in lab 08.

    Args:
        runs: of one lab; those without planes are passed over. One arm shows all of its layers, several arms the
            last layer of each. Two classes get the line that separates them.
        classes: as in `planes`.
        title: what stands above them all.

    Returns:
        The figure; without any planes one that says so.
    """
    kept = [run for run in runs if run.seed == 0 and "embedding" in run.final]
    if not kept:
        return not_run(title)
    parts = []
    for run in kept:
        layers = run.final["embedding"]["layers"]
        for name in run.embed if len(kept) == 1 else run.embed[-1:]:
            points, labels = np.array(layers[name]["points"]), np.array(run.final["embedding"]["labels"])
            line = separating_line(points, labels) if len(classes) == 2 else None
            parts.append(
                {
                    "points": points,
                    "labels": labels,
                    "title": name if len(kept) == 1 else run.arm,
                    "score": str(Scores(layers[name]["silhouette"], layers[name]["trustworthiness"])),
                    "line": line if line and line.weights.any() else None,  # a layer that has died gives none
                }
            )
    return planes(parts, classes, title)


def _write_key(figure, handles: dict) -> int:
    """Write the names with their marks below the planes, row by row, and return the number of rows."""
    columns = len(handles) if sum(map(len, handles)) < 40 else 6
    rowwise = [list(handles)[i] for first in range(columns) for i in range(first, len(handles), columns)]
    figure.legend(
        [handles[name] for name in rowwise],
        rowwise,
        loc="lower center",
        ncols=columns,
        frameon=False,
        fontsize=9,
        markerscale=1.8,
        handletextpad=0.2,
        columnspacing=1.4,
    )
    return -(-len(handles) // columns)


def check_plane(points, labels, classes):
    """Return points and labels as arrays, (N, 2) and (N,); raise `ConfigError` where they cannot be drawn."""
    _check_classes(classes)
    points, labels = np.asarray(points, dtype=float), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points) or not np.isfinite(points).all():
        raise ConfigError(f"points must be finite numbers of shape (N, 2), N at least 1, got shape {points.shape}.")
    if labels.shape != (len(points),):
        raise ConfigError(f"{len(points)} points need one label each, got labels of shape {labels.shape}.")
    if labels.min() < 0 or labels.max() >= len(classes):
        raise ConfigError(
            f"labels run from {labels.min()} to {labels.max()}, but there are {len(classes)} classes. "
            f"Labels must be 0 to {len(classes) - 1}."
        )
    return points, labels


def say_plane(points, labels, classes, title: str, line, score: str) -> str:
    """Return what a plane shows in words: how many points, which classes lie nearest, the line, the score."""
    centres = medians(points, labels)
    parts = [f"{sentence(title)}{len(points):,} points of {len(centres)} classes."]
    if len(centres) > 2:
        one, other = min(combinations(centres, 2), key=lambda pair: np.linalg.norm(centres[pair[0]] - centres[pair[1]]))
        parts.append(f"The medians of {classes[one]} and {classes[other]} lie nearest to each other.")
    if line is not None:
        parts.append(f"A straight line has {line.errors} of {len(points):,} on the wrong side.")
    return " ".join([*parts, f"{score}." if score else ""]).strip()


def medians(points, labels) -> dict:
    """Return the median point, (2,), of each class that occurs."""
    return {int(label): np.median(points[labels == label], axis=0) for label in np.unique(labels)}


def _draw_plane(axes, points, labels, classes, line, head: str, size: float = 16) -> None:
    """Draw points and line; one unit is as long upwards as sideways, since distances are what is looked at."""
    for label in np.unique(labels):
        shape = SHAPES[label]
        axes.scatter(
            *points[labels == label].T,
            s=1.8 * size if shape == "*" else size,
            color=COLOURS[label],
            marker=shape,
            alpha=0.85,
            edgecolors="white",
            linewidths=0.3,
            label=classes[label],
        )
    axes.set(xticks=[], yticks=[], xlabel="t-SNE 1 (no unit)", ylabel="t-SNE 2 (no unit)")
    axes.set_aspect("equal", adjustable="datalim")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(head, loc="left", fontsize=10)
    if line is not None:
        _draw_line(axes, line)


def _draw_line(axes, line) -> None:
    """Draw weights · point + bias = 0 through the whole of the axes, whose limits stay."""
    weights = np.asarray(line.weights, dtype=float).reshape(-1)
    length = np.linalg.norm(weights)
    if weights.shape != (2,) or not length > 0:
        raise ConfigError(f"A line needs two weights that are not both 0, got {weights.tolist()}.")
    foot = -float(np.squeeze(line.bias)) * weights / length**2  # the point of the line that is nearest to (0, 0)
    limits = axes.dataLim.frozen()
    axes.axline(foot, foot + np.array([-weights[1], weights[0]]) / length, color="#333333", linewidth=1.4)
    axes.dataLim.set(limits)  # only the points say how far the axes reach


def _write_names(axes, points, labels, classes, size: float) -> None:
    """Write the name of each class at the median of its points, moved up where two would overlap."""
    from matplotlib.colors import to_rgb
    from matplotlib.patheffects import withStroke

    axes.apply_aspect()
    centres = medians(points, labels)
    letter = np.ptp(axes.get_xlim()) / (axes.bbox.width / axes.figure.dpi) * 0.0095 * size  # a bold one
    names = [classes[label] for label in centres]
    for label, name, place in zip(centres, names, spread(centres.values(), names, letter), strict=True):
        dark = [0.65 * part for part in to_rgb(COLOURS[label])]
        axes.text(
            *place,
            name,
            color=dark,
            fontsize=size,
            weight="bold",
            ha="center",
            va="center",
            path_effects=[withStroke(linewidth=3.5, foreground="white")],
        )


def spread(places, names: Sequence[str], letter: float) -> list:
    """Move labels up until no two of them overlap.

    Args:
        places: the middle of each label, (2,) each.
        names: their words.
        letter: the width of a letter in the unit of the places; a line is twice as high.

    Returns:
        The places, in the same order.
    """
    moved = [np.array(place, dtype=float) for place in places]
    done = []
    for i in sorted(range(len(moved)), key=lambda i: moved[i][1]):
        for j in done:  # from low to high, so that a label moved past one is compared with all above it
            near = abs(moved[i][0] - moved[j][0]) < letter * (len(names[i]) + len(names[j]) + 1) / 2
            if near and abs(moved[i][1] - moved[j][1]) < 2 * letter:
                moved[i][1] = moved[j][1] + 2 * letter
        done.append(i)
        done.sort(key=lambda i: moved[i][1])
    return moved


def learning_curve(counts: Sequence[int], accuracies: dict[str, dict[int, list[float]]], title: str = "") -> Picture:
    """Draw the accuracy over the number of labelled images, one colour a method. Introduced in lab 08.

    Args:
        counts: numbers of labelled images a class, the ticks of the axis.
        accuracies: for each method the accuracies at each of these counts, one a seed, as shares of images, 0 to 1.
            A count may be missing.
        title: what stands above.

    Returns:
        The figure, mean with a band of ± 1 sd over the seeds; without any accuracy one that says so.

    Raises:
        ConfigError: more methods than colours, or a count that is no tick.
    """
    accuracies = {name: {n: values for n, values in row.items() if len(values)} for name, row in accuracies.items()}
    accuracies = {name: row for name, row in accuracies.items() if row}
    if not accuracies:
        return not_run(title)
    if len(accuracies) > len(PALETTE):
        raise ConfigError(f"A figure shows at most {len(PALETTE)} methods, got {len(accuracies)}. Draw some of them.")
    if odd := {n for row in accuracies.values() for n in row} - set(counts):
        raise ConfigError(
            f"There are accuracies for {sorted(odd)} images a class, which counts does not name: {counts}."
        )
    figure, axes = canvas()
    said, ends = [], []
    for (name, row), colour in zip(accuracies.items(), PALETTE, strict=False):
        said.append(f"{name}: {_draw_method(axes, name, row, colour, ends)}.")
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{n:,}" for n in counts])
    axes.minorticks_off()
    axes.set(xlabel="labelled images a class (log scale)", ylabel=UNITS["acc"])
    label_ends(axes, ends)
    seeds = sorted({len(values) for row in accuracies.values() for values in row.values()})
    head = "one seed" if seeds == [1] else f"mean of {' or '.join(map(str, seeds))} seeds, band ± 1 sd"
    axes.set_title(f"{title}\n{head}" if title else head, loc="left", fontsize=10)
    return Picture(
        figure, f"Line chart of {UNITS['acc']} over labelled images a class. {sentence(title)}{' '.join(said)}"
    )


def _draw_method(axes, name: str, row: dict[int, list[float]], colour: str, ends: list) -> str:
    """Draw one method, note where its curve ends, and return its numbers in words."""
    places = sorted(row)
    mean = np.array([np.mean(row[n]) for n in places])
    sd = np.array([np.std(row[n], ddof=1) if len(row[n]) > 1 else 0.0 for n in places])
    axes.plot(places, mean, "o-", color=colour, linewidth=1.8, markersize=5, markeredgecolor="white")
    axes.fill_between(places, mean - sd, mean + sd, color=colour, alpha=0.18, linewidth=0)
    ends.append((places[-1], mean[-1], f"  {name}", colour))
    words = []
    for n, m, s in zip(places, mean, sd, strict=True):
        words.append(f"{plus_minus(m, s)} at {n:,}")
    return ", ".join(words)


def _head(title: str, count: int, line, score: str) -> str:
    """Return the lines above a plane: its title, what was counted, and the score."""
    wrong = "" if line is None else f"{line.errors} of {count:,} on the wrong side of the line"
    return "\n".join(part for part in (title, wrong, score) if part)


def _short(classes) -> bool:
    """Say whether the names are as short as those of digits."""
    return max(map(len, classes)) < 3


def _check_classes(classes) -> None:
    if len(classes) > MOST_CLASSES:
        raise ConfigError(f"A figure shows at most {MOST_CLASSES} classes, got {len(classes)}. Draw some of them.")


def _says(text: str) -> Picture:
    """Return a figure of one line of words."""
    figure, axes = canvas(height=0.9)
    axes.set_axis_off()
    axes.text(0.0, 0.5, text, fontsize=10, va="center")
    return Picture(figure, f"{text}.")


def sentence(title: str) -> str:
    """Return a title as the sentence of an alternative text; nothing where there is none."""
    return f"{title}. " if title else ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"

"""A plane of points whose images are shown under the pointer.

The figure is drawn twice: as a picture, like all others, and by plotly.js in the page. All images lie in one sprite
sheet, of which a small window is shown beside the point. Not here: the picture (answers.py), the page (interactive.py).
"""

import base64
import html
import io
import json
import math
from collections.abc import Sequence

import numpy as np
import torch

from labkit.base.errors import ConfigError
from labkit.data.images import ImageSet
from labkit.plots.answers import COLOURS, SHAPES, check_plane, medians, plane, spread
from labkit.plots.interactive import Hover, interactive

MOST_POINTS = 2000  # more would make a page of several megabytes
LARGEST_TILE = 64  # pixels; larger images are made smaller for the sheet
SHOWN = 112  # pixels that an image takes on the screen, about
WORDS = "circle square triangle-up diamond triangle-down x cross star triangle-left triangle-right pentagon hexagon"
SYMBOLS = dict(zip("os^DvXP*<>ph", WORDS.split(), strict=True))  # a shape of matplotlib: what plotly calls it


def hover_plane(points, data: ImageSet, index, chosen=None, title: str = "", score: str = "") -> Hover:
    """Draw points of a plane; pointing at one, or going to it by the arrow keys, shows its image. Introduced in lab 08.

    Args:
        points: (N, 2), float, such as those of t-SNE; N is at most 2,000.
        data: the images.
        index: (N,), int64, which image of `data` each point stands for.
        chosen: (N,), integers, the class that a network chose for each point; None for no such words.
        title: what stands above.
        score: words about the points, with their number, such as "silhouette 0.41".

    Returns:
        The figure; a picture, and in a page with scripts an interactive plot.

    Raises:
        ConfigError: too many points, or points, index and chosen that do not fit together.
    """
    index = np.asarray(index)
    if len(index) > MOST_POINTS:
        raise ConfigError(
            f"An interactive plane shows at most {MOST_POINTS:,} points, since their images are part of the page; "
            f"got {len(index):,}. Take some of them, or draw all with labkit.plots.plane."
        )
    if not len(index) or index.min() < 0 or index.max() >= len(data):
        raise ConfigError(f"index must name at least one of the {len(data):,} images of {data.name}, from 0 on.")
    if chosen is not None and len(chosen) != len(index):
        raise ConfigError(f"{len(index)} points need one chosen class each, got {len(chosen)}. Leave it out for none.")
    shown = data.take(torch.as_tensor(index))
    points, labels = check_plane(points, shown.labels, data.classes)
    picture = plane(points, labels, data.classes, title, score=score)
    words = [f"true class: {data.classes[label]}" for label in labels]
    if chosen is not None:
        words = [f"{true}\nchosen: {data.classes[int(label)]}" for true, label in zip(words, chosen, strict=True)]
    figure = _figure(points, labels, data.classes, words)
    heading = "\n".join(part for part in (title, score) if part)
    config = {
        "modeBarButtons": [["zoom2d", "pan2d", "resetScale2d"]],
        "doubleClick": False,
        "showAxisDragHandles": False,  # a tap is for seeing an image, a swipe for the page
    }
    return interactive("hover", picture, heading, figure, config, sheet=sheet(shown))


def sheet(data: ImageSet) -> dict:
    """Tile all images of a set in one PNG, row by row; return its data URI and the measures of a tile on the screen.

    Args:
        data: N images, (N, C, H, W), uint8; those larger than 64 pixels are made smaller.

    Returns:
        `image`, the URI; `columns`, tiles a row; `width` and `height` of a tile and `size` of the whole sheet,
        in pixels of the screen, a whole number of them for each pixel of an image.
    """
    from PIL import Image

    small = data if max(data.images.shape[2:]) <= LARGEST_TILE else data.resized(LARGEST_TILE)
    tiles = small.images.permute(0, 2, 3, 1).cpu().numpy()  # (N, C, H, W) -> (N, H, W, C)
    count, height, width, channels = tiles.shape
    columns = math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    full = np.zeros((rows * columns, height, width, channels), np.uint8)
    full[:count] = tiles
    whole = full.reshape(rows, columns, height, width, channels).swapaxes(1, 2)  # (rows, H, columns, W, C)
    whole = whole.reshape(rows * height, columns * width, channels)
    buffer = io.BytesIO()
    Image.fromarray(whole[..., 0] if channels == 1 else whole).save(buffer, format="PNG", optimize=True)
    times = max(1, SHOWN // max(height, width))
    return {
        "image": f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}",
        "columns": columns,
        "width": width * times,
        "height": height * times,
        "size": [columns * width * times, rows * height * times],
    }


def _figure(points, labels, classes: Sequence[str], words: Sequence[str]) -> dict:
    """Return what plotly draws: the points of each class, and its name at their median."""
    from plotly import graph_objects as go

    figure = go.Figure(layout=_layout())
    centres = medians(points, labels)
    letter = 8 * max(np.ptp(points, axis=0) / (680, 340))  # of 8 pixels, in a plot as wide as a page
    places = spread(centres.values(), [classes[int(label)] for label in centres], letter)
    for label, (x, y) in zip(centres, places, strict=True):
        ours = np.flatnonzero(labels == label)
        name = html.escape(classes[int(label)], quote=False)
        group = {"name": name, "legendgroup": str(label)}
        across, up = ([float(f"{value:.5g}") for value in column] for column in points[ours].T)
        figure.add_scatter(
            x=across,
            y=up,
            mode="markers",
            marker=_marker(label),
            customdata=ours.tolist(),
            text=[words[int(i)] for i in ours],
            hoverinfo="none",
            **group,
        )
        figure.add_scatter(
            x=[x],
            y=[y],
            mode="text",
            text=[f"<b>{name}</b>"],
            textfont={"color": "#222222", "shadow": ", ".join(["0 0 2px white"] * 4)},
            showlegend=False,
            hoverinfo="skip",
            **group,
        )
    figure.data = [*figure.data[::2], *figure.data[1::2]]  # the names over all points
    return json.loads(figure.to_json() or "")


def _marker(label: int) -> dict:
    symbol = SYMBOLS[SHAPES[label]]
    size, edge = 9 if symbol == "star" else 7, {"color": "white", "width": 0.5}
    return {"color": COLOURS[label], "symbol": symbol, "size": size, "opacity": 0.85, "line": edge}


def _layout() -> dict:
    """Return the look: as in the picture, with the key below, where a phone has room for it."""
    axis = {"showticklabels": False, "ticks": "", "showgrid": False, "zeroline": False, "linecolor": "#333333"}

    def named(number: int) -> dict:
        return {"title": {"text": f"t-SNE {number} (no unit)", "standoff": 8, "font": {"size": 13}}} | axis

    return {
        "template": "none",
        "height": 480,
        "margin": {"l": 34, "r": 10, "t": 10, "b": 40},
        "hovermode": "closest",
        "dragmode": False,
        "font": {"color": "#222222", "size": 13},
        "legend": {"orientation": "h", "y": -0.1, "yanchor": "top", "itemsizing": "constant"},
        "xaxis": named(1),
        "yaxis": named(2) | {"scaleanchor": "x"},
    }

"""A plane of points whose images are shown under the pointer.

The figure is drawn twice: as a picture, like all others, and by plotly.js in the page. The picture is what is seen
until plotly has drawn, where scripts are off, on paper, and by a screen reader. All images lie in one sprite sheet,
of which a small window is shown beside the point. Not here: the picture (answers.py).
"""

import base64
import hashlib
import html
import io
import json
import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch

from labkit.base.errors import ConfigError
from labkit.base.files import write_atomic
from labkit.data.images import ImageSet
from labkit.plots.answers import COLOURS, SHAPES, check_plane, medians, plane, spread
from labkit.plots.base import Picture

MOST_POINTS = 2000  # more would make a page of several megabytes
LARGEST_TILE = 64  # pixels; larger images are made smaller for the sheet
SHOWN = 112  # pixels that an image takes on the screen, about
SCRIPT = "plotly.min.js"
SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "X": "x",
    "P": "cross",
    "*": "star",
    "<": "triangle-left",
    ">": "triangle-right",
    "p": "pentagon",
    "h": "hexagon",
}

PAGE = """<div class="labkit-hover labkit-hover-{name}">
<style>
.labkit-hover {{ position: relative; background: white; color: #222222; line-height: 1.4;
  font-family: "Open Sans", verdana, arial, sans-serif; }}
.labkit-hover .lh-plot {{ height: 0; overflow: hidden; visibility: hidden; }}
.labkit-hover .lh-head {{ margin: 0; padding: 8px 10px 0; white-space: pre-line; font-size: 14px; }}
.labkit-hover .lh-hint {{ margin: 0; padding: 0 10px 8px; font-size: 13px; }}
.labkit-hover .lh-points {{ position: relative; }}
.labkit-hover .lh-points:focus-visible {{ outline: 3px solid #0173B2; outline-offset: -3px; }}
.labkit-hover .lh-tip {{ position: absolute; z-index: 5; padding: 6px; border: 1px solid #777777; border-radius: 4px;
  background: white; font-size: 13px; white-space: pre-line; pointer-events: none; opacity: 0; }}
.labkit-hover .lh-ring {{ position: absolute; width: 12px; height: 12px; border: 2px solid #222222; border-radius: 50%;
  pointer-events: none; opacity: 0; }}
.labkit-hover .lh-image {{ image-rendering: pixelated; margin: 0 auto 4px; }}
@media screen {{
  .labkit-hover.lh-drawn .lh-plot {{ height: auto; overflow: visible; visibility: visible; }}
  .labkit-hover.lh-drawn .lh-picture {{ position: absolute; width: 1px; height: 1px; overflow: hidden;
    clip-path: inset(50%); }}
}}
</style>
<div class="lh-picture">{picture}</div>
<div class="lh-plot">
<p class="lh-head">{head}</p>
<div class="lh-points" tabindex="0" role="application" aria-label="Points with their images">
<div class="lh-canvas"></div><div class="lh-ring"></div>
<div class="lh-tip"><div class="lh-image"></div><div class="lh-words" role="status"></div></div>
</div>
<p class="lh-hint">Point at a mark or tap it to see its image; arrow keys go from mark to mark.</p>
</div>
<script>({program})({given});</script>
</div>"""

LOAD = """  function load() {  // plotly.js, once a page: from the book's own folder, or elsewhere from the net
    if (window.Plotly) return Promise.resolve();
    const book = document.documentElement.dataset.content_root;  // the way to the top, in all pages made by Sphinx
    window.labkitPlotly ||= new Promise((done, failed) => {
      window.PlotlyConfig = {MathJaxConfig: "local"};
      const script = document.createElement("script");
      script.src = book === undefined ? given.net : `${book}_static/${given.script}`;
      script.onload = done;
      script.onerror = () => { window.labkitPlotly = undefined; failed(); };
      document.head.append(script);
    });
    return window.labkitPlotly;
  }

"""  # what every figure of plotly needs before it can be drawn

PROGRAM = (
    """function (given) {
  "use strict";
  const sheet = given.sheet;

"""
    + LOAD
    + """  async function start(box) {
    const [plot, frame, ring, tip, image, words] =
      ["canvas", "points", "ring", "tip", "image", "words"].map((name) => box.querySelector(`.lh-${name}`));
    Object.assign(image.style, {width: `${sheet.width}px`, height: `${sheet.height}px`,
      backgroundImage: `url(${sheet.image})`, backgroundSize: sheet.size.map((n) => `${n}px`).join(" ")});
    await Plotly.newPlot(plot, given.figure.data, given.figure.layout, given.config);
    box.classList.add("lh-drawn");
    let at = -1, shown = null;

    function show(curve, number) {
      const trace = plot.data[curve], tile = trace.customdata[number], {xaxis, yaxis} = plot._fullLayout;
      const x = xaxis._offset + xaxis.d2p(trace.x[number]), y = yaxis._offset + yaxis.d2p(trace.y[number]);
      image.style.backgroundPosition =
        `${-(tile % sheet.columns) * sheet.width}px ${-Math.floor(tile / sheet.columns) * sheet.height}px`;
      words.textContent = trace.text[number];
      shown = [curve, number];
      const left = x + 10 + tip.offsetWidth < frame.clientWidth ? x + 10 : x - 10 - tip.offsetWidth;
      const top = Math.min(y - tip.offsetHeight / 2, frame.clientHeight - tip.offsetHeight);
      Object.assign(ring.style, {left: `${x - 8}px`, top: `${y - 8}px`, opacity: 1});
      Object.assign(tip.style, {left: `${Math.max(0, left)}px`, top: `${Math.max(0, top)}px`, opacity: 1});
    }

    function hide() {
      tip.style.opacity = ring.style.opacity = 0;
      words.textContent = "";
      shown = null;
    }

    function step(event) {
      if (event.key === "Escape") return hide();
      const by = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
      const all = plot.data.flatMap((trace, curve) =>  // names have no customdata; a class may be switched off
        trace.customdata && trace.visible !== "legendonly" ? trace.customdata.map((_, number) => [curve, number]) : []);
      if (!by || !all.length) return;
      event.preventDefault();
      at = at < 0 ? (by > 0 ? 0 : all.length - 1) : (at + by + all.length) % all.length;
      show(...all[at]);
    }

    for (const name of ["plotly_hover", "plotly_click"]) {
      plot.on(name, ({points: [point]}) => show(point.curveNumber, point.pointNumber));
    }
    plot.on("plotly_unhover", hide);
    plot.on("plotly_relayout", () => shown && show(...shown));
    frame.addEventListener("keydown", step);
    frame.addEventListener("blur", hide);
  }

  const boxes = [...document.querySelectorAll(`.labkit-hover-${given.name}:not([data-begun])`)];
  for (const box of boxes) box.dataset.begun = "";
  load().then(() => boxes.forEach(start), () => {});  // without plotly.js the picture stays
}"""
)


class Hover(Picture):
    """A picture that becomes an interactive plot in a page with scripts. Introduced in lab 08.

    Attributes:
        png: the bytes of the picture.
        alt: its alternative text.
        page: the HTML of picture and plot.
    """

    def __init__(self, picture: Picture, page: str):
        self.png, self.alt, self.page = picture.png, picture.alt, page

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return super()._repr_mimebundle_() | {"text/html": self.page}


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
    return Hover(picture, _page(picture, figure, sheet(shown), heading))


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


def copy_script(folder: Path) -> Path:
    """Copy plotly.js from the installed plotly package into a folder, such as `_static` of a book.

    plotly.js is under the MIT licence, as is the package; the notices of both it and what it is made of stand in the
    file itself. A file that is the same already is left as it is.

    Args:
        folder: where to; it is made if need be.

    Returns:
        The path of the script.
    """
    content = (files("plotly") / "package_data" / SCRIPT).read_bytes()
    path = Path(folder) / SCRIPT
    if not path.is_file() or path.read_bytes() != content:
        write_atomic(path, content)
    return path


def _figure(points, labels, classes: Sequence[str], words: Sequence[str]) -> dict:
    """Return what plotly draws: the points of each class, and its name at their median."""
    from plotly import graph_objects as go

    figure = go.Figure(layout=_layout())
    found = medians(points, labels)
    letter = 8 * max(np.ptp(points, axis=0) / (680, 340))  # of 8 pixels, in a plot as wide as a page
    places = spread(found.values(), [classes[int(label)] for label in found], letter)
    for label, (x, y) in zip(found, places, strict=True):
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


def _page(picture: Picture, figure: dict, tiles: dict, head: str) -> str:
    """Return the HTML of a figure: the picture, the place of the plot, and the script that fills it."""
    from plotly.offline import get_plotlyjs_version

    given = {"figure": figure, "sheet": tiles, "script": SCRIPT}
    given["net"] = f"https://cdn.plot.ly/plotly-{get_plotlyjs_version()}.min.js"
    given["config"] = {
        "responsive": True,
        "displaylogo": False,
        "modeBarButtons": [["zoom2d", "pan2d", "resetScale2d"]],
        "doubleClick": False,
        "showAxisDragHandles": False,  # a tap is for seeing an image, a swipe for the page
    }
    given["name"] = hashlib.sha256(json.dumps(given).encode()).hexdigest()[:12]  # the same figure, the same page
    text = json.dumps(given).replace("<", "\\u003c")  # no word of the data can end the script
    tag = picture._repr_mimebundle_()["text/html"]
    return PAGE.format(name=given["name"], picture=tag, head=html.escape(head), program=PROGRAM, given=text)

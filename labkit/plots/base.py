"""The look that all figures share, and a figure with its alternative text.

Opaque light ground, so that a figure stands on a dark page too.
"""

import base64
import html
import io

from markupsafe import Markup

from labkit.base.templates import render

# seaborn's colour-blind palette without its two colours that are hard to see on white
PALETTE = ("#0173B2", "#DE8F05", "#029E73", "#D55E00", "#CC78BC", "#CA9161", "#949494", "#56B4E9")
WIDTH, HEIGHT = 7.4, 4.2  # inches; 100 dots an inch


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
        tag = render("labkit.plots", "picture.html.jinja", alt=Markup(html.escape(self.alt)), data=data)
        return {"text/html": tag, "image/png": data, "text/plain": f"Figure: {self.alt}"}

    def __repr__(self) -> str:
        return f"Figure: {self.alt}"


def canvas(height: float = HEIGHT):
    """Return a figure and its axes in the book's look."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(WIDTH, height))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes

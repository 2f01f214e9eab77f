"""A picture that plotly.js replaces in a page with scripts.

The picture is what is seen until plotly has drawn, where scripts are off, on paper, and by a screen reader. HTML, CSS
and JavaScript lie in templates/. Not here: what is drawn (hover.py, search.py).
"""

import hashlib
import html
import json
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from labkit.base.files import write_atomic
from labkit.base.templates import render
from labkit.plots.base import Picture

SCRIPT = "plotly.min.js"


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


def interactive(template: str, picture: Picture, head: str, figure: dict, config: dict, **more) -> Hover:
    """Return a picture that becomes a figure of plotly.

    Args:
        template: name of the page in templates/, without its ending.
        picture: what is seen elsewhere, with its alternative text.
        head: the words above.
        figure: what plotly draws.
        config: how it answers to the pointer; responsive and without plotly's mark in any case.
        more: what else the script is given.
    """
    from plotly.offline import get_plotlyjs_version

    given = {"figure": figure, **more, "script": SCRIPT}
    given["net"] = f"https://cdn.plot.ly/plotly-{get_plotlyjs_version()}.min.js"
    given["config"] = {"responsive": True, "displaylogo": False} | config
    given["name"] = hashlib.sha256(json.dumps(given).encode()).hexdigest()[:12]  # the same figure, the same page
    text = json.dumps(given).replace("<", "\\u003c")  # no word of the data can end the script
    words = {"picture": picture._repr_mimebundle_()["text/html"], "head": html.escape(head), "given": text}
    marked = {name: Markup(value) for name, value in words.items()}
    return Hover(picture, render("labkit.plots", f"{template}.html.jinja", name=given["name"], **marked))


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

"""What the source courseworks report, as `data/reported.toml` has it. Not here: how it is judged (claims.py)."""

import tomllib
from functools import cache

from labkit.base.errors import unknown
from labkit.base.files import bundled

# Tables of a section that say how its figures are read, and are none.
ABOUT_FIGURES = ("discussed", "explained", "images")


@cache
def reported(source: str | None = None, section: str | None = None) -> dict:
    """Return what a source coursework reports, from `reported.toml`. Introduced in lab 03.

    Args:
        source: key of the source, such as "uchile"; all sources by key if not given.
        section: one section of it, such as "dropout"; all of its sections if not given.

    >>> reported("uchile", "dropout")["p=0.5"]["val_acc"]
    0.65
    """
    sources = {entry["key"]: entry for entry in tomllib.loads(bundled("reported.toml").read_text("utf-8"))["source"]}
    if source is None:
        return sources
    if source not in sources:
        raise unknown("source", source, sources)
    if section is None:
        return sources[source]
    sections = [name for name, value in sources[source].items() if isinstance(value, dict)]
    if section not in sections:
        raise unknown(f"section of {source}", section, sections)
    return sources[source][section]


def decimals(value: float) -> int:
    """Return how many decimals a source prints of a figure: none of a count, else at least two.

    >>> decimals(106), decimals(0.6), decimals(0.9894)
    (0, 2, 4)
    """
    return 0 if isinstance(value, int) else max(2, len(repr(value).partition(".")[2]))

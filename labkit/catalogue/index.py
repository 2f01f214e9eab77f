"""The catalogue: all labs and all searches by name; read by notebooks, command line and tests alike.

What a lab trains stands in its own file beside this one. To add a lab: one such file, a notebook of the same name,
a test.
"""

from importlib import import_module
from pkgutil import iter_modules

from labkit import catalogue
from labkit.base.errors import unknown
from labkit.experiments.design import Lab
from labkit.search.grid import Search

_NAMES = sorted(file.name for file in iter_modules(catalogue.__path__) if file.name.startswith("lab_"))
_FILES = [import_module(f"{catalogue.__name__}.{name}") for name in _NAMES]
LABS = {file.LAB.name: file.LAB for file in _FILES}
SEARCHES = {search.name: search for file in _FILES for search in getattr(file, "SEARCHES", ())}


def labs() -> list[Lab]:
    """Return all labs in the order of the book."""
    return list(LABS.values())


def lab(name: str) -> Lab:
    """Return a lab by name, such as "03-dropout". Introduced in lab 03.

    >>> lab("03-dropout").title
    'Dropout: does turning units off help?'
    """
    if name not in LABS:
        raise unknown("lab", name, LABS)
    return LABS[name]


def search(name: str) -> Search:
    """Return a search by name. Introduced in lab 14.

    >>> len(search("14-hyperparameter-search").points())
    138
    """
    if name not in SEARCHES:
        raise unknown("search", name, SEARCHES)
    return SEARCHES[name]

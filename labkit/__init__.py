"""labkit: the library of the CNN coursework lab.

Small on purpose: read it. The modules, in reading order: sizes, data, models, train, ledger, experiments,
plots. Importing the package imports none of them, so that `python -m labkit book` runs on a bare Python and
`import labkit` costs nothing; each name below is fetched when it is first used.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {  # public name: the module it lives in
    "Batches": "data",
    "History": "train",
    "ImageSet": "data",
    "LabkitError": "errors",
    "Recipe": "train",
    "Run": "ledger",
    "available": "models",
    "build": "models",
    "check": "exercises",
    "conv_out": "sizes",
    "count_parameters": "models",
    "fit": "train",
    "lab": "experiments",
    "labs": "experiments",
    "load": "data",
    "pool_out": "sizes",
    "reported": "ledger",
    "score": "train",
}
_MODULES = (
    "callbacks", "cli", "data", "errors", "exercises", "experiments", "files", "ledger", "models", "plots",
    "sizes", "train",
)  # fmt: skip

__all__ = [*_HOME, "__version__"]


def __getattr__(name):
    """Fetch a public name or a module of the package when it is first asked for (PEP 562)."""
    if name in _HOME:
        return getattr(import_module(f"labkit.{_HOME[name]}"), name)
    if name in _MODULES:
        return import_module(f"labkit.{name}")
    raise AttributeError(f"labkit has no {name!r}; it has {', '.join(sorted({*_HOME, *_MODULES}))}")


def __dir__():
    return sorted({*globals(), *_HOME, *_MODULES})

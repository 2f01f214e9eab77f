"""labkit: the library of the CNN coursework lab.

Small on purpose: read it. The modules, in reading order: sizes, layers, counting, memory, hand_count,
tracing, auditing; fetch, photos, augment, data, models, summaries, parallel, train, callbacks; ledger,
evaluate, embed, energy, diagnose, competition, transfer, runner, stepcost, arms, search, storage, study,
experiments, sources, plots, own_pictures, exercises; cli, workspace, authoring.
Importing the package imports none of them, so that `python -m labkit book` runs on a bare Python and
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
    "VGG": "hand_count",
    "adaptive_pool_out": "sizes",
    "audit": "auditing",
    "available": "models",
    "build": "models",
    "by_hand": "hand_count",
    "check": "exercises",
    "conv_out": "sizes",
    "conv_transpose_out": "sizes",
    "count": "counting",
    "fit": "train",
    "kernels_for": "sizes",
    "lab": "experiments",
    "labs": "experiments",
    "load": "data",
    "pool_out": "sizes",
    "receptive_field": "layers",
    "reported": "ledger",
    "same_padding": "sizes",
    "score": "train",
    "smallest_input": "tracing",
    "summary": "summaries",
    "trace": "tracing",
    "training_memory": "memory",
}
_MODULES = (
    "arms", "auditing", "augment", "callbacks", "cli", "competition", "counting", "data", "diagnose", "embed",
    "energy", "errors", "evaluate", "exercises", "experiments", "fetch", "files", "formulas", "hand_count",
    "layers", "ledger", "memory", "models", "own_pictures", "parallel", "photos", "plots", "runner", "search",
    "sizes", "sources", "stepcost", "storage", "study", "summaries", "tables", "tracing", "train", "transfer",
    "workers",
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

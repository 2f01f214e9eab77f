"""labkit: the library of the CNN coursework lab.

Small on purpose: read it. Each package is one step of the data's way and imports only from those before it:

base: errors, files, templates, tables, checks
arithmetic: sizes, layers, counting, memory, hand_count, formulas, tracing, auditing
data: augment, download, folders, images, chosen
records: metrics, ledger, statistics, reports, claims
models: parts, cnn, mlp, gap, simple, alexnet, alexnet_224, netconv, vgg, googlenet, resnet, kernels, backbone,
    from_timm
training: history, optimizers, schedules, recipe, losses, distributed, device, progress, scoring, guards, checkpoint,
    loop, trackers, diagnose
analysis: predictions, embed, summaries, transfer
experiments: read, energy, execute, cost, design
search: grid, storage, queue, workers
catalogue: common, lab_01_counting_parameters, lab_02_output_sizes, lab_03_dropout, lab_04_depth,
    lab_05_mlp_comparison, lab_06_augmentation, lab_07_gap_net, lab_08_simple_cnn_mnist, lab_09_alexnet,
    lab_10_transfer_learning, lab_11_architectures, lab_12_training_choices, lab_13_competition,
    lab_14_hyperparameter_search, lab_15_dilation, index, sources
plots: base, interactive, runs, images, answers, training, layers, cost, hover, search
apps: exercises, competition, own_pictures, cli, workspace, authoring

Importing the package imports none of them, so that `python -m labkit book` runs on a bare Python and
`import labkit` costs nothing; each name below is fetched when it is first used. A module is reached by its name alone,
too: `labkit.statistics.paired` is `labkit.records.statistics.paired`.
"""

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

_HOME = {  # public name: the module it lives in
    "Batches": "data.images",
    "History": "training.history",
    "ImageSet": "data.images",
    "LabkitError": "base.errors",
    "Recipe": "training.recipe",
    "Run": "records.ledger",
    "VGG": "arithmetic.hand_count",
    "adaptive_pool_out": "arithmetic.sizes",
    "audit": "arithmetic.auditing",
    "available": "models",
    "build": "models",
    "by_hand": "arithmetic.hand_count",
    "check": "apps.exercises",
    "conv_out": "arithmetic.sizes",
    "conv_transpose_out": "arithmetic.sizes",
    "count": "arithmetic.counting",
    "fit": "training.loop",
    "kernels_for": "arithmetic.sizes",
    "lab": "catalogue.index",
    "labs": "catalogue.index",
    "load": "data.images",
    "pool_out": "arithmetic.sizes",
    "receptive_field": "arithmetic.layers",
    "reported": "records.reports",
    "same_padding": "arithmetic.sizes",
    "score": "training.scoring",
    "smallest_input": "arithmetic.tracing",
    "summary": "analysis.summaries",
    "trace": "arithmetic.tracing",
    "training_memory": "arithmetic.memory",
}
_PACKAGES = "base arithmetic data records models training analysis experiments search catalogue plots apps".split()
_MODULES = {  # modules that notebooks name: the package they lie in
    "augment": "data",
    "chosen": "data",
    "competition": "apps",
    "cost": "experiments",
    "design": "experiments",
    "device": "training",
    "diagnose": "training",
    "distributed": "training",
    "embed": "analysis",
    "grid": "search",
    "hand_count": "arithmetic",
    "images": "data",
    "index": "catalogue",
    "layers": "arithmetic",
    "predictions": "analysis",
    "queue": "search",
    "read": "experiments",
    "reports": "records",
    "schedules": "training",
    "sizes": "arithmetic",
    "statistics": "records",
    "summaries": "analysis",
    "trackers": "training",
    "transfer": "analysis",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    """Fetch a public name, a package or a module when it is first asked for (PEP 562)."""
    if name in _HOME:
        return getattr(import_module(f"labkit.{_HOME[name]}"), name)
    if name in _PACKAGES:
        return import_module(f"labkit.{name}")
    if name in _MODULES:
        return import_module(f"labkit.{_MODULES[name]}.{name}")
    raise AttributeError(f"labkit has no {name!r}; it has {', '.join(__dir__())}")


def __dir__():
    return sorted({"__version__", *_HOME, *_PACKAGES, *_MODULES})

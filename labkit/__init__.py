"""labkit: the library of the CNN coursework lab.

Small on purpose: read it. Each package is one step of the data's way and imports only from those before it:

base: errors, files, templates, tables, checks
arithmetic: sizes, layers, counting, running, memory, hand_count, formulas, tracing, auditing
data: augment, download, folders, images, chosen
records: metrics, whole, ledger, spread, statistics, estimates, reports, claims
models: parts, cnn, mlp, gap, simple, alexnet, alexnet_224, netconv, vgg, googlenet, resnet, kernels, backbone,
    from_timm
training: history, optimizers, schedules, recipe, losses, distributed, device, progress, guards, scoring, checkpoint,
    loop, trackers, diagnose
analysis: predictions, embed, summaries, transfer
experiments: read, energy, execute, cost, design
search: grid, storage, queue, workers
catalogue: common, lab_01_counting_parameters, lab_02_output_sizes, lab_03_dropout, lab_04_depth,
    lab_05_mlp_comparison, lab_06_augmentation, lab_07_gap_net, lab_08_simple_cnn_mnist, lab_09_alexnet,
    lab_10_transfer_learning, lab_11_architectures, lab_12_training_choices, lab_13_competition,
    lab_14_hyperparameter_search, lab_15_dilation, lab_16_luck, index, sources
plots: base, interactive, runs, luck, images, answers, training, layers, cost, hover, search
apps: exercises, competition, own_pictures, cli, workspace, tested, authoring

Importing the package imports none of them, so that `python -m labkit book` runs on a bare Python and
`import labkit` costs nothing; each name below is fetched when it is first used. A module is reached by its name alone,
too: `labkit.statistics.welch` is `labkit.records.statistics.welch`.
"""

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

_PUBLIC = {  # module: its public names
    "base.errors": "LabkitError",
    "arithmetic.auditing": "audit",
    "arithmetic.counting": "count",
    "arithmetic.hand_count": "VGG by_hand",
    "arithmetic.layers": "receptive_field",
    "arithmetic.memory": "training_memory",
    "arithmetic.sizes": "adaptive_pool_out conv_out conv_transpose_out kernels_for pool_out same_padding",
    "arithmetic.tracing": "smallest_input trace",
    "data.images": "Batches ImageSet load",
    "records.ledger": "Run",
    "records.reports": "reported",
    "models": "available build",
    "training.history": "History",
    "training.loop": "fit",
    "training.recipe": "Recipe",
    "training.scoring": "score",
    "analysis.summaries": "summary",
    "catalogue.index": "lab labs",
    "apps.exercises": "check",
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names.split()}
_PACKAGES = "base arithmetic data records models training analysis experiments search catalogue plots apps".split()
_NAMED = {  # package: its modules that notebooks name
    "arithmetic": "hand_count layers sizes",
    "data": "augment chosen images",
    "records": "claims estimates reports spread statistics",
    "training": "device diagnose distributed schedules trackers",
    "analysis": "embed predictions summaries transfer",
    "experiments": "cost design read",
    "search": "grid queue",
    "catalogue": "index sources",
    "apps": "competition",
}
_MODULES = {name: package for package, names in _NAMED.items() for name in names.split()}

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

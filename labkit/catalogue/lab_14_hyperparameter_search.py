"""Lab 14: the third source's grid of 138 points, and the second's of learning rate by momentum."""

from collections.abc import Callable
from dataclasses import replace

from labkit.catalogue.common import A_HUNDREDTH, ITS_OWN_IMAGES, SMALL
from labkit.data.chosen import Images
from labkit.experiments.design import Budget, Figure, Lab
from labkit.records.claims import Claim
from labkit.records.ledger import Run
from labkit.search.grid import GridDifference, Search, best, recorded
from labkit.training.recipe import Recipe

_AT_48 = {"data.image_size": 48, "model.channels": 16, "recipe.batch_size": 16}
_SGD = Recipe(epochs=5, batch_size=10, optimizer="sgd")  # the second source's batches of 10

SEARCHES = (
    Search(
        name="14-hyperparameter-search",
        model="kernels",
        # The third source's 138 runs over batch size, input size, output channels and kernel size. Which values it took
        # is not stated; these are 5 x 3 x 3 x 3 points and three at 48 pixels.
        space={
            "data.image_size": (32, 64, 90, 110, 128),
            "model.kernel_size": (3, 4, 5),
            "model.channels": (8, 16, 32),
            "recipe.batch_size": (8, 16, 32),
        },
        also=tuple({"model.kernel_size": kernel_size} | _AT_48 for kernel_size in (3, 4, 5)),
        # few images to judge on, too: of 138 networks that are trained on 100 images, judging them is most of the cost
        quick=Budget(
            Images(SMALL, train_per_class=10, val_per_class=10, test_per_class=20), Recipe(epochs=2, lr=2e-3), seeds=1
        ),
        full=Budget(
            Images("cifar10", train_per_class=65, val_per_class=100),
            Recipe(epochs=15, lr=2e-3, precision="auto"),
            seeds=1,
        ),
    ),
    Search(
        name="14-lr-momentum",
        model="netconv",
        space={"recipe.lr": (0.005, 0.001, 0.0005, 0.0001, 0.1), "recipe.momentum": (0.0, 0.5, 0.9, 0.99)},
        quick=Budget(Images(SMALL, train_per_class=30, val_per_class=50), replace(_SGD, epochs=2), seeds=1),
        full=Budget(Images("cifar10"), _SGD, seeds=1),
    ),
)

_GRID, _RATES = SEARCHES


def _is_cheap(point: dict) -> bool:
    """Tell whether a point is one of the three that the quick run of lab 14 trains."""
    return (point["data.image_size"], point["model.channels"], point["recipe.batch_size"]) == (32, 16, 16)


def _best_figure(size: int) -> Figure:
    """Return the third source's best validation accuracy at one input size."""

    def read(budget: str) -> list[float]:
        at = [run for run in recorded(_GRID, budget) if run.data["image_size"] == size]
        return [run.value("val_acc") for run in best(at, _GRID)]

    key = ("best_val_acc_by_input_size", str(size))
    return Figure("itba.search", key, f"best at {size} px", "val_acc", why_not=ITS_OWN_IMAGES, of=read)


def _number_of_runs(budget: str) -> list[float]:
    runs = list(recorded(_GRID, budget))
    return [len(runs)] if runs else []


def _rate_figure(name: str, value: Callable[[Run], float]) -> Figure:
    """Return what the second source says of the best point of learning rate by momentum."""

    def read(budget: str) -> list[float]:
        return [value(run) for run in best(recorded(_RATES, budget), _RATES)]

    why_not = "cannot be judged: another network"
    return Figure("udesa.grid", ("best", name), "best lr and momentum", name, why_not=why_not, of=read)


def _sizes(says: str, metric: str, size: int, against: int, expect: str, margin: dict = A_HUNDREDTH) -> Claim:
    """Return a claim of the third source about two input sizes."""
    arms = f"image_size={size}", f"image_size={against}"
    return Claim("itba", says, GridDifference(metric, *arms, _GRID, "data.image_size"), expect, **margin)


_MINUTES = {"margin": 0.1, "why": "Six seconds a run are a quarter of an hour over the whole grid."}


def _kernel_4(says: str, against: int) -> Claim:
    """Return a claim of the third source that kernels of 4 are better than others."""
    arms = "kernel_size=4", f"kernel_size={against}"
    return Claim("itba", says, GridDifference("val_acc", *arms, _GRID, "model.kernel_size"), "higher", **A_HUNDREDTH)


LAB = Lab(
    name="14-hyperparameter-search",
    title="Search: how far can the best of 138 runs be trusted?",
    sections=("itba.search", "udesa.grid"),
    arms=_GRID.arms(quick=_is_cheap),
    quick=_GRID.quick,
    full=_GRID.full,
    figures=(
        *(_best_figure(size) for size in (32, 64, 128)),
        Figure("itba.search", ("runs",), "all", "runs", of=_number_of_runs),
        _rate_figure("learning_rate", lambda run: run.recipe["lr"]),
        _rate_figure("momentum", lambda run: run.recipe["momentum"]),
        _rate_figure("train_acc", lambda run: run.value("train_acc")),
        _rate_figure("val_acc", lambda run: run.value("val_acc")),
    ),
    claims=(
        _sizes("Larger inputs are better: 64 px than 32", "val_acc", 64, 32, "higher"),
        _sizes("Larger inputs are better: 90 px than 64", "val_acc", 90, 64, "higher"),
        _sizes("Above about 100 px nothing is gained: 110 px than 90", "val_acc", 110, 90, "not higher"),
        _sizes("Above about 100 px nothing is gained: 128 px than 90", "val_acc", 128, 90, "not higher"),
        _sizes("Above about 100 px the cost grows: minutes at 128 px and 90", "minutes", 128, 90, "higher", _MINUTES),
        _kernel_4("Kernels of 4 are best: better than 3", 3),
        _kernel_4("Kernels of 4 are best: better than 5", 5),
    ),
)

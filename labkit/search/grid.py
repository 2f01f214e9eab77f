"""What a search is, and what its records say: dimensions, points, tables, a study in memory for Optuna's figures.

A search declares its dimensions over recipes, networks and images; a *point* gives each of them a value, and is trained
like any other run, with a record in the ledger.
Not here: training the points (queue.py), which searches there are (index.py), figures (plots).
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from labkit.base.errors import ConfigError, unknown
from labkit.data.chosen import Images
from labkit.experiments.design import Arm, Budget
from labkit.experiments.execute import finished_record
from labkit.records import estimates
from labkit.records.claims import Difference
from labkit.records.estimates import Mean
from labkit.records.ledger import Run
from labkit.records.metrics import METRICS
from labkit.training.recipe import Recipe

PARTS = ("model", "recipe", "data")  # where a dimension lies: "recipe.lr", "model.hidden", "data.image_size"


@dataclass(frozen=True)
class Range:
    """A dimension between two numbers, for samplers; a grid needs a tuple of values.

    Attributes:
        low, high: both may be drawn.
        log: whether equal factors, not equal distances, are equally likely.
        whole: whether only whole numbers are drawn.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Search:
    """What is searched, and on what each point is trained. Introduced in lab 14.

    Attributes:
        name: of its records and of its study.
        model: name of the network.
        options: what the network takes beside channels, classes and image size.
        space: for each dimension, such as "recipe.lr", a tuple of values or a `Range`.
        quick, full: the two budgets, as those of a lab.
        also: points beside the grid.
        metric: what is wanted as high as possible, or as low for a loss; of `labkit.records.metrics.METRICS`.
    """

    name: str
    model: str
    space: dict[str, Any]
    quick: Budget
    full: Budget
    options: dict = field(default_factory=dict)
    also: tuple[dict, ...] = ()
    metric: str = "val_acc"

    def __post_init__(self):
        if not self.space:
            raise ConfigError(
                f"The search {self.name} has no dimension. Give one, such as {{'recipe.lr': (0.1, 0.01)}}."
            )
        if self.metric not in METRICS:
            raise unknown("metric", self.metric, METRICS)
        for name, values in self.space.items():
            part, _, key = name.partition(".")
            if part not in PARTS or not key:
                raise ConfigError(f"A dimension is called model.X, recipe.X or data.X, got {name!r}.")
            if part == "recipe" and key not in Recipe.__dataclass_fields__:
                raise unknown("field of a recipe", key, Recipe.__dataclass_fields__)
            if part == "data" and key not in Images.__dataclass_fields__:
                raise unknown("field of images", key, Images.__dataclass_fields__)
            _check_values(name, values)
        for point in self.also:
            if set(point) != set(self.space):
                raise ConfigError(f"A point needs a value for each of {', '.join(self.space)}, got {point}.")

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Which way is better, in Optuna's words."""
        return "minimize" if METRICS[self.metric].better == "lower" else "maximize"

    @property
    def worst(self) -> float:
        """What Optuna is told of a point that diverged."""
        return math.inf if self.direction == "minimize" else -math.inf

    def points(self) -> list[dict]:
        """Return the points of the grid, then those beside it; each once.

        Raises:
            ConfigError: a dimension is a `Range`, which has no end of values.
        """
        if endless := [name for name, values in self.space.items() if isinstance(values, Range)]:
            raise ConfigError(
                f"A grid needs a tuple of values for {', '.join(endless)}. Use a sampler, or give values."
            )
        grid = (dict(zip(self.space, values, strict=True)) for values in itertools.product(*self.space.values()))
        also = ({name: point[name] for name in self.space} for point in self.also)  # a point's name keeps this order
        return list({point_name(point): point for point in (*grid, *also)}.values())

    def run(self, point: dict, budget: str, seed: int = 0, trial: int | None = None) -> Run:
        """Return the run of a point, with what it will train and no result yet."""
        if budget not in ("quick", "full"):
            raise unknown("budget", budget, ("quick", "full"))
        base, parts = getattr(self, budget), _parts(point)
        return Run(
            lab=self.name,
            arm=point_name(point),
            budget=budget,
            seed=seed,
            trial=trial,
            model={"name": self.model} | self.options | parts["model"],
            data=replace(base.images, **parts["data"]).as_record(),
            recipe=replace(base.recipe, **parts["recipe"]).as_record(),
        )

    def arms(self, quick: Callable[[dict], bool]) -> tuple[Arm, ...]:
        """Return each point of the grid as an arm of a lab of the same name, so that it can be repeated over seeds.

        Args:
            quick: which points are part of the lab's quick budget.
        """
        made = []
        for point in self.points():
            parts = _parts(point)
            made.append(
                Arm(
                    point_name(point),
                    self.model,
                    self.options | parts["model"],
                    parts["recipe"],
                    parts["data"],
                    full_only=not quick(point),
                )
            )
        return tuple(made)

    def point_of(self, run: Run) -> dict:
        """Return the point that a record was trained at; its names are those of the dimensions."""
        parts = {"model": run.model, "recipe": run.recipe, "data": run.data}
        return {name: parts[name.partition(".")[0]].get(name.partition(".")[2]) for name in self.space}


def _check_values(name: str, values) -> None:
    if isinstance(values, Range):
        if not values.low < values.high or (values.log and values.low <= 0):
            raise ConfigError(f"{name} must run from a lower to a higher number (above 0 with log), got {values}.")
    elif not isinstance(values, tuple) or not values:
        raise ConfigError(f"{name} needs a tuple of at least one value or a Range, got {values!r}.")
    elif len(set(map(repr, values))) != len(values):
        raise ConfigError(f"{name} has a value twice: {values}.")


def _parts(point: dict) -> dict[str, dict]:
    """Return what a point sets in the network, the recipe and the images."""
    parts = {part: {} for part in PARTS}
    for name, value in point.items():
        part, _, key = name.partition(".")
        parts[part][key] = value
    return parts


def short(name: str) -> str:
    """Return the name of a dimension without its part.

    >>> short("recipe.lr")
    'lr'
    """
    return name.partition(".")[2]


def point_name(point: dict) -> str:
    """Return a point in words, the same wherever it is made.

    >>> point_name({"recipe.lr": 0.01, "data.image_size": 32})
    'lr=0.01, image_size=32'
    """
    return ", ".join(f"{short(name)}={value}" for name, value in point.items())


def choices(search: Search, name: str) -> list:
    """Return all values of a dimension, those of points beside the grid included."""
    values = [*search.space[name], *(point[name] for point in search.also)]
    return list(dict.fromkeys(values))


def recorded(search: Search, budget: str = "full", points: Iterable[dict] | None = None) -> Iterator[Run]:
    """Yield the finished records of points, in their order; of those of the grid if none are named."""
    for point in search.points() if points is None else points:
        if known := finished_record(search.run(point, budget)):
            yield known


def table(runs: Iterable[Run], search: Search):
    """Return records as a table: one row a point, its dimensions and its metric, the best first."""
    import pandas as pd

    rows = []
    for run in runs:
        row = {short(name): value for name, value in search.point_of(run).items()}
        rows.append(
            row | {search.metric: run.value(search.metric), "minutes": run.value("minutes"), "trial": run.trial}
        )
    columns = [*map(short, search.space), search.metric, "minutes", "trial"]
    ascending = search.direction == "minimize"
    return pd.DataFrame(rows, columns=columns).sort_values(search.metric, ascending=ascending, ignore_index=True)


def best(runs: Iterable[Run], search: Search, count: int = 1) -> list[Run]:
    """Return the records with the best metric, the best first; those that diverged are left out."""
    good = [run for run in runs if math.isfinite(run.value(search.metric))]
    return sorted(good, key=lambda run: run.value(search.metric), reverse=search.direction == "maximize")[:count]


def by_value(runs: Iterable[Run], search: Search, dimension: str) -> list[Run]:
    """Return records with their value of a dimension as the arm, and the rest of their point as the seed.

    So `labkit.estimates.setting_by_setting` compares two values of the dimension at equal settings of all others. Of a
    point that was repeated over seeds only seed 0 counts. Introduced in lab 14.
    """
    known, chosen = {}, []
    for run in runs:
        if run.seed == 0:
            point = search.point_of(run)
            arm = f"{short(dimension)}={point.pop(dimension)}"
            chosen.append(replace(run, arm=arm, seed=known.setdefault(point_name(point), len(known))))
    return chosen


@dataclass(frozen=True)
class GridDifference(Difference):
    """The difference of a metric between two values of a dimension, at each setting of all others.

    Introduced in lab 14.

    Attributes:
        search: the grid.
        dimension: its name, such as "data.image_size"; `arm` and `against` are such as "image_size=64".
    """

    search: Search
    dimension: str

    def estimate(self, runs: list[Run]) -> Mean:
        """Return the mean of the differences at each setting that has both values."""
        at = by_value(runs, self.search, self.dimension)
        return estimates.setting_by_setting(at, self.metric, self.arm, self.against)


def as_study(runs: Iterable[Run], search: Search):
    """Return records as a finished study in memory, for Optuna's figures and importances. Introduced in lab 14.

    Points that diverged are left out.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction=search.direction)
    ways: dict[str, Any] = {short(name): _distribution(search, name) for name in search.space}
    for run in sorted(runs, key=lambda run: run.trial or 0):
        if math.isfinite(value := run.value(search.metric)):
            params = {short(name): _hashable(one) for name, one in search.point_of(run).items()}
            study.add_trial(optuna.trial.create_trial(params=params, distributions=ways, value=value))
    return study


def _distribution(search: Search, name: str):
    """Return a dimension for Optuna; the values of a grid keep their order where they are numbers."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    values: Any = search.space[name]
    if isinstance(values, Range):
        low, high, log, whole = values.low, values.high, values.log, values.whole
    else:
        values = [_hashable(value) for value in choices(search, name)]
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            return CategoricalDistribution(values)
        low, high = min(values), max(values)
        log = low > 0 and high / low >= 100  # spaced by factors
        whole = all(isinstance(value, int) for value in values)
    return IntDistribution(int(low), int(high), log=log) if whole else FloatDistribution(low, high, log=log)


def _hashable(value):
    """Return a value as a point has it: JSON makes lists of tuples."""
    return tuple(value) if isinstance(value, list) else value

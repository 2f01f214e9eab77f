"""Search over recipes, networks and images: many runs, many workers on one storage, nothing lost. On Optuna.

A search declares its dimensions; a *point* gives each of them a value, and a point is trained like any other run, with
a record in the ledger. Optuna keeps who trains what, in SQLite (one machine) or PostgreSQL (several).
Not here: which searches there are (experiments.py), figures (plots).
"""

import itertools
import math
import re
import shlex
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from labkit import ledger
from labkit.arms import Arm, Budget
from labkit.errors import ConfigError, DivergedError, LabkitError, unknown
from labkit.files import cache_dir
from labkit.ledger import Claim, Run
from labkit.runner import DATA, checkpoint_path, same_training, train_run
from labkit.train import Recipe

warnings.filterwarnings("ignore", message="IProgress not found")  # Optuna's import of a progress bar, in notebooks

PARTS = ("model", "recipe", "data")  # where a dimension lies: "recipe.lr", "model.hidden", "data.image_size"
HEARTBEAT = 60  # seconds between two signs of life of a worker
PATIENCE = 3 * HEARTBEAT  # seconds without one after which its point is given to another
RETRIES = 3  # how often a point is given to another worker
PAUSE = 2.0  # seconds between two looks at the storage while others still work
LOCK_WAIT = 60  # seconds to wait for another process that writes the SQLite file


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
        metric: what is wanted as high as possible, or as low for a loss; of `labkit.ledger.METRICS`.
    """

    name: str
    model: str
    options: dict
    space: dict[str, tuple | Range]
    quick: Budget
    full: Budget
    also: tuple[dict, ...] = ()
    metric: str = "val_acc"

    def __post_init__(self):
        if not self.space:
            raise ConfigError(
                f"The search {self.name} has no dimension. Give one, such as {{'recipe.lr': (0.1, 0.01)}}."
            )
        for name, values in self.space.items():
            part, _, key = name.partition(".")
            if part not in PARTS or not key:
                raise ConfigError(f"A dimension is called model.X, recipe.X or data.X, got {name!r}.")
            if part == "recipe" and key not in Recipe.__dataclass_fields__:
                raise unknown("field of a recipe", key, Recipe.__dataclass_fields__)
            if part == "data" and key not in DATA:
                raise unknown("wish for images", key, DATA)
            _check_values(name, values)
        for point in self.also:
            if set(point) != set(self.space):
                raise ConfigError(f"A point needs a value for each of {', '.join(self.space)}, got {point}.")

    @property
    def direction(self) -> str:
        """Which way is better, in Optuna's words."""
        return "minimize" if "loss" in self.metric else "maximize"

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
        return list({point_name(point): point for point in (*grid, *self.also)}.values())

    def run(self, point: dict, budget: str, seed: int = 0, trial: int | None = None) -> Run:
        """Return the run of a point, with what it will train and no result yet."""
        if budget not in ("quick", "full"):
            raise unknown("budget", budget, ("quick", "full"))
        base, parts = getattr(self, budget), _parts(point)
        return Run(
            lab=self.name, arm=point_name(point), budget=budget, seed=seed, trial=trial,
            model=dict(name=self.model, **self.options) | parts["model"], data=base.data | parts["data"],
            recipe=replace(base.recipe, **parts["recipe"]).as_record(),
        )  # fmt: skip

    def arms(self, quick: Callable[[dict], bool]) -> tuple[Arm, ...]:
        """Return each point of the grid as an arm of a lab of the same name, so that it can be repeated over seeds.

        Args:
            quick: which points are part of the lab's quick budget.
        """
        made = []
        for point in self.points():
            parts = _parts(point)
            made.append(Arm(
                point_name(point), self.model, self.options | parts["model"], parts["recipe"], parts["data"],
                full_only=not quick(point),
            ))  # fmt: skip
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


def grid_study(search: Search, budget: str, storage: str | None = None):
    """Open the study of a grid, made if need be, with every point in it. Introduced in lab 14.

    Raises:
        ConfigError: the study exists with other dimensions or values.
        LabkitError: the storage cannot be reached.
    """
    study = open_study(search, budget, "grid", storage)
    _add_missing(study, search)
    return study


def open_study(search: Search, budget: str, sampler: str = "tpe", storage: str | None = None, pruner: str = "none"):
    """Open a study, made if need be.

    Args:
        search: what is searched.
        budget: "quick" or "full".
        sampler: "grid", "random" or "tpe".
        storage: an address such as "postgresql://user:password@host/name"; a SQLite file in the cache if not given.
        pruner: "none", "median" or "hyperband"; stops points that fall behind, and is not for grids.
    """
    import optuna

    if sampler not in SAMPLERS:
        raise unknown("sampler", sampler, SAMPLERS)
    if pruner not in PRUNERS:
        raise unknown("pruner", pruner, PRUNERS)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)  # the signs of life
    name = f"{search.name}-{budget}-{sampler}"
    study = _patiently(
        lambda: optuna.create_study(
            storage=_storage(storage), study_name=name, direction=search.direction, load_if_exists=True,
            sampler=SAMPLERS[sampler](), pruner=PRUNERS[pruner](),
        ),
        storage,
    )  # fmt: skip
    told = {dimension: repr(values) for dimension, values in search.space.items()}
    known = study.user_attrs.get("space")
    if known is None:
        study.set_user_attr("space", told)
    elif known != told:
        raise ConfigError(
            f"The study {name} exists with other dimensions: {known}, not {told}. Give the search another name, or "
            "another storage."
        )
    return study


def _storage(address: str | None):
    """Return Optuna's storage, with a sign of life from each worker and a second chance for each point."""
    from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
    from sqlalchemy.exc import DBAPIError

    class Storage(RDBStorage):
        def record_heartbeat(self, trial_id):
            try:
                super().record_heartbeat(trial_id)
            except Exception as error:  # while a server starts again a sign is missed; the thread must live to the next
                if not _cause(error, DBAPIError):
                    raise

    if address is None:
        address = default_storage()
        (cache_dir() / "searches").mkdir(parents=True, exist_ok=True)
    options = {"connect_args": {"timeout": LOCK_WAIT}} if _is_sqlite(address) else {"pool_pre_ping": True}
    return Storage(
        address, engine_kwargs=options, heartbeat_interval=HEARTBEAT, grace_period=PATIENCE,
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
    )  # fmt: skip


def default_storage() -> str:
    """Return the address of the SQLite file that studies are kept in where no storage is named."""
    return f"sqlite:///{cache_dir() / 'searches' / 'studies.db'}"


def without_password(address: str | None) -> str:
    """Return the address of a storage as it may be shown.

    >>> without_password("postgresql://ada:secret@host/db")
    'postgresql://ada:***@host/db'
    >>> without_password("postgresql://host/db?user=ada&password=secret")
    'postgresql://host/db?user=ada&password=***'
    """
    shown = re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", address or "the SQLite file in the cache")
    return re.sub(r"(password=)[^&]*", r"\1***", shown)


def dashboard(address: str | None) -> str:
    """Return one line on how to look at the studies of a storage in a browser, without its password.

    >>> dashboard("postgresql://ada:secret@host/db").partition(", then ")[2]
    "optuna-dashboard 'postgresql://ada:***@host/db'"
    """
    shown = shlex.quote(without_password(address or default_storage()))
    return f"Look at the studies: pip install optuna-dashboard, then optuna-dashboard {shown}"


def _is_sqlite(address: str | None) -> bool:
    return address is None or address.startswith("sqlite")


def _cause(error: BaseException | None, kind: type[Exception]) -> Exception | None:
    """Return the first error of a kind among an error and its causes: Optuna wraps those of its storage."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def _patiently(call, address: str | None, tries: int = 5):
    """Call what needs the storage; try again after growing pauses, then say what is wrong without the password."""
    from sqlalchemy.exc import DBAPIError

    for attempt in range(tries):
        try:
            return call()
        except Exception as error:
            fault = _cause(error, DBAPIError)
            if fault is None:
                raise
            reason = str(fault.orig).splitlines()[0]
            time.sleep(0.5 * 2**attempt)
    look = (
        "Is there room on the disk, and does no other program hold the file?"
        if _is_sqlite(address)
        else "Is the server up, and is the address right?"
    )
    raise LabkitError(
        f"The storage {without_password(address)} cannot be used: {reason}. {look} What was finished is kept; the same "
        "command goes on."
    )


def _add_missing(study, search: Search) -> None:
    """Put every point of a grid that nobody waits for, trains or has finished into the study."""
    known = {trial.user_attrs.get("point") for trial in study.get_trials(deepcopy=False, states=_alive())}
    for point in search.points():
        name = point_name(point)
        if name not in known:
            study.enqueue_trial(point, user_attrs={"point": name, "values": point})


def _alive() -> tuple:
    """Return the states of a trial that waits, is trained or is finished."""
    from optuna.trial import TrialState

    return TrialState.WAITING, TrialState.RUNNING, TrialState.COMPLETE


class _Surplus(Exception):
    """A trial that nobody needs: another worker was faster in taking the last point, or in putting it in."""


def work(
    search: Search, budget: str, *, sampler: str = "grid", trials: int | None = None, storage: str | None = None,
    pruner: str = "none", device: str | None = None, report=None, callbacks=None,
) -> int:  # fmt: skip
    """Train points until none is left; any number of workers may do so at once. Introduced in lab 14.

    Args:
        search, budget, sampler, storage, pruner: as in `open_study`.
        trials: how many points a sampler draws in all, over all workers; a grid has its own number.
        device: as in `labkit.fit`.
        report: called with the record of each finished run.
        callbacks: called with the run, gives what `labkit.fit` calls after every epoch.

    Returns:
        How many points this worker trained.
    """
    import optuna

    study = (
        grid_study(search, budget, storage)
        if sampler == "grid"
        else open_study(search, budget, sampler, storage, pruner)
    )
    done = 0

    def objective(trial) -> float:
        nonlocal done
        point = _point(trial, search, sampler == "grid")
        run = train_point(search, point, budget, trial, pruner != "none", device, callbacks)
        done += 1
        if report:
            report(run)
        value = run.value(search.metric)
        return value if math.isfinite(value) else search.worst

    while _patiently(lambda: _something_left(study, search, sampler, trials), storage):
        _patiently(lambda: _train_one(study, objective), storage)
    optuna.storages.fail_stale_trials(study)
    return done


def _train_one(study, objective: Callable) -> None:
    """Take one point and train it.

    A computer that slept for longer than `PATIENCE` finds that its point was given to another worker, and leaves it to
    that one: the record is the same.
    """
    from optuna.exceptions import UpdateFinishedTrialError

    try:
        study.optimize(objective, n_trials=1, catch=(_Surplus,))
    except Exception as error:  # Optuna has no error of its own for the first of the two
        given_away = "Cannot tell a FAIL trial" in str(_cause(error, ValueError))
        if not given_away and not _cause(error, UpdateFinishedTrialError):
            raise


def _something_left(study, search: Search, sampler: str, trials: int | None) -> bool:
    """Wait until there is a point to train, and return True; False where all are finished."""
    from optuna.storages import fail_stale_trials
    from optuna.trial import TrialState

    while True:
        fail_stale_trials(study)
        if sampler == "grid":
            _add_missing(study, search)
        states = [trial.state for trial in study.get_trials(deepcopy=False)]
        if TrialState.WAITING in states:
            return True
        if sampler != "grid" and sum(s != TrialState.FAIL for s in states) < (trials or 0):
            return True
        if TrialState.RUNNING not in states:
            return False
        time.sleep(PAUSE)  # another worker still trains; if it dies, its point comes back


def _point(trial, search: Search, grid: bool) -> dict:
    """Return the point of a trial: the one that it was queued with, or a new one from the sampler."""
    if grid:
        if "values" not in trial.user_attrs or _taken(trial):
            raise _Surplus
        for name in search.space:  # so that Optuna's figures know the dimensions
            trial.suggest_categorical(name, _choices(search, name))
        return trial.user_attrs["values"]
    return {name: _draw(trial, name, values) for name, values in search.space.items()}


def _taken(trial) -> bool:
    """Tell whether an older trial of this point lives: two workers may have put it into the study at once."""
    older = trial.study.get_trials(deepcopy=False, states=_alive())
    point = trial.user_attrs["point"]
    return any(one.user_attrs.get("point") == point and one.number < trial.number for one in older)


def _choices(search: Search, name: str) -> list:
    """Return all values of a dimension, those of points beside the grid included."""
    values = [*search.space[name], *(point[name] for point in search.also)]
    return list(dict.fromkeys(values))


def _draw(trial, name: str, values):
    if not isinstance(values, Range):
        return trial.suggest_categorical(name, list(values))
    if values.whole:
        return trial.suggest_int(name, int(values.low), int(values.high), log=values.log)
    return trial.suggest_float(name, values.low, values.high, log=values.log)


def train_point(
    search: Search, point: dict, budget: str, trial, prune: bool, device: str | None, callbacks=None
) -> Run:
    """Train one point from its last finished epoch on, or return its record where it is finished."""
    import optuna

    def tell(record: Run) -> None:
        trial.report(record.value(search.metric), len(record.history))
        if trial.should_prune():
            raise optuna.TrialPruned

    return _train(search.run(point, budget, trial=trial.number), device, tell if prune else None, callbacks)


def repeat(search: Search, point: dict, budget: str, seeds: Iterable[int], device: str | None = None) -> list[Run]:
    """Train one point with several seeds, and return the records. Introduced in lab 14."""
    return [_train(search.run(point, budget, seed), device) for seed in seeds]


def _train(run: Run, device: str | None, report=None, callbacks=None) -> Run:
    """Train a planned run, or return its record where it is finished."""
    path = ledger.record_path(run.lab, run.arm, run.budget, run.seed)
    if path.exists():
        known = ledger.read(path)
        if known.finished and same_training(known, run):
            return known
    try:
        return train_run(run, path, device, progress=False, report=report, callbacks=callbacks)
    except DivergedError:
        return _diverged(run, path)


def _diverged(run: Run, path) -> Run:
    """Record a point whose loss became infinite or not a number: it is finished, and its last scores are no numbers."""
    scores = dict.fromkeys(("train_loss", "train_acc", "val_loss", "val_acc"), math.nan)
    run.history.append({"epoch": len(run.history) + 1, "lr": run.recipe["lr"], "seconds": 0.0} | scores)
    run.finished = True
    run.save(path)
    checkpoint_path(run).unlink(missing_ok=True)
    return run


def _samplers() -> dict:
    def make(name):
        def sampler():
            import optuna

            return getattr(optuna.samplers, name)(seed=None)

        return sampler

    return {"grid": make("RandomSampler"), "random": make("RandomSampler"), "tpe": make("TPESampler")}


def _pruners() -> dict:
    def make(name):
        def pruner():
            import optuna

            return getattr(optuna.pruners, name)()

        return pruner

    return {"none": make("NopPruner"), "median": make("MedianPruner"), "hyperband": make("HyperbandPruner")}


SAMPLERS, PRUNERS = _samplers(), _pruners()


def recorded(search: Search, budget: str = "full") -> Iterator[Run]:
    """Yield the finished records of the points of a grid, in their order."""
    for point in search.points():
        run = search.run(point, budget)
        path = ledger.record_path(run.lab, run.arm, budget, run.seed)
        if path.exists() and (known := ledger.read(path)).finished and same_training(known, run):
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

    So `labkit.ledger.paired` compares two values of the dimension at equal settings of all others. Of a point that was
    repeated over seeds only seed 0 counts. Introduced in lab 14.
    """
    known, found = {}, []
    for run in runs:
        if run.seed == 0:
            point = search.point_of(run)
            arm = f"{short(dimension)}={point.pop(dimension)}"
            found.append(replace(run, arm=arm, seed=known.setdefault(point_name(point), len(known))))
    return found


@dataclass(frozen=True)
class ValueClaim(Claim):
    """A sentence of a source about two values of a dimension, decided over all points of a grid that have both.

    Attributes:
        search: the grid.
        dimension: its name, such as "data.image_size"; `arm` and `against` are such as "image_size=64".
    """

    search: Search | None = None
    dimension: str = ""

    def differences(self, runs: list[Run]) -> list[float]:
        """Return the difference of the two values for each setting of all other dimensions."""
        return super().differences(by_value(runs, self.search, self.dimension))


def as_study(runs: Iterable[Run], search: Search):
    """Return records as a finished study in memory, for Optuna's figures and importances. Introduced in lab 14.

    Points that diverged are left out.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction=search.direction)
    ways = {short(name): _distribution(search, name) for name in search.space}
    for run in sorted(runs, key=lambda run: run.trial or 0):
        if math.isfinite(value := run.value(search.metric)):
            params = {short(name): _hashable(one) for name, one in search.point_of(run).items()}
            study.add_trial(optuna.trial.create_trial(params=params, distributions=ways, value=value))
    return study


def _distribution(search: Search, name: str):
    """Return a dimension for Optuna; the values of a grid keep their order where they are numbers."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    values = search.space[name]
    if isinstance(values, Range):
        low, high, log, whole = values.low, values.high, values.log, values.whole
    else:
        values = [_hashable(value) for value in _choices(search, name)]
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            return CategoricalDistribution(values)
        low, high = min(values), max(values)
        log = low > 0 and high / low >= 100  # spaced by factors
        whole = all(isinstance(value, int) for value in values)
    return IntDistribution(int(low), int(high), log=log) if whole else FloatDistribution(low, high, log=log)


def _hashable(value):
    """Return a value as a point has it: JSON makes lists of tuples."""
    return tuple(value) if isinstance(value, list) else value

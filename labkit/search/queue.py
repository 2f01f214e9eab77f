"""Train the points of a search: any number of workers on one study of Optuna, nothing lost, nothing trained twice.

A worker takes a point, trains it from its last finished epoch on, and tells the storage that it lives. The point of a
worker that died is given to another.
Not here: what a search is (grid.py), the storage (storage.py), starting processes (workers.py).
"""

import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from labkit.base.errors import ConfigError, stoppable, unknown
from labkit.experiments.execute import Settings, execute
from labkit.records.ledger import Run
from labkit.search.grid import Range, Search, choices, point_name, recorded
from labkit.search.storage import OPENING, cause, need_optuna, open_storage, patiently

warnings.filterwarnings("ignore", message="IProgress not found")  # Optuna's import of a progress bar, in notebooks

SAMPLERS = {"grid": "RandomSampler", "random": "RandomSampler", "tpe": "TPESampler"}  # classes of optuna.samplers
PRUNERS = {"none": "NopPruner", "median": "MedianPruner", "hyperband": "HyperbandPruner"}  # of optuna.pruners
AHEAD = 8  # points of a grid that are put into the study at a time
PAUSE = 2.0  # seconds between two looks at the storage while others still work


def grid_study(search: Search, budget: str, storage: str | None = None):
    """Open the study of a grid, made if need be, with its next points in it. Introduced in lab 14.

    Raises:
        ConfigError: the study exists with other dimensions or values.
        LabkitError: the storage cannot be reached.
    """
    study = open_study(search, budget, "grid", storage)
    _add_missing(study, search, study.get_trials(deepcopy=False))
    return study


def open_study(
    search: Search,
    budget: str,
    sampler: str = "tpe",
    storage: str | None = None,
    pruner: str = "none",
    seed: int | None = None,
):
    """Open a study, made if need be.

    Args:
        search: what is searched.
        budget: "quick" or "full".
        sampler: "grid", "random" or "tpe".
        storage: an address such as "postgresql://user:password@host/name"; a SQLite file in the cache if not given.
        pruner: "none", "median" or "hyperband"; stops points that fall behind, and is not for grids.
        seed: of the sampler, so that one worker draws the same points again; None where several workers draw.
    """
    need_optuna()
    import optuna

    if sampler not in SAMPLERS:
        raise unknown("sampler", sampler, SAMPLERS)
    if pruner not in PRUNERS:
        raise unknown("pruner", pruner, PRUNERS)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)  # the signs of life
    name = f"{search.name}-{budget}-{sampler}"
    study = patiently(
        lambda: optuna.create_study(
            storage=open_storage(storage),
            study_name=name,
            direction=search.direction,
            load_if_exists=True,
            sampler=getattr(optuna.samplers, SAMPLERS[sampler])(seed=seed),
            pruner=getattr(optuna.pruners, PRUNERS[pruner])(),
        ),
        storage,
        OPENING,
    )
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


def _add_missing(study, search: Search, trials: list) -> bool:
    """Put the next points of a grid, which nobody waits for, trains or has finished, into the study; tell if any are.

    Not all at once: Optuna reads every point that is not finished several times for each one that is trained.
    """
    known = {trial.user_attrs.get("point") for trial in trials if trial.state in _alive()}
    missing = [point for point in search.points() if point_name(point) not in known]
    for point in missing[:AHEAD]:
        study.enqueue_trial(point, user_attrs={"point": point_name(point), "values": point})
    return bool(missing)


def _alive() -> tuple:
    """Return the states of a trial that waits, is trained or is finished."""
    from optuna.trial import TrialState

    return TrialState.WAITING, TrialState.RUNNING, TrialState.COMPLETE


def check_plan(sampler: str, trials: int | None, pruner: str) -> None:
    """Refuse what a sampler cannot do, before anything is trained. Introduced in lab 14.

    Raises:
        ConfigError: a grid with a number of points or a pruner; another sampler without a number of points.
    """
    if sampler == "grid":
        if trials is not None:
            raise ConfigError(f"A grid has its own number of points, got {trials} trials. Leave trials out.")
        if pruner != "none":
            raise ConfigError(
                f"A grid trains each point to its end, got the pruner {pruner!r}. Leave it out, or take tpe."
            )
    elif sampler in SAMPLERS and trials is None:  # an unknown one is named where the study is opened
        raise ConfigError(f"The sampler {sampler} draws without end. Say how many points, such as 20 trials.")


class _Surplus(Exception):
    """A trial that nobody needs: another worker was faster in taking the last point, or in putting it in."""


@stoppable()
def work(
    search: Search,
    budget: str,
    *,
    sampler: str = "grid",
    trials: int | None = None,
    storage: str | None = None,
    pruner: str = "none",
    seed: int | None = None,
    device: str | None = None,
    report=None,
    callbacks=None,
) -> int:
    """Train points until none is left; any number of workers may do so at once. Introduced in lab 14.

    Args:
        search, budget, sampler, storage, pruner, seed: as in `open_study`.
        trials: how many points a sampler draws in all, over all workers; a grid has its own number.
        device: as in `labkit.fit`.
        report: called with the record of each finished run.
        callbacks: called with the run, gives what `labkit.fit` calls after every epoch.

    Returns:
        How many points this worker trained.

    Raises:
        ConfigError: as `check_plan`; or the study exists with other dimensions.
        LabkitError: the storage cannot be reached.
    """
    check_plan(sampler, trials, pruner)
    study = (
        grid_study(search, budget, storage)
        if sampler == "grid"
        else open_study(search, budget, sampler, storage, pruner, seed)
    )
    import optuna  # which opening the study has found to be there

    settings, done = Settings(device, progress=False, callbacks=callbacks), 0

    def objective(trial) -> float:
        nonlocal done
        point = _point(trial, search, sampler == "grid")
        run = train_point(search, point, budget, trial, pruner != "none", settings)
        done += 1
        if report:
            report(run)
        value = run.value(search.metric)
        return value if math.isfinite(value) else search.worst

    while patiently(lambda: _something_left(study, search, sampler, trials), storage):
        patiently(lambda: _train_one(study, objective), storage)
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
        given_away = "Cannot tell a FAIL trial" in str(cause(error, ValueError))
        if not given_away and not cause(error, UpdateFinishedTrialError):
            raise


def _something_left(study, search: Search, sampler: str, wanted: int | None) -> bool:
    """Wait until there is a point to train, and return True; False where all are finished."""
    from optuna.storages import fail_stale_trials
    from optuna.trial import TrialState

    while True:
        trials = study.get_trials(deepcopy=False)
        states = [trial.state for trial in trials]
        few = states.count(TrialState.WAITING) < AHEAD / 2
        if sampler == "grid" and few and _add_missing(study, search, trials):
            return True
        if TrialState.WAITING in states:
            return True
        if sampler != "grid" and sum(s != TrialState.FAIL for s in states) < (wanted or 0):
            return True
        if TrialState.RUNNING not in states:
            return False
        time.sleep(PAUSE)  # another worker still trains; if it dies, its point comes back
        fail_stale_trials(study)


def _point(trial, search: Search, grid: bool) -> dict:
    """Return the point of a trial: the one that it was queued with, or a new one from the sampler."""
    if grid:
        told = trial.user_attrs  # read from the storage each time
        if "values" not in told or _taken(trial, told["point"]):
            raise _Surplus
        for name in search.space:  # so that Optuna's figures know the dimensions
            trial.suggest_categorical(name, choices(search, name))
        return told["values"]
    return {name: _draw(trial, name, values) for name, values in search.space.items()}


def _taken(trial, point: str) -> bool:
    """Tell whether an older trial of this point lives: two workers may have put it into the study at once."""
    older = trial.study.get_trials(deepcopy=False, states=_alive())
    return any(one.user_attrs.get("point") == point and one.number < trial.number for one in older)


def _draw(trial, name: str, values):
    if not isinstance(values, Range):
        return trial.suggest_categorical(name, list(values))
    if values.whole:
        return trial.suggest_int(name, int(values.low), int(values.high), log=values.log)
    return trial.suggest_float(name, values.low, values.high, log=values.log)


def train_point(search: Search, point: dict, budget: str, trial, prune: bool, settings: Settings) -> Run:
    """Train one point from its last finished epoch on, or return its record where it is finished."""
    import optuna

    def tell(record: Run) -> None:
        trial.report(record.value(search.metric), len(record.history))
        if trial.should_prune():
            raise optuna.TrialPruned

    if prune:
        settings = replace(settings, report=tell)
    return execute(search.run(point, budget, trial=trial.number), settings, keep_diverged=True)


def drawn(search: Search, budget: str, sampler: str, storage: str | None = None) -> Iterator[Run]:
    """Return the records of the points that a sampler drew and trained to their end. Introduced in lab 14."""
    from optuna.trial import TrialState

    trials = open_study(search, budget, sampler, storage).get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return recorded(search, budget, [{name: trial.params[name] for name in search.space} for trial in trials])


def repeat(search: Search, point: dict, budget: str, seeds: Iterable[int], device: str | None = None) -> list[Run]:
    """Train one point with several seeds, and return the records. Introduced in lab 14."""
    settings = Settings(device, progress=False)
    return [execute(search.run(point, budget, seed), settings, keep_diverged=True) for seed in seeds]

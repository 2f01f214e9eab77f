"""Search: what a grid is, what a storage keeps, and that no point is lost or doubled when processes are killed."""

import contextlib
import multiprocessing
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import psutil
import pytest

from labkit.base.errors import ConfigError, LabkitError
from labkit.experiments.execute import Settings
from labkit.records.ledger import read
from labkit.search import workers
from labkit.search.grid import Range, Search, point_name, recorded
from labkit.search.queue import AHEAD, drawn, grid_study, open_study, train_point, work
from labkit.search.storage import without_password
from labkit.training.recipe import Recipe
from tests.reading import ROOT
from tests.search_worker import GRID, SMALL


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("labkit.search.queue.PAUSE", 0.1)


def small(space, **more) -> Search:
    return Search(name="test", model="mlp", options={"hidden": [8]}, space=space, quick=SMALL, full=SMALL, **more)


def finished(study) -> Counter:
    """Count the finished trials of each point."""
    from optuna.trial import TrialState

    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return Counter(trial.user_attrs["point"] for trial in done)


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ({}, "has no dimension"),
        ({"lr": (0.1,)}, "A dimension is called model.X, recipe.X or data.X, got 'lr'"),
        ({"recipe.learning_rate": (0.1,)}, "There is no field of a recipe 'learning_rate'"),
        ({"data.size": (32,)}, "There is no field of images 'size'"),
        ({"recipe.lr": ()}, "recipe.lr needs a tuple of at least one value"),
        ({"recipe.lr": [0.1]}, "recipe.lr needs a tuple of at least one value"),
        ({"recipe.lr": (0.1, 0.1)}, "recipe.lr has a value twice"),
        ({"recipe.lr": Range(0.1, 0.01)}, "must run from a lower to a higher number"),
        ({"recipe.lr": Range(0.0, 0.1, log=True)}, "above 0 with log"),
    ],
)
def test_empty_and_contradictory_grids_are_refused(space, says):
    with pytest.raises(ConfigError, match=says):
        small(space)


def test_a_grid_is_every_combination_once_and_the_points_beside_it():
    space = {"recipe.lr": (0.1, 0.01), "model.hidden": ((8,), (16,))}
    beside = {"recipe.lr": 0.05, "model.hidden": (8,)}
    assert [point_name(p) for p in small(space, also=(beside,)).points()] == [
        "lr=0.1, hidden=(8,)",
        "lr=0.1, hidden=(16,)",
        "lr=0.01, hidden=(8,)",
        "lr=0.01, hidden=(16,)",
        "lr=0.05, hidden=(8,)",
    ]
    with pytest.raises(ConfigError, match="needs a value for each of"):
        small(space, also=({"recipe.lr": 0.05},))
    with pytest.raises(ConfigError, match="A grid needs a tuple of values for recipe.lr"):
        small({"recipe.lr": Range(0.01, 0.1)}).points()


def test_a_point_sets_network_recipe_and_images():
    point = {"model.hidden": (5,), "recipe.batch_size": 7, "data.image_size": 9}
    run = small({name: (value,) for name, value in point.items()}).run(point, "quick", trial=3)
    assert run.model == {"name": "mlp", "hidden": (5,)}
    assert Recipe.of(run.recipe).batch_size == 7
    assert run.data["image_size"] == 9
    assert run.trial == 3


def test_one_worker_trains_every_point_once_and_a_second_call_none():
    assert work(GRID, "quick", device="cpu") == 12
    assert work(GRID, "quick", device="cpu") == 0
    runs = list(recorded(GRID, "quick"))
    assert len({run.arm for run in runs}) == len(runs) == 12
    assert sorted(run.trial for run in runs) == list(range(12))
    assert finished(grid_study(GRID, "quick")) == Counter({point_name(p): 1 for p in GRID.points()})


def test_the_points_of_a_grid_enter_the_study_in_portions():
    assert len(grid_study(GRID, "quick").trials) == AHEAD < len(GRID.points())


def test_a_late_point_costs_the_storage_no_more_than_an_early_one(monkeypatch):
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    sent, per_point = [0], []

    def count(connection, cursor, statement, parameters, context, executemany):
        sent[0] += 1 + len(parameters)  # what is asked for by name counts as well as the question

    def mark(run):
        per_point.append(sent[0])
        sent[0] = 0

    event.listen(Engine, "before_cursor_execute", count)
    try:
        work(GRID, "quick", device="cpu", report=mark)
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert max(per_point[-3:]) <= max(per_point[1:4])  # the first one also opens the study


def test_a_sampler_draws_as_many_as_asked_for():
    some = small({"recipe.lr": Range(1e-4, 1e-1, log=True), "recipe.batch_size": Range(5, 40, whole=True)})
    assert work(some, "quick", sampler="tpe", trials=3, device="cpu") == 3
    assert work(some, "quick", sampler="tpe", trials=4, device="cpu") == 1


def test_a_sampler_with_a_seed_draws_the_same_points_again(tmp_path):
    some, drawn = small({"recipe.lr": Range(1e-4, 1e-1, log=True)}), []
    for number, seed in enumerate((5, 5, 6)):
        found = []
        storage = f"sqlite:///{tmp_path}/{number}.db"
        work(some, "quick", sampler="tpe", trials=2, seed=seed, storage=storage, device="cpu", report=found.append)
        drawn.append([run.recipe["lr"] for run in found])
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ({"trials": 5}, "A grid has its own number of points, got 5 trials"),
        ({"pruner": "median"}, "A grid trains each point to its end, got the pruner 'median'"),
        ({"sampler": "tpe"}, "The sampler tpe draws without end"),
        ({"sampler": "tpe", "trials": 3, "pruner": "best"}, "There is no pruner 'best'"),
        ({"sampler": "bayes"}, "There is no sampler 'bayes'"),
    ],
)
@pytest.mark.parametrize("train", [work, workers.run])
def test_what_a_sampler_cannot_do_is_refused(plan, says, train):
    with pytest.raises(ConfigError, match=says):
        train(GRID, "quick", **plan)


def test_a_pruner_stops_points_that_fall_behind():
    rates = {"recipe.lr": Range(1e-6, 1e-2, log=True)}
    images = replace(SMALL.images, train_per_class=20)
    some = replace(small(rates), quick=replace(SMALL, images=images, recipe=Recipe(epochs=3, batch_size=20)))
    how = {"sampler": "random", "pruner": "median", "trials": 12, "seed": 0, "device": "cpu"}
    trained = []
    whole = work(some, "quick", report=trained.append, **how)
    trials = open_study(some, "quick", "random").trials
    pruned = [trial for trial in trials if trial.state.name == "PRUNED"]
    assert pruned
    assert whole == len(trained) == 12 - len(pruned)
    assert all(len(run.history) == 3 for run in trained)
    for trial in pruned:  # its best was below the middle of the finished ones before it, at the same epoch
        finished_ones = [one for one in trials[: trial.number] if one.state.name == "COMPLETE"]
        middle = median(one.intermediate_values[trial.last_step] for one in finished_ones)
        assert max(trial.intermediate_values.values()) < middle
    assert sorted(run.arm for run in drawn(some, "quick", "random")) == sorted(run.arm for run in trained)
    assert work(some, "quick", **how) == 0


class Dies:
    """A callback that ends the process, as it were, after an epoch."""

    def __init__(self, epoch: int):
        self.epoch, self.seen = epoch, []

    def __call__(self, row):
        self.seen.append(row["epoch"])
        if row["epoch"] == self.epoch:
            raise KeyboardInterrupt

    def close(self):
        pass


def test_a_point_is_trained_on_from_its_last_finished_epoch():
    point, trial = GRID.points()[0], SimpleNamespace(number=7)
    first, second = Dies(1), Dies(0)
    with pytest.raises(KeyboardInterrupt):
        train_point(GRID, point, "quick", trial, False, Settings("cpu", progress=False, callbacks=lambda run: [first]))
    run = train_point(
        GRID, point, "quick", trial, False, Settings("cpu", progress=False, callbacks=lambda run: [second])
    )
    assert (first.seen, second.seen) == ([1], [2])
    assert [row["epoch"] for row in run.history] == [1, 2]
    assert run.trial == 7


def test_a_study_with_other_dimensions_is_refused():
    grid_study(small({"recipe.lr": (0.1, 0.01)}), "quick")
    with pytest.raises(ConfigError, match=r"exists with other dimensions: .*0\.01.*, not .*0\.001"):
        grid_study(small({"recipe.lr": (0.1, 0.001)}), "quick")


def test_an_unreachable_storage_is_named_without_its_password(monkeypatch):
    monkeypatch.setattr("labkit.search.queue.OPENING", 0.1)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(LabkitError) as caught:
        open_study(GRID, "quick", storage=f"postgresql://ada:secret@127.0.0.1:{port}/none")
    assert "ada:***@127.0.0.1" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert without_password(None) == "the SQLite file in the cache"


# --- faults -----------------------------------------------------------------------------------------------------------


def start(storage: str, heartbeat: int = 1, pause: float = 0.0) -> subprocess.Popen:
    """Start a worker as a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.search_worker", storage, str(heartbeat), str(pause)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def wait_for(worker, text: str) -> None:
    said = []
    for line in worker.stdout:
        if text in line:
            return
        said.append(line)
    raise AssertionError(f"the worker ended without {text!r}: {''.join(said)}")


def test_no_more_processes_than_points_are_started(monkeypatch, capfd):
    process = multiprocessing.get_context("spawn").Process
    started, start_one = [], process.start
    monkeypatch.setattr(process, "start", lambda self: (started.append(self), start_one(self)))
    two = small({"recipe.lr": (0.01, 0.001)})
    workers.run(two, "quick", 5, device="cpu")
    assert len(started) == 2
    assert sorted(run.arm for run in recorded(two, "quick")) == ["lr=0.001", "lr=0.01"]
    assert capfd.readouterr().out.count("trial ") == 2


def test_dead_workers_are_counted_and_the_same_call_goes_on(monkeypatch):
    monkeypatch.setattr("labkit.search.storage.HEARTBEAT", 1)  # here; the workers that die have the usual one
    monkeypatch.setattr("labkit.search.storage.PATIENCE", 3)

    def kill():
        while not list(recorded(GRID, "quick")):
            time.sleep(0.05)
        for child in multiprocessing.active_children():
            child.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(LabkitError, match=r"2 of 2 workers died \(exit codes -9, -9\).*same command again"):
        workers.run(GRID, "quick", 2, device="cpu")
    killer.join()
    assert 0 < len(list(recorded(GRID, "quick"))) < 12
    workers.run(GRID, "quick", 1, device="cpu")
    check_all_once(None)


def check_all_once(storage: str | None) -> None:
    """Every point finished exactly once in the study, and has one whole record."""
    assert finished(grid_study(GRID, "quick", storage)) == Counter({point_name(p): 1 for p in GRID.points()})
    assert len(list(recorded(GRID, "quick"))) == 12


def test_sqlite_survives_two_killed_workers(tmp_path):
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    crew = [start(storage, pause=0.3) for _ in range(2)]
    for worker in crew:
        wait_for(worker, "finished")
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
    last = start(storage)
    assert "trained" in last.communicate(timeout=120)[0]
    check_all_once(storage)


def test_a_worker_that_slept_leaves_its_point_to_another(tmp_path):
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    sleeper = start(storage, pause=0.5)
    wait_for(sleeper, "finished")
    sleeper.send_signal(signal.SIGSTOP)  # its record is written, and the study does not know yet
    assert "trained 12" in start(storage).communicate(timeout=120)[0]
    sleeper.send_signal(signal.SIGCONT)
    said = sleeper.communicate(timeout=120)[0]
    assert sleeper.returncode == 0, said
    assert "trained 1" in said
    check_all_once(storage)


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")  # it is this test that asks for a trial by hand
def test_a_point_whose_worker_never_gave_a_sign_of_life_is_trained(tmp_path, monkeypatch):
    """Such as one that lost the server in the moment after taking the point: Optuna alone would wait for ever."""
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    taken = grid_study(GRID, "quick", storage).ask()
    worker = start(storage)
    assert "trained 12" in worker.communicate(timeout=120)[0]
    assert grid_study(GRID, "quick", storage).trials[taken.number].state.name == "FAIL"  # and another took its point
    check_all_once(storage)


def test_a_full_disk_ends_a_worker_with_one_line_and_loses_nothing(small_disk, monkeypatch):
    monkeypatch.setenv("LABKIT_CACHE", str(small_disk.folder))
    storage = f"sqlite:///{small_disk.folder / 'studies.db'}"
    worker = start(storage, pause=0.3)
    wait_for(worker, "finished")
    small_disk.fill()
    said = worker.communicate(timeout=120)[0]
    assert worker.returncode == 1
    assert re.search(r"^labkit: .*disk is full.*What was finished is kept", said, re.MULTILINE | re.DOTALL), said
    small_disk.free()
    last = start(storage)
    assert "trained" in last.communicate(timeout=120)[0]
    check_all_once(storage)


def test_a_locked_file_is_waited_for_and_then_named(tmp_path, monkeypatch):
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    grid_study(GRID, "quick", storage)
    other = sqlite3.connect(tmp_path / "studies.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr("labkit.search.storage.LOCK_WAIT", 0)
    with pytest.raises(LabkitError, match=r"studies\.db cannot be used: database is locked\. Is there room .* hold"):
        work(GRID, "quick", storage=storage, device="cpu")
    monkeypatch.setattr("labkit.search.storage.LOCK_WAIT", 60)
    threading.Timer(1.0, lambda: other.execute("ROLLBACK")).start()
    assert work(GRID, "quick", storage=storage, device="cpu") == 12
    check_all_once(storage)


def postgres_programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class Server:
    """A PostgreSQL of the test's own, on the loopback address, in a temporary directory."""

    def __init__(self, folder: Path):
        self.programs, self.folder = postgres_programs(), folder
        folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        self.call("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "lab", "-N")

    @property
    def address(self) -> str:
        return f"postgresql://lab@127.0.0.1:{self.port}/postgres"

    def call(self, program: str, *args: str) -> None:
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []  # it refuses to run as root
        subprocess.run([*user, str(self.programs / program), *args], check=True, capture_output=True, cwd=self.folder)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder}"
        for _ in range(30):  # the children of a killed server let go of its memory a moment later
            try:
                self.call(
                    "pg_ctl", "-D", f"{self.folder}/data", "-w", "-o", options, "-l", f"{self.folder}/log", "start"
                )
                return
            except subprocess.CalledProcessError:
                time.sleep(1)
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        first = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(first, signal.SIGKILL)

    def stop(self) -> None:
        self.call("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")


@pytest.fixture
def server():
    """A server of the test's own; where there is no PostgreSQL the test is skipped with one line, in CI it fails."""
    import tempfile

    if not postgres_programs():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "PostgreSQL is missing; get it: apt-get install postgresql"
        )
    with tempfile.TemporaryDirectory(prefix="pg") as folder:  # short: a socket's path has an end
        os.chmod(folder, 0o755)
        one = Server(Path(folder) / "server")
        one.start()
        yield one
        one.stop()


def test_postgres_survives_killed_workers_and_a_killed_server(server, monkeypatch, tmp_path):
    crew = [start(server.address, pause=0.3) for _ in range(4)]
    wait_for(crew[0], "finished")
    crew[0].send_signal(signal.SIGKILL)
    wait_for(crew[1], "finished")
    server.kill()
    server.start()
    wait_for(crew[2], "finished")
    crew[2].send_signal(signal.SIGKILL)
    for worker in crew:
        worker.communicate(timeout=120)
    last = start(server.address)
    assert "trained" in last.communicate(timeout=120)[0]
    check_all_once(server.address)
    disturbed = {run.arm: run.value("val_acc") for run in recorded(GRID, "quick")}
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "undisturbed"))
    assert "trained 12" in start(f"sqlite:///{tmp_path / 'undisturbed.db'}").communicate(timeout=120)[0]
    assert disturbed == {run.arm: run.value("val_acc") for run in recorded(GRID, "quick")}


# --- stopped by hand --------------------------------------------------------------------------------------------------

SEARCH = [sys.executable, "-m", "labkit", "search", "14-hyperparameter-search", "--workers", "3", "--device", "cpu"]


def living(group: int) -> list[str]:
    """Name the processes of a group that live; one that nobody has buried does not."""
    names = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                names.append(" ".join(process.cmdline()))
    return names


def lives(ready, hears: bool) -> None:
    """Live on for a minute; who does not hear does so whatever it is told."""
    if not hears:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ready.set()
    time.sleep(60)


@pytest.mark.skipif(os.name != "posix", reason="Windows ends a process without asking it")
def test_a_worker_that_does_not_hear_is_killed(monkeypatch):
    monkeypatch.setattr(workers, "GRACE", 0.5)
    context = multiprocessing.get_context("spawn")
    ready = [context.Event(), context.Event()]
    crew = [
        context.Process(target=lives, args=(event, hears)) for event, hears in zip(ready, (False, True), strict=True)
    ]
    for process, event in zip(crew, ready, strict=True):
        process.start()
        assert event.wait(60)
    workers.end(crew)
    assert [process.exitcode for process in crew] == [-signal.SIGKILL, -signal.SIGTERM]


@pytest.mark.skipif(os.name != "posix", reason="signals to a group of processes are of Unix")
@pytest.mark.parametrize("signals", [(signal.SIGINT,), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)])
def test_a_stopped_search_says_one_sentence_and_leaves_nobody_behind(tmp_path, signals):
    """The whole group is told, as a terminal does; SIGTERM goes to the first process alone."""

    def heed():
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    env = os.environ | {"LABKIT_CACHE": str(tmp_path), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(SEARCH, env=env, cwd=ROOT, preexec_fn=heed, **pipes) as process:
        for line in process.stdout:
            if line.startswith("trial"):
                break
        for number in signals:
            (process.send_signal if number == signal.SIGTERM else lambda n: os.killpg(process.pid, n))(number)
        out, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip().splitlines() == [
        "labkit: stopped. What was finished is kept; the same command goes on from there."
    ]
    assert "Traceback" not in out
    until = time.monotonic() + 10
    while (left := living(process.pid)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not left
    kept = list((tmp_path / "results").rglob("*.json"))
    assert kept
    assert all(isinstance(read(path).finished, bool) for path in kept)


class Dying:
    """An object in whose tearing down a signal comes."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)  # the handler runs here


@pytest.mark.skipif(os.name != "posix", reason="a process cannot send itself SIGTERM there and live")
def test_a_stop_in_the_middle_of_tearing_down_is_neither_lost_nor_printed():
    """What is raised in `__del__` is printed and lost, and a warning of it fails this test."""
    told = []
    with workers._handling(signal.SIGTERM, workers._stopping(told)):
        Dying()
        assert told == []
        with pytest.raises(KeyboardInterrupt):
            time.sleep(5)
    assert told == [signal.SIGTERM]

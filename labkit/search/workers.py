"""Several processes that work on one search, each with its share of the processor's threads.

Not here: what a worker does (queue.py).
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import contextmanager

from labkit.base.errors import LabkitError
from labkit.search.grid import Search
from labkit.search.queue import check_plan, grid_study, open_study, work
from labkit.training.trackers import follower

GRACE = 10.0  # seconds that a process has to end after it was told to


def run(search: Search, budget: str, workers: int = 1, track: str | None = None, **how) -> None:
    """Start workers and wait until no point is left. Introduced in lab 14.

    A worker that dies is not started again: the others take over its point, and so does the next call.

    Args:
        search: what is searched.
        budget: "quick" or "full".
        workers: number of processes on this machine, at least 1.
        track: "tensorboard" or "wandb", as in `labkit.training.trackers.follower`.
        how: sampler, trials, pruner, storage and device, as in `labkit.queue.work`.

    Raises:
        ConfigError: as `labkit.queue.check_plan`.
        LabkitError: workers died; says how many, and that the same call goes on.
    """
    check_plan(how.get("sampler", "grid"), how.get("trials"), how.get("pruner", "none"))
    follower(track)  # a tracker that does not work is found before the storage is opened
    if how.get("sampler", "grid") == "grid":
        workers = min(workers, len(search.points()))  # more would have nothing to do
        grid_study(search, budget, how.get("storage"))  # before the workers, so that only one makes the tables
    else:
        open_study(search, budget, how["sampler"], how.get("storage"), how.get("pruner", "none"))
    if workers == 1:
        _work(search, budget, 0, track, how)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy torch's threads in an unknown state
    threads = max(1, (os.cpu_count() or 1) // workers)
    crew = [context.Process(target=_work, args=(search, budget, threads, track, how)) for _ in range(workers)]
    with _handling(signal.SIGINT, signal.SIG_IGN):  # a terminal sends Ctrl-C to all; the first one ends the others
        for one in crew:
            one.start()
    try:
        with _handling(signal.SIGTERM, signal.default_int_handler):  # whoever ends the first one ends all
            for one in crew:
                one.join()
    except KeyboardInterrupt:
        with _handling(signal.SIGINT, signal.SIG_IGN):
            end(crew)
        raise
    if dead := [one.exitcode for one in crew if one.exitcode]:
        raise LabkitError(
            f"{len(dead)} of {workers} workers died (exit codes {', '.join(map(str, dead))}). What was finished is "
            "kept; run the same command again to go on."
        )


def end(crew: list) -> None:
    """End processes; one that does not hear is killed. What they finished is kept, what they began goes on later."""
    for one in crew:
        one.terminate()
    until = time.monotonic() + GRACE
    for one in crew:
        one.join(max(0.0, until - time.monotonic()))
        if one.is_alive():  # the word to stop can get lost, such as in a destructor
            one.kill()
            one.join()


@contextmanager
def _handling(number: int, handler):
    """Handle a signal in this way within a `with` block, where signals can be handled at all: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def _stopping(told: list[int]) -> Callable:
    """Return what stops this process at a signal, and notes it in `told`.

    What is raised while an object is torn down is printed and lost: there the signal waits until that is done.
    """

    def stop(number, frame) -> None:
        if any(at.f_code.co_name == "__del__" for at, _ in traceback.walk_stack(frame)):
            threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
            return
        told.append(number)
        raise KeyboardInterrupt

    return stop


def _work(search: Search, budget: str, threads: int, track: str | None, how: dict) -> None:
    import torch

    if not threads:
        work(search, budget, report=_tell, callbacks=follower(track), **how)
        return
    torch.set_num_threads(threads)
    told = []
    try:
        with _handling(signal.SIGTERM, _stopping(told)):
            work(search, budget, report=_tell, callbacks=follower(track), **how)
    except BaseException as error:  # Optuna makes another error of being stopped
        if told:
            sys.exit(1)  # the process that started this one says it
        if not isinstance(error, LabkitError):
            raise
        sys.exit(f"labkit: {error}")  # one line from a process of its own, not the way that led there


def _tell(run) -> None:
    row = run.history[-1]
    print(f"trial {run.trial:4}  {run.arm:60} val {row['val_acc']:.4f}  {run.seconds:.1f} s", flush=True)

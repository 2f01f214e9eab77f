"""A search trains a point through the same lock as a lab: a record has one writer."""

import threading
from types import SimpleNamespace

from filelock import FileLock

from labkit.experiments.execute import Settings, checkpoint_path
from labkit.records import ledger
from labkit.search.queue import train_point
from tests.search_worker import GRID


def test_a_search_waits_while_another_process_trains_its_point(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    point, trial = GRID.points()[0], SimpleNamespace(number=0)
    run = GRID.run(point, "quick")
    record = ledger.record_path(run.lab, run.arm, run.budget, run.seed)
    lock = FileLock(checkpoint_path(run).with_suffix(".lock"))
    settings = Settings("cpu", progress=False)
    thread = threading.Thread(target=train_point, args=(GRID, point, "quick", trial, False, settings))
    checkpoint_path(run).parent.mkdir(parents=True)
    with lock:
        thread.start()
        thread.join(timeout=3)
        assert thread.is_alive()
        assert not record.exists()
    thread.join(timeout=60)
    assert ledger.read(record).finished

"""A notebook's stop button, in a real kernel: one sentence, and the same cell goes on."""

import time

import pytest
from jupyter_client.manager import start_new_kernel

from labkit.base.errors import Stopped, stoppable
from labkit.records.ledger import read
from tests.reading import ROOT

SAID = "Stopped. What was finished is kept; the same call goes on from there."
LAB = 'import labkit; len(labkit.lab("03-dropout").run(arms=["p=0.5"], device="cpu", progress=False))'
SEARCH = """
import labkit
from labkit.search import queue
queue.work(labkit.index.search("14-hyperparameter-search"), "quick", device="cpu")
"""


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    manager, client = start_new_kernel(cwd=str(ROOT))
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def begun(folder):
    """Wait until the record of a run has an epoch."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if any(path.stat().st_size and read(path).history for path in folder.rglob("results/**/*.json")):
            return
        time.sleep(0.05)
    raise AssertionError("nothing was begun in a minute")


def stop(kernel, code, folder):
    """Run a cell, stop it once it has begun, and return what it then shows."""
    manager, client = kernel
    asked = client.execute(code)
    begun(folder)
    manager.interrupt_kernel()
    answer = client.get_shell_msg(timeout=60)
    assert answer["parent_header"]["msg_id"] == asked
    shown = []
    while (message := client.get_iopub_msg(timeout=10))["msg_type"] != "status" or (
        message["content"]["execution_state"] != "idle" or message["parent_header"]["msg_id"] != asked
    ):
        if message["msg_type"] in ("error", "stream"):
            shown.append(message["content"].get("traceback") or message["content"]["text"])
    return shown


def test_a_stopped_lab_says_one_sentence_and_the_same_cell_goes_on(kernel, tmp_path):
    assert stop(kernel, LAB, tmp_path) == [[SAID]]
    (path,) = tmp_path.rglob("results/**/*.json")
    before = read(path)
    assert not before.finished
    kernel[1].execute_interactive(LAB, timeout=120, output_hook=lambda message: None)
    after = read(path)
    assert after.finished
    assert after.history[: len(before.history)] == before.history


def test_a_stopped_search_says_one_sentence_and_keeps_what_it_had(kernel, tmp_path):
    assert stop(kernel, SEARCH, tmp_path) == [[SAID]]
    assert all(read(path).history for path in tmp_path.rglob("results/**/*.json"))


def test_what_a_library_makes_of_an_interruption_is_one_too():
    @stoppable()
    def inner(error, cause):
        raise error from cause

    with pytest.raises(Stopped, match="the same call goes on"):
        inner(RuntimeError("the storage was left open"), KeyboardInterrupt())
    with pytest.raises(RuntimeError, match="another"):
        inner(RuntimeError("another"), ValueError())

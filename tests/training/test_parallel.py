"""Data-parallel training with real processes that torchrun starts: equal to one process, one writer, survives kills.

This file is also what the processes run: python -m torch.distributed.run ... -m tests.training.test_parallel fits|run ARGUMENTS
"""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from labkit import __main__ as entry
from labkit.base.errors import ConfigError
from labkit.catalogue import index
from labkit.data.augment import Crop, Flip
from labkit.data.chosen import Images
from labkit.data.images import load
from labkit.experiments.design import Arm, Budget
from labkit.models import build
from labkit.training import distributed
from labkit.training.loop import fit
from labkit.training.recipe import Recipe
from tests.reading import ROOT

TIMEOUT = 300  # seconds; only a process that hangs takes so long
SGD = {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9}
NUMBERS = ("epoch", "train_loss", "train_acc", "val_loss", "val_acc", "lr")


class TwoHeads(nn.Module):
    """A network with an auxiliary head, which only `with_auxiliary` uses."""

    def __init__(self):
        super().__init__()
        self.body, self.output, self.other = nn.Linear(784, 8), nn.Linear(8, 10), nn.Linear(8, 10)

    def forward(self, X):
        return self.with_auxiliary(X)[0]

    def with_auxiliary(self, X):
        hidden = self.body(X.flatten(1)).relu()
        return self.output(hidden), [self.other(hidden)]


def mlp(**options):
    return build("mlp", in_channels=1, num_classes=10, image_size=28, hidden=[8], **options)


def cnn():
    return build("cnn", in_channels=1, num_classes=10, image_size=28, blocks=1, dropout=0.0)


# 89 images: the last batch of 20 has 9, for two processes 4 and 5; the last batch of 11 has one, and one process none
CASES = {
    "uneven last batch": (mlp, Recipe(epochs=2, batch_size=20, schedule="one-cycle", **SGD)),
    "fewer images than processes": (mlp, Recipe(epochs=3, batch_size=11, **SGD)),
    "transforms, smoothing, clipping": (
        cnn,
        Recipe(epochs=2, batch_size=21, augment=(Flip(), Crop(2)), label_smoothing=0.1, clip_norm=0.5, **SGD),
    ),
    "auxiliary head": (TwoHeads, Recipe(epochs=2, batch_size=20, **SGD)),
    "early stop": (mlp, Recipe(epochs=30, batch_size=20, early_stop="val_loss", patience=2, optimizer="sgd", lr=0.1)),
}


def images():
    train, val, _ = load("fashion-mnist-small")
    return train.take(torch.arange(89)), val.take(torch.arange(33))


def train_case(make, recipe) -> dict:
    torch.manual_seed(0)
    model = make()
    history = fit(model, *images(), recipe, seed=3, device="cpu", progress=False)
    return {"history": history.rows, "state": model.state_dict()}


# --- what a process does ----------------------------------------------------------------------------------------------


def main(what: str, *args: str) -> int:
    if what == "run":
        tell_writes(f"rank {os.environ['RANK']}")
        return run_lab(*args)
    with distributed.together(lambda: torch.device("cpu")):
        done = {name: train_case(*case) for name, case in CASES.items()}
        done["batch norm"] = train_case(lambda: mlp(batch_norm=True), Recipe(epochs=2, batch_size=20, **SGD))
        try:
            train_case(lambda: mlp(batch_norm=True), Recipe(epochs=1, batch_size=43))
        except ConfigError as error:
            done["refused"] = str(error)
        torch.save(done, Path(args[0]) / f"rank-{distributed.rank()}.pt")
    return 0


def tell_writes(name: str) -> None:
    """Say from now on which files in the cache this process opens to write."""
    cache = os.environ["LABKIT_CACHE"]

    def watch(event, details):
        if event == "open" and str(details[0]).startswith(cache) and set(details[1] or "r") & set("wax+"):
            print(f"{name} writes {details[0]}", file=sys.stderr, flush=True)

    sys.addaudithook(watch)
    print(f"{name} pid {os.getpid()}", flush=True)


def run_lab(*args: str) -> int:
    """Run the command line on a small lab."""
    small = Budget(Images("fashion-mnist-small", train_per_class=30), Recipe(epochs=20, batch_size=9, **SGD), 1)
    arms = (Arm("a", "mlp", {"hidden": [8]}), Arm("b", "mlp", {"hidden": [4]}, {"epochs": 2}))
    index.LABS["03-dropout"] = replace(index.lab("03-dropout"), arms=arms, quick=small)
    return entry.main(["run", *args, "--device", "cpu"])


# --- tests ------------------------------------------------------------------------------------------------------------


def start(cache: Path, *args: str) -> subprocess.Popen:
    """Start two processes by torchrun; what they say on stderr goes into a file beside the cache."""
    cache.mkdir(exist_ok=True)
    command = [
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        "-m",
        "tests.training.test_parallel",
        *args,
    ]
    with open(f"{cache}.err", "a") as err:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=err,
            env=os.environ | {"LABKIT_CACHE": str(cache), "OMP_NUM_THREADS": "1", "LABKIT_BUDGET": "quick"},
        )


def end(process: subprocess.Popen) -> str:
    """Wait until torchrun has ended, return what is left of its output; one that hangs is ended."""
    try:
        return process.communicate(timeout=TIMEOUT)[0]
    except subprocess.TimeoutExpired:
        process.terminate()
        raise


def finish(cache: Path, *args: str) -> str:
    """Run two processes to their end and return what they printed."""
    process = start(cache, *args)
    out = end(process)
    assert process.returncode == 0, Path(f"{cache}.err").read_text()[-3000:]
    return out


def errors(cache: Path) -> str:
    return Path(f"{cache}.err").read_text()


def record(cache: Path, arm: str) -> dict:
    return json.loads((cache / "results" / "03-dropout" / "quick" / f"{arm}-seed-0.json").read_text())


def numbers(rows: list[dict]) -> list[list[float]]:
    return [[row[name] for name in NUMBERS] for row in rows]


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    """What each of two processes found in the cases."""
    folder = tmp_path_factory.mktemp("fits")
    finish(folder / "cache", "fits", str(folder))
    return [torch.load(folder / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_what_one_does(fits, name):
    alone = train_case(*CASES[name])
    for shared in (one[name] for one in fits):
        assert len(shared["history"]) == len(alone["history"])
        for ours, theirs in zip(numbers(shared["history"]), numbers(alone["history"]), strict=True):
            assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)
        for tensor, expected in alone["state"].items():
            torch.testing.assert_close(shared["state"][tensor], expected, rtol=1e-4, atol=1e-5)
    if name == "early stop":
        assert len(alone["history"]) < 30


def test_both_processes_return_the_same_to_the_last_bit(fits):
    for name in (*CASES, "batch norm"):
        first, second = (one[name] for one in fits)
        assert first["history"] == second["history"]  # the seconds too: they are those of the first
        for tensor, value in first["state"].items():  # running means of batch normalisation included
            assert torch.equal(second["state"][tensor], value), (name, tensor)


def test_batch_norm_needs_two_images_in_each_process(fits):
    for one in fits:
        assert "leave a last batch of 3 images for 2 processes" in one["refused"]
        assert "needs two in each. Use batch_size=45." in one["refused"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The small lab, trained by two processes: its cache and what was printed."""
    cache = tmp_path_factory.mktemp("undisturbed") / "cache"
    return cache, finish(cache, "run", "03-dropout")


def test_the_command_line_trains_together_and_the_first_process_writes(undisturbed, tmp_path, monkeypatch, capsys):
    cache, out = undisturbed
    assert out.count("03-dropout: 2 runs of the quick budget") == 1
    assert len(re.findall(r"^a seed 0 +epoch +1/20 ", out, re.MULTILINE)) == 1
    assert out.count("finished: test accuracy") == 2
    assert not list(cache.glob("checkpoints/**/*.pt"))
    written = re.findall(r"(rank \d) writes .*\.(json|pt)\.\d+\.part", errors(cache))
    assert set(written) == {("rank 0", "json"), ("rank 0", "pt")}

    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    monkeypatch.setitem(index.LABS, "03-dropout", index.lab("03-dropout"))
    assert run_lab("03-dropout", "--budget", "quick") == 0
    for arm in "ab":
        shared, alone = record(cache, arm), record(tmp_path, arm)
        for ours, theirs in zip(numbers(shared["history"]), numbers(alone["history"]), strict=True):
            assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)
        assert shared["final"]["test"]["acc"] == pytest.approx(alone["final"]["test"]["acc"], abs=1e-3)
        assert shared["device"] == "2 processes, each on 1 CPU thread"


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_the_run_and_the_same_command_resumes(undisturbed, tmp_path, victim):
    cache, pids = tmp_path / "cache", {}
    process = start(cache, "run", "03-dropout", "--arm", "a")
    for line in process.stdout:
        if found := re.match(r"rank (\d) pid (\d+)", line):
            pids[int(found[1])] = int(found[2])
        if "epoch   3/20" in line:
            os.kill(pids[victim], signal.SIGKILL)
            break
    end(process)
    assert process.returncode != 0
    assert f"labkit: Process {1 - victim} of 2 (from 0) was stopped, because another one died" in errors(cache)
    assert "the same command goes on after the last whole epoch" in errors(cache)
    stopped = record(cache, "a")
    assert not stopped["finished"]
    assert 3 <= len(stopped["history"]) < 20

    out = finish(cache, "run", "03-dropout", "--arm", "a")
    assert "epoch   1/20" not in out
    assert "epoch  20/20" in out
    whole, resumed = record(undisturbed[0], "a"), record(cache, "a")
    assert resumed["finished"]
    assert numbers(resumed["history"]) == numbers(whole["history"])
    assert resumed["final"]["test"] == whole["final"]["test"]


def test_a_mistake_is_told_once(tmp_path):
    cache = tmp_path / "cache"
    process = start(cache, "run", "03-dropot")
    end(process)
    assert process.returncode != 0
    assert errors(cache).count("Did you mean '03-dropout'") == 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""TensorBoard and Weights & Biases, for real: the files are written and can be read back."""

import builtins
import sys

import pytest

from labkit.base.errors import ConfigError, LabkitError
from labkit.training.recipe import Recipe
from labkit.training.trackers import TensorBoard, WandB, folder, follower, how_to_look, tracker
from tests.making import make_run, train_small


def test_tensorboard_writes_what_the_history_says(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    callback = TensorBoard(tmp_path)
    _, history = train_small(Recipe(epochs=2), callbacks=[callback])
    callback.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert set(events.Tags()["scalars"]) == set(history.last) - {"epoch"}
    found = events.Scalars("val_loss")
    assert [e.step for e in found] == [1, 2]
    assert [e.value for e in found] == pytest.approx(history["val_loss"], rel=1e-6)


def test_wandb_offline_needs_no_account(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    callback = WandB("labkit-test", "one", {"lr": 0.001}, folder=tmp_path)
    _, history = train_small(Recipe(epochs=2), callbacks=[callback])
    assert callback.run.summary["val_loss"] == pytest.approx(history.last["val_loss"])
    callback.close()
    files = list(tmp_path.rglob("*.wandb"))
    assert len(files) == 1
    assert files[0].stat().st_size > 0


def test_what_does_not_work_is_said(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="mode must be one of offline, online, disabled, got 'on'"):
        WandB("p", "n", {}, mode="on")
    with pytest.raises(ConfigError, match="There is no tracker 'mlflow'"):
        tracker("mlflow", make_run(), tmp_path)
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name in ("wandb", "torch.utils.tensorboard"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    for kind in ("wandb", "tensorboard"):
        with pytest.raises(LabkitError, match=f"pip install {kind}"):
            tracker(kind, make_run(), tmp_path)


def test_a_tracker_that_cannot_work_is_found_before_training(monkeypatch):
    assert follower(None) is None
    with pytest.raises(ConfigError, match="There is no tracker 'tensorbord'. Did you mean 'tensorboard'"):
        follower("tensorbord")
    for kind in ("wandb", "tensorboard"):
        assert callable(follower(kind))
        monkeypatch.setitem(sys.modules, kind, None)  # as Python sees a package that is not there
        with pytest.raises(LabkitError, match=f"{kind} is not installed. Install it: pip install {kind}"):
            follower(kind)


def test_the_environment_says_whether_wandb_goes_online(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    callback = tracker("wandb", make_run(), tmp_path)
    train_small(Recipe(epochs=1), callbacks=[callback])
    callback.close()
    assert not list(tmp_path.rglob("*.wandb"))
    monkeypatch.setenv("WANDB_MODE", "on")
    with pytest.raises(ConfigError, match="got 'on' .WANDB_MODE may say so"):
        tracker("wandb", make_run(), tmp_path)


class Pretended:
    """What stands in for the package wandb and for a run of it: keeps what it was called with."""

    def __init__(self):
        self.asked, self.rows, self.ended = {}, [], 0

    def init(self, **asked):
        self.asked = asked
        return self

    def log(self, row, **how):
        self.rows.append((row, how))

    def finish(self):
        self.ended += 1


def test_a_run_appears_under_its_lab_and_label_with_its_recipe_and_network(tmp_path, monkeypatch):
    pretended, run = Pretended(), make_run("p=0.5", 3)
    run.recipe = {"lr": 0.1}
    monkeypatch.setitem(sys.modules, "wandb", pretended)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    callback = tracker("wandb", run, tmp_path / "tracked")
    callback({"epoch": 4, "val_acc": 0.5})
    callback.close()
    folder = tmp_path / "tracked" / "x" / "full"
    assert pretended.asked == {
        "project": "x",
        "name": "p=0.5 seed 3",
        "config": {"lr": 0.1, "name": "cnn", "params": 7},
        "mode": "offline",
        "dir": str(folder),
    }
    assert pretended.rows == [({"epoch": 4, "val_acc": 0.5}, {"step": 4, "commit": True})]
    assert pretended.ended == 1
    assert folder.is_dir()
    tracker("wandb", run, tmp_path / "tracked")  # a folder that is there already is no fault


def test_the_event_files_of_a_run_lie_in_a_folder_of_their_own(tmp_path):
    callback = tracker("tensorboard", make_run("p 0.5", 3), tmp_path)
    callback({"epoch": 1, "val_acc": 0.5})
    assert len(list((tmp_path / "x" / "full" / "p-0.5-seed-3").iterdir())) == 1
    callback.close()


def test_what_follows_a_run_is_kept_in_the_cache_and_it_is_said_how_to_look_at_it(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "wandb", Pretended())
    assert folder() == tmp_path / "tracking"
    assert how_to_look("tensorboard") == f"Tracked: look at it with `tensorboard --logdir {folder()}`."
    assert how_to_look("wandb") == f"Tracked: offline runs lie in {folder()}; `wandb sync` sends one to an account."
    (callback,) = follower("tensorboard")(make_run())
    callback.close()
    assert [path.name for path in (folder() / "x" / "full").iterdir()] == ["a-seed-0"]

"""TensorBoard and Weights & Biases, for real: the files are written and can be read back."""

import builtins
import sys

import pytest

from labkit.base.errors import ConfigError, LabkitError
from labkit.training.recipe import Recipe
from labkit.training.trackers import TensorBoard, WandB, follower, tracker
from tests.making import make_run, train_small


def test_tensorboard_writes_what_the_history_says(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    callback = TensorBoard(tmp_path)
    _, history = train_small(Recipe(epochs=2), callbacks=[callback])
    callback.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
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

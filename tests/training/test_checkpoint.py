"""What a checkpoint file may hold and may not: no code is run from it, and what is wrong with it is said."""

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from labkit.base.errors import ConfigError, TrainingError
from labkit.training.checkpoint import State, checksum, read_checkpoint
from labkit.training.recipe import Recipe


class Code:
    """Would make a folder when it is unpickled."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_no_code_is_run_from_a_checkpoint(tmp_path):
    path = tmp_path / "c.pt"
    torch.save({"seed": Code(tmp_path / "run"), "sum": ""}, path)
    with pytest.raises(TrainingError, match="UnpicklingError"):
        read_checkpoint(path)
    assert not (tmp_path / "run").exists()


def test_what_is_whole_is_read_on_a_processor(tmp_path):
    content = {"seed": 3, "model": {"weight": torch.arange(3.0)}}
    torch.save(content | {"sum": checksum(content)}, tmp_path / "c.pt")
    found = read_checkpoint(tmp_path / "c.pt")
    assert found["seed"] == 3
    assert found["model"]["weight"].tolist() == [0, 1, 2]
    assert found["model"]["weight"].device == torch.device("cpu")


@pytest.mark.parametrize(
    ("write", "kind"),
    [
        (lambda path: torch.save({"seed": 3, "sum": "0" * 64}, path), "ValueError"),  # another sum
        (lambda path: torch.save({"seed": 3}, path), "KeyError"),  # of before there were sums
        (lambda path: path.write_bytes(b"no checkpoint"), "UnpicklingError"),
    ],
)
def test_what_is_damaged_is_named_with_what_it_met(tmp_path, write, kind):
    path = tmp_path / "c.pt"
    write(path)
    with pytest.raises(TrainingError) as told:
        read_checkpoint(path)
    assert str(told.value) == (
        f"{path} is damaged or no checkpoint of this version ({kind}). Delete it to start that training anew."
    )


def test_another_sum_is_what_a_damaged_checkpoint_is_known_by(tmp_path):
    torch.save({"seed": 3, "sum": "0" * 64}, tmp_path / "c.pt")
    with pytest.raises(TrainingError) as told:
        read_checkpoint(tmp_path / "c.pt")
    assert str(told.value.__cause__) == "its contents do not give its sum"


def test_a_folder_or_a_file_that_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    after = "Nothing in it was changed; the same call goes on once it can be."
    with pytest.raises(TrainingError) as told:
        read_checkpoint(tmp_path)
    assert str(told.value) == f"{tmp_path} is a folder, and a checkpoint is a file. {after}"

    def none_left(path):
        raise MemoryError

    monkeypatch.setattr(Path, "read_bytes", none_left)
    with pytest.raises(TrainingError) as told:
        read_checkpoint(tmp_path / "c.pt")
    assert str(told.value) == f"{tmp_path / 'c.pt'} cannot be read: there is not enough memory. {after}"


def test_a_lack_of_memory_is_no_damage(tmp_path, monkeypatch):
    path = tmp_path / "c.pt"
    torch.save({"seed": 3}, path)

    def none_left(*arguments, **settings):
        raise MemoryError

    monkeypatch.setattr(torch, "load", none_left)
    with pytest.raises(TrainingError, match=f"^{path} cannot be read: there is not enough memory.$"):
        read_checkpoint(path)


def test_a_sum_depends_on_names_numbers_types_and_shapes():
    sums = [
        checksum(content)
        for content in (
            {"a": torch.zeros(4)},
            {"b": torch.zeros(4)},
            {"a": torch.zeros(2, 2)},
            {"a": torch.zeros(4, dtype=torch.int32)},
            {"a": torch.tensor([0.0, 0.0, 0.0, 1.0])},
            {"a": [0.0, 0.0, 0.0, 0.0]},
            {"a": (1, "x")},
            {"a": (1, "y")},
            {"a": None},
        )
    ]
    assert len(set(sums)) == len(sums)
    assert checksum({"a": torch.zeros(4)}) == sums[0]
    assert checksum({"a": torch.zeros(8)[::2]}) == sums[0]  # however it lies in memory


ANEW = "Give another checkpoint file, or delete this one to start anew."


@pytest.mark.parametrize(
    ("model", "recipe", "seed", "images", "says"),
    [
        (nn.Linear(4, 2), {}, 0, "a", "is a checkpoint of another model: {'weight': [2, 3], 'bias': [2]}, not "
         f"{{'weight': [2, 4], 'bias': [2]}}. {ANEW}"),
        (nn.Linear(3, 2), {}, 0, "b", f"is the checkpoint of a training on other images. {ANEW}"),
        (nn.Linear(3, 2), {"lr": 0.5, "momentum": 0.9}, 7, "a", "belongs to another training: lr was 0.1 and is now "
         f"0.5, momentum was 0.0 and is now 0.9, seed was 3 and is now 7. {ANEW}"),
    ],
    ids=["model", "images", "recipe"],
)  # fmt: skip
def test_a_checkpoint_of_another_training_is_refused_with_what_differs(tmp_path, model, recipe, seed, images, says):
    path, base = tmp_path / "c.pt", {"optimizer": "sgd", "lr": 0.1}
    State(nn.Linear(3, 2), Recipe(**base), 3, 1, path, "a").save()
    with pytest.raises(ConfigError) as told:
        State(model, Recipe(**base | recipe), seed or 3, 1, path, images)
    assert str(told.value) == f"{path} {says}"


@pytest.mark.parametrize(("schedule", "moves"), [("cosine", False), ("one-cycle", False), ("constant", True)])
def test_epochs_may_grow_where_no_schedule_was_planned_for_their_number(tmp_path, schedule, moves):
    path, base = tmp_path / "c.pt", {"optimizer": "sgd", "schedule": schedule, "epochs": 2}
    State(nn.Linear(3, 2), Recipe(**base), 3, 1, path, "a").save()
    if moves:
        assert State(nn.Linear(3, 2), Recipe(**base | {"epochs": 3}), 3, 1, path, "a").epoch == 1
        return
    with pytest.raises(ConfigError, match="belongs to another training: epochs was 2 and is now 3. Give"):
        State(nn.Linear(3, 2), Recipe(**base | {"epochs": 3}), 3, 1, path, "a")

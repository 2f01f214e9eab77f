"""The training loop: against a loop by hand, resumed, stopped, killed, and fed with nonsense."""

import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from inspect import signature

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labkit.base.errors import ConfigError, DivergedError, TrainingError
from labkit.data.augment import Crop, Cutout, Flip, Normalize, Rotate
from labkit.data.images import Batches
from labkit.experiments.execute import describe_device
from labkit.models import build
from labkit.training.checkpoint import State, read_checkpoint
from labkit.training.device import pick_precision
from labkit.training.history import History
from labkit.training.loop import fit, train_epoch
from labkit.training.optimizers import make_optimizer
from labkit.training.recipe import Recipe
from labkit.training.schedules import make_schedule
from labkit.training.scoring import score
from tests.making import Stop, make_model, make_set, sets, stop_after_two, train_small, weights
from tests.reading import ROOT


def test_same_weights_as_a_loop_by_hand():
    recipe = Recipe(epochs=2, batch_size=20, optimizer="sgd", lr=0.05, momentum=0.9, weight_decay=1e-3)
    model, history = train_small(recipe, make_model(dropout=0.0), seed=5)
    hand = make_model(dropout=0.0)
    train, _ = sets()
    optimizer = torch.optim.SGD(hand.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    batches = Batches(train, 20, shuffle=True, seed=5)
    for epoch in (1, 2):
        batches.epoch, total, right = epoch, 0.0, 0
        for X, y in batches:
            logits = hand(X)
            loss = F.cross_entropy(logits, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, right = total + loss.item() * len(y), right + (logits.argmax(1) == y).sum().item()
        assert history.rows[epoch - 1]["train_loss"] == pytest.approx(total / 96, rel=1e-5)
        assert history.rows[epoch - 1]["train_acc"] == right / 96
    assert torch.allclose(weights(model), weights(hand), atol=1e-6)


def test_it_learns():
    model, history = train_small(Recipe(epochs=40, batch_size=16, lr=3e-3), make_model(dropout=0.0))
    assert history["train_loss"][-1] < 0.2 < history["train_loss"][0]
    assert [row["epoch"] for row in history.rows] == list(range(1, 41))


def test_score_is_exact_over_the_set():
    """Not a mean of batch means: the last batch is smaller, and its mean would count too much."""
    model = make_model().train()
    data = make_set(47, size=12)
    batches = Batches(data, 10)
    found = score(model, batches, confusion=True)
    model.eval()
    X, y = next(iter(Batches(data, 47)))
    logits = model(X)
    assert found["loss"] == pytest.approx(F.cross_entropy(logits, y).item(), rel=1e-5)
    assert found["acc"] == pytest.approx((logits.argmax(1) == y).float().mean().item())
    table = torch.tensor(found["confusion"])
    assert table.sum() == 47
    assert table.trace() / 47 == pytest.approx(found["acc"])
    assert table[1, 2] == ((y == 1) & (logits.argmax(1) == 2)).sum()
    model.train()
    score(model, batches)
    assert model.training


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "one-cycle"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_resumed_weights_are_bit_identical(tmp_path, schedule, optimizer):
    recipe = Recipe(
        epochs=4,
        batch_size=32,
        optimizer=optimizer,
        lr=0.01,
        schedule=schedule,
        step_epochs=2,
        augment=(Flip(), Crop(2), Rotate(10)),
    )
    whole, expected = train_small(recipe)

    path = tmp_path / "run.pt"
    with pytest.raises(Stop):
        train_small(recipe, checkpoint=path, callbacks=[stop_after_two])
    resumed, history = train_small(recipe, make_model(seed=9), checkpoint=path)
    assert torch.equal(weights(whole), weights(resumed))
    for name in ("epoch", "train_loss", "train_acc", "val_loss", "val_acc", "lr"):
        assert history[name] == expected[name]


def test_more_epochs_go_on_from_a_finished_run(tmp_path):
    path = tmp_path / "run.pt"
    train_small(Recipe(epochs=2), checkpoint=path)
    more, history = train_small(Recipe(epochs=4), make_model(seed=3), checkpoint=path)
    whole, _ = train_small(Recipe(epochs=4))
    assert history["epoch"] == [1, 2, 3, 4]
    assert torch.equal(weights(more), weights(whole))


def test_checkpoint_is_data_only(tmp_path):
    path = tmp_path / "run.pt"
    train_small(Recipe(epochs=1, schedule="one-cycle"), checkpoint=path)
    content = torch.load(path, weights_only=True)
    assert content["spec"]["name"] == "cnn"
    assert len(content["history"]) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": {"dropout": 0.1}}, "is a checkpoint of another model"),
        ({"recipe": {"lr": 0.5}}, "lr was 0.001 and is now 0.5"),
        ({"seed": 1}, "seed was 0 and is now 1"),
    ],
)
def test_checkpoint_of_another_training_is_refused(tmp_path, change, says):
    path = tmp_path / "run.pt"
    train_small(Recipe(epochs=1), checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=says):
        train_small(
            Recipe(epochs=2, **change.get("recipe", {})),
            make_model(**change.get("model", {})),
            checkpoint=path,
            seed=change.get("seed", 0),
        )
    assert path.read_bytes() == before


def test_planned_schedules_do_not_grow(tmp_path):
    path = tmp_path / "run.pt"
    train_small(Recipe(epochs=2, schedule="cosine"), checkpoint=path)
    with pytest.raises(ConfigError, match="epochs was 2 and is now 3"):
        train_small(Recipe(epochs=3, schedule="cosine"), checkpoint=path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x80\x02."])
def test_damaged_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "run.pt"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match="is damaged or no checkpoint of this version"):
        train_small(Recipe(epochs=1), checkpoint=path)


def test_a_flipped_byte_anywhere_in_a_checkpoint_is_noticed_or_harmless(tmp_path):
    path = tmp_path / "run.pt"
    train_small(Recipe(epochs=1), checkpoint=path)
    whole = path.read_bytes()
    right = read_checkpoint(path)
    noticed = 0
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            content = read_checkpoint(path)
        except TrainingError:
            noticed += 1
        else:  # a byte that nothing reads
            assert all(torch.equal(content["model"][name], tensor) for name, tensor in right["model"].items())
            assert content["history"] == right["history"]
    assert noticed > 30


def test_what_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    with pytest.raises(TrainingError, match="is a folder, and a checkpoint is a file") as refused:
        read_checkpoint(tmp_path)
    assert "elete" not in str(refused.value)
    path = tmp_path / "run.pt"
    train_small(Recipe(epochs=1), checkpoint=path)
    for error, says in ((OSError(5, "Input/output error"), "Input/output error"), (MemoryError(), "not enough memory")):
        monkeypatch.setattr("pathlib.Path.read_bytes", lambda self, error=error: (_ for _ in ()).throw(error))
        with pytest.raises(TrainingError, match=f"cannot be read: .*{says}") as refused:
            read_checkpoint(path)
        assert "elete" not in str(refused.value)


def test_a_checkpoint_of_other_images_is_refused(tmp_path):
    path, recipe = tmp_path / "run.pt", Recipe(epochs=1)
    train_small(recipe, checkpoint=path)
    train, val = sets()
    other = replace(train, labels=train.labels.flip(0))
    with pytest.raises(ConfigError, match="is the checkpoint of a training on other images"):
        fit(make_model(), other, val, Recipe(epochs=2), checkpoint=path, device="cpu", progress=False)


def test_a_loss_that_is_not_finite_names_epoch_and_step(tmp_path):
    path = tmp_path / "run.pt"
    train_small(Recipe(epochs=1, optimizer="sgd", lr=0.01), checkpoint=path)
    good = path.read_bytes()
    model = make_model()

    def poison(row):
        with torch.no_grad():
            next(model.parameters()).fill_(math.inf)

    path.unlink()
    with pytest.raises(
        TrainingError, match=r"The loss is (nan|inf) at epoch 2, step 1. The checkpoint of epoch 1 is kept"
    ):
        train_small(Recipe(epochs=3, optimizer="sgd", lr=0.01), model, checkpoint=path, callbacks=[poison])
    kept = torch.load(path, weights_only=True)
    assert len(kept["history"]) == 1
    assert all(torch.isfinite(t).all() for t in kept["model"].values())
    assert len(good) == pytest.approx(len(path.read_bytes()), abs=200)


def test_weights_that_the_last_step_breaks_are_not_kept(tmp_path):
    path = tmp_path / "run.pt"
    with pytest.raises(TrainingError, match="is no longer finite after the last step of epoch 1. Use a smaller lr"):
        train_small(
            Recipe(epochs=2, batch_size=96, optimizer="sgd", lr=1e38, momentum=0.9, weight_decay=1e3), checkpoint=path
        )
    assert not path.exists()


@pytest.mark.parametrize(("watch", "pick"), [("val_loss", min), ("val_acc", max)])
def test_early_stopping_restores_the_best_weights(watch, pick):
    recipe = Recipe(epochs=60, batch_size=16, lr=5e-3, early_stop=watch, patience=3)
    model, history = train_small(recipe, make_model(dropout=0.0))
    best = history.best(watch)
    assert best[watch] == pick(history[watch])
    assert len(history) == best["epoch"] + 3 < 60
    train, val = sets()
    found = score(model, Batches(val, 50, mean_std=train.mean_std))
    assert found[watch.removeprefix("val_")] == pytest.approx(best[watch], rel=1e-5)


def test_schedules_move_as_planned():
    model = make_model()

    def rates(recipe, steps=3):
        optimizer = make_optimizer(model, recipe)
        schedule, seen = make_schedule(optimizer, recipe, steps), []
        for _ in range(recipe.epochs * (steps if recipe.schedule == "one-cycle" else 1)):
            seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        return seen

    step = rates(Recipe(epochs=6, lr=1.0, schedule="step", step_epochs=2, step_factor=0.1))
    assert step == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    cosine = rates(Recipe(epochs=4, lr=1.0, schedule="cosine"))
    assert cosine == pytest.approx([(1 + math.cos(math.pi * e / 4)) / 2 for e in range(4)])
    cycle = rates(Recipe(epochs=10, lr=1.0, schedule="one-cycle"))
    assert max(cycle) == pytest.approx(1.0, rel=0.02)
    assert cycle[-1] < 1e-3 < cycle[0] < 0.1
    assert rates(Recipe(epochs=3, lr=0.5)) == [0.5, 0.5, 0.5]


def test_momentum_is_left_alone_by_one_cycle():
    recipe = Recipe(epochs=2, optimizer="sgd", momentum=0.5, schedule="one-cycle")
    optimizer = make_optimizer(make_model(), recipe)
    schedule = make_schedule(optimizer, recipe, 3)
    for _ in range(3):
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["momentum"] == 0.5


def test_clipping_and_smoothing_reach_the_step():
    small, _ = train_small(Recipe(epochs=1, batch_size=96, optimizer="sgd", lr=1.0, clip_norm=1e-3))
    assert (weights(small) - weights(make_model())).norm() == pytest.approx(1e-3, rel=1e-2)
    plain, smoothed = train_small(Recipe(epochs=1))[1], train_small(Recipe(epochs=1, label_smoothing=0.3))[1]
    assert plain["train_loss"] != smoothed["train_loss"]


def test_bf16_trains():
    model, history = train_small(Recipe(epochs=15, batch_size=16, lr=3e-3, precision="bf16"), make_model(dropout=0.0))
    assert history["train_loss"][-1] < history["train_loss"][0]
    assert next(model.parameters()).dtype == torch.float32


@pytest.mark.parametrize(
    ("able", "expected"),
    [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx512_f": True}, "float32"), ({}, "float32")],
)
def test_auto_precision_is_bf16_only_where_the_processor_computes_with_it(monkeypatch, able, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert pick_precision("auto", torch.device("cpu")) == expected
    assert pick_precision("auto", torch.device("mps")) == "float32"
    said = describe_device(torch.device("cpu"), "auto")
    assert said.endswith(", bf16") == (expected == "bf16")
    histories = [train_small(Recipe(epochs=1, precision=p))[1] for p in ("auto", expected)]
    assert histories[0]["train_loss"] == histories[1]["train_loss"]


def test_without_validation_images():
    train, _ = sets()
    history = fit(make_model(), train, None, Recipe(epochs=1), device="cpu", progress=False)
    assert "val_loss" not in history.last
    with pytest.raises(ConfigError, match="needs validation images"):
        fit(make_model(), train, None, Recipe(early_stop="val_loss"), device="cpu", progress=False)


def test_network_and_images_must_fit():
    train, val = sets()
    with pytest.raises(ConfigError, match="Build it with num_classes=4"):
        fit(build("cnn", image_size=12, blocks=1), train, val, Recipe(), device="cpu")
    with pytest.raises(ConfigError, match="Build it with in_channels=3, image_size=12"):
        fit(build("cnn", in_channels=1, num_classes=4, image_size=12, blocks=1), train, val, Recipe(), device="cpu")
    by_hand = nn.Sequential(nn.Flatten(), nn.Linear(3 * 12 * 12, 4))  # any module will do, not only the registry's
    assert len(fit(by_hand, train, val, Recipe(epochs=1), device="cpu", progress=False)) == 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"optimizer": "adamm"}, "Did you mean 'adam"),
        ({"schedule": "linear"}, "There is no schedule"),
        ({"precision": "fp16"}, "There is no precision"),
        ({"early_stop": "loss"}, "There is no quantity for early_stop"),
        ({"epochs": 0}, "epochs must be a whole number"),
        ({"batch_size": 1.5}, "batch_size must be a whole number"),
        ({"lr": 0}, "lr must be above 0"),
        ({"momentum": 0.9}, 'momentum must be 0 unless the optimizer is "sgd"'),
        ({"label_smoothing": 1}, "label_smoothing"),
        ({"clip_norm": 0}, "clip_norm"),
        ({"augment": [Normalize([0.5], [0.5])]}, "augment takes no Normalize"),
        ({"augment": [{"name": "rotat"}]}, "Did you mean 'rotate'"),
    ],
)
def test_impossible_recipes(settings, says):
    with pytest.raises(ConfigError, match=says):
        Recipe(**settings)


def test_a_last_batch_of_one_image_is_refused_where_batch_norm_needs_two():
    net = build("mlp", num_classes=4, image_size=8, hidden=[4], batch_norm=True)
    with pytest.raises(ConfigError, match="41 images in batches of 10 leave a last batch of one.*batch_size=11"):
        fit(net, make_set(41), None, Recipe(epochs=1, batch_size=10), device="cpu", progress=False)
    fit(net, make_set(41), None, Recipe(epochs=1, batch_size=11), device="cpu", progress=False)


def test_transforms_are_tried_before_training():
    recipe = Recipe(epochs=1, augment=[Cutout(9)])
    with pytest.raises(ConfigError, match="Use a size of at most 8"):
        fit(make_model(), make_set(20), None, recipe, device="cpu", progress=False)
    with pytest.raises(ConfigError, match="cannot take images of .3, 20, 20.*image_size=20"):
        fit(make_model(), make_set(20), None, Recipe(augment=[Crop(6, size=20)]), device="cpu", progress=False)


def test_a_recipe_survives_its_record():
    import json

    recipe = Recipe(augment=(Flip(0.3), Crop(2), Rotate(5)))
    kept = json.loads(json.dumps(recipe.as_record()))
    assert Recipe.of(kept) == recipe
    assert Recipe.of({"epochs": 3, "flip": False, "crop": 0}) == Recipe(epochs=3)  # of before there was `augment`
    with pytest.raises(ConfigError, match="no longer has the fields of this record: {'crop': 4}"):
        Recipe.of({"epochs": 3, "flip": False, "crop": 4})


def test_history_names_are_checked():
    history = History([{"epoch": 1, "val_loss": 1.0, "val_acc": 0.5}])
    with pytest.raises(ConfigError, match="There is no quantity in the history"):
        history["accuracy"]


def test_the_bar_shows_loss_accuracy_and_speed(monkeypatch, capsys):
    monkeypatch.setenv("LABKIT_PROGRESS", "1")
    train, val = sets()
    fit(make_model(), make_set(4000, size=12), val, Recipe(epochs=2, batch_size=8), device="cpu", progress=True)
    shown = capsys.readouterr().err
    for part in ("epoch 1/2", "loss=", "acc=", "images/s"):
        assert part in shown
    monkeypatch.setenv("LABKIT_PROGRESS", "0")
    fit(make_model(), train, val, Recipe(epochs=1), device="cpu", progress=True)
    assert capsys.readouterr().err == ""


KILLED = """
import sys, torch
sys.path.insert(0, {root!r})
from tests.making import make_model, make_set, weights
from labkit.training.loop import fit
from labkit.training.recipe import Recipe
model = make_model()
train, val = make_set(800, size=12), make_set(50, size=12, seed=1)
fit(model, train, val, Recipe(epochs=12, batch_size=16), checkpoint={path!r}, device="cpu", progress=False,
    callbacks=[lambda row: print(row["epoch"], flush=True)])
torch.save(weights(model), {out!r})
"""


def test_killed_and_resumed_ends_in_the_same_weights(tmp_path):
    """A real process, killed with no chance to tidy up, in the middle of its work."""
    root = str(ROOT)

    def start(name, out):
        code = KILLED.format(root=root, path=str(tmp_path / name), out=str(tmp_path / out))
        return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)

    with start("a.pt", "a-weights.pt") as victim:
        for line in victim.stdout:
            if int(line) == 4:
                time.sleep(0.05)
                victim.send_signal(signal.SIGKILL)
                break
    assert not (tmp_path / "a-weights.pt").exists()
    again = start("a.pt", "a-weights.pt")
    epochs = [int(line) for line in again.communicate()[0].split()]
    assert epochs[0] > 4
    assert again.returncode == 0
    whole = start("b.pt", "b-weights.pt")
    whole.communicate()
    a, b = (torch.load(tmp_path / f"{name}-weights.pt", weights_only=True) for name in "ab")
    assert torch.equal(a, b)


def one_epoch(model=None, progress=False, **recipe):
    """Train one epoch on 50 images, and return its row with what it trained."""
    model, data = model or make_model(), make_set(50, size=12)
    state = State(model, Recipe(epochs=3, batch_size=20, **recipe), 0, 3)
    return train_epoch(state, Batches(data, 20, shuffle=True), progress), state


def test_the_row_of_an_epoch_says_how_long_it_took():
    began = time.perf_counter()
    row, _ = one_epoch()
    took = time.perf_counter() - began
    assert 0 < row["seconds"] <= took
    assert row["images_per_second"] * row["seconds"] == pytest.approx(50)
    assert (row["epoch"], row["lr"]) == (1, 1e-3)
    assert list(row) == ["epoch", "train_loss", "train_acc", "lr", "seconds", "images_per_second"]


def test_an_epoch_puts_a_network_that_was_judged_back_into_training():
    model = make_model().eval()
    one_epoch(model)
    assert all(part.training for part in model.modules())
    model.features.eval()
    one_epoch(model)
    assert not model.features.training, "what is frozen stays so"


class Bar:
    """A bar that is redrawn at every step, and keeps what it was told."""

    def __init__(self):
        self.shown, self.counted = [], []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def update(self, count):
        self.counted.append(count)
        return True

    def set_postfix(self, **values):
        self.shown.append(values)


def test_the_bar_of_an_epoch_counts_images_and_shows_their_mean(monkeypatch):
    bar, asked = Bar(), []

    def made(*arguments):
        asked.append(arguments)
        return bar

    monkeypatch.setattr("labkit.training.loop.progress_bar", made)
    row, _ = one_epoch(progress=True)
    assert asked == [("epoch 1/3", 50, True)]
    assert bar.counted == [20, 20, 10]
    assert bar.shown[-1] == {"loss": f"{row['train_loss']:.3f}", "acc": f"{row['train_acc']:.3f}"}
    assert len(bar.shown) == 3


def test_a_loss_that_is_no_number_ends_an_epoch_where_the_bar_is_redrawn(monkeypatch):
    monkeypatch.setattr("labkit.training.loop.progress_bar", lambda *arguments: Bar())
    with pytest.raises(DivergedError, match=r"The loss is (nan|inf) at epoch 1, step [12]\."):
        one_epoch(optimizer="sgd", lr=1e30)


def test_fit_takes_the_device_and_the_bar_that_it_is_told_to(monkeypatch):
    asked = []

    def picked(device):
        asked.append(device)
        return torch.device("cpu")

    def made(*arguments):
        asked.append(arguments)
        return Bar()

    monkeypatch.setattr("labkit.training.loop.pick_device", picked)
    monkeypatch.setattr("labkit.training.loop.progress_bar", made)
    fit(make_model(), make_set(50, size=12), None, Recipe(epochs=1), device="mps", progress=None)
    assert asked == ["mps", ("epoch 1/1", 50, None)]
    assert signature(fit).parameters["progress"].default is True
    assert signature(train_epoch).parameters["progress"].default is False


def test_what_a_network_brings_is_what_images_are_normalised_with():
    """Else by the mean and sd of the training images, in training as in validation."""
    data, seen = make_set(40, size=12), []
    model = make_model()
    model.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0]))
    model.mean_std = torch.full((3,), 0.5), torch.full((3,), 0.25)
    fit(model, data, data, Recipe(epochs=1, batch_size=40), device="cpu", progress=False)
    ours = (data.images.float() / 255 - 0.5) / 0.25
    assert seen[-1] == pytest.approx(ours, abs=1e-5)
    assert seen[-2].sort(dim=0).values == pytest.approx(ours.sort(dim=0).values, abs=1e-5)  # shuffled

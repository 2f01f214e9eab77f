"""A recipe: what it refuses, and the way into a record and back."""

import json
from dataclasses import FrozenInstanceError, replace

import pytest
from torch.optim import lr_scheduler

from labkit.base.errors import ConfigError
from labkit.data.augment import ColorJitter, Crop, Flip, Normalize
from labkit.training.recipe import Recipe
from labkit.training.schedules import SCHEDULES, Schedule

WHOLE = "must be a whole number of at least 1, got"
SOMETHING_ELSE = {  # for each field a value that is not its default
    "epochs": 3,
    "batch_size": 7,
    "optimizer": "sgd",
    "head": "svm",
    "lr": 0.2,
    "body_lr": 0.01,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 1e-4,
    "schedule": "step",
    "step_epochs": 2,
    "step_factor": 0.5,
    "label_smoothing": 0.1,
    "clip_norm": 1.0,
    "augment": (Flip(0.3), Crop(2, size=10), ColorJitter(hue=0.1)),
    "precision": "auto",
    "early_stop": "val_acc",
    "patience": 2,
    "color_noise": 0.05,
    "noise_stays": True,
    "drop_last": True,
}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"optimizer": "adamm"},
            "There is no optimizer 'adamm'. Did you mean 'adam'? Known: adam, adamw, muon, rmsprop, sgd.",
        ),
        (
            {"optimizer": "svm"},
            "There is no optimizer 'svm'. Known: adam, adamw, muon, rmsprop, sgd.",
        ),  # that is a head
        ({"head": "svn"}, "There is no head 'svn'. Did you mean 'svm'? Known: None, imagenet, svm."),
        ({"schedule": "cosin"}, "There is no schedule 'cosin'. Did you mean 'cosine'?"),
        ({"precision": "fp16"}, "There is no precision 'fp16'. Did you mean 'bf16'? Known: auto, bf16, float32."),
        ({"early_stop": "val_los"}, "There is no quantity for early_stop 'val_los'. Did you mean 'val_loss'?"),
        ({"epochs": 0}, f"epochs {WHOLE} 0."),
        ({"epochs": 1.0}, f"epochs {WHOLE} 1.0."),
        ({"batch_size": 0}, f"batch_size {WHOLE} 0."),
        ({"batch_size": 1.5}, f"batch_size {WHOLE} 1.5."),
        ({"lr": 0}, "lr must be above 0, got 0."),
        ({"lr": float("nan")}, "lr must be above 0, got nan."),
        ({"body_lr": 0}, "body_lr must be above 0, or None, got 0."),
        ({"optimizer": "sgd", "momentum": 1}, "momentum must be in [0, 1), got 1."),
        ({"optimizer": "sgd", "momentum": -0.1}, "momentum must be in [0, 1), got -0.1."),
        ({"optimizer": "adam", "momentum": 0.9}, 'momentum must be 0 unless the optimizer is "sgd", got 0.9.'),
        ({"optimizer": "sgd", "nesterov": True}, "nesterov must be False where there is no momentum, got True."),
        ({"weight_decay": -1e-4}, "weight_decay must be at least 0, got -0.0001."),
        ({"step_epochs": 0}, "step_epochs must be a whole number of at least 1, got 0."),
        ({"label_smoothing": 1}, "label_smoothing must be in [0, 1), got 1."),
        ({"label_smoothing": -0.1}, "label_smoothing must be in [0, 1), got -0.1."),
        ({"clip_norm": 0}, "clip_norm must be above 0, or None, got 0."),
        ({"patience": 0}, "patience must be a whole number of at least 1, got 0."),
        ({"epochs": True}, "epochs must be a whole number of at least 1, got True."),
        ({"lr": float("inf")}, "lr must be above 0, got inf."),
        ({"step_factor": -3}, "step_factor must be above 0, got -3."),
        ({"optimizer": "muon", "body_lr": 0.1}, 'body_lr must be None where the optimizer is "muon", got 0.1.'),
        ({"augment": [Normalize([0.5], [0.5])]}, "augment takes no Normalize: Batches normalises every image"),
        ({"augment": [{"name": "rotat"}]}, "There is no transform 'rotat'. Did you mean 'rotate'?"),
    ],
)
def test_impossible_settings_are_refused_with_what_was_expected(settings, says):
    with pytest.raises(ConfigError) as refused:
        Recipe(**settings)
    assert str(refused.value).startswith(says)


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 1, "batch_size": 1, "step_epochs": 1, "patience": 1},
        {"momentum": 0, "weight_decay": 0, "label_smoothing": 0, "clip_norm": None, "body_lr": None},
        {"optimizer": "sgd", "momentum": 0.999, "nesterov": True, "label_smoothing": 0.999},
        {"head": "imagenet", "early_stop": "val_loss", "precision": "bf16"},
    ],
)
def test_settings_at_the_edge_of_their_range_are_taken(settings):
    recipe = Recipe(**settings)
    assert {name: getattr(recipe, name) for name in settings} == settings


def test_a_schedule_of_your_own_may_be_named(monkeypatch):
    with pytest.raises(ConfigError, match="There is no schedule 'mine'"):
        Recipe(schedule="mine")
    monkeypatch.setitem(SCHEDULES, "mine", Schedule(lambda optimizer, *_: lr_scheduler.ConstantLR(optimizer, 1.0)))
    assert Recipe(schedule="mine").schedule == "mine"


def test_a_recipe_does_not_change_and_a_changed_copy_is_checked_anew():
    recipe = Recipe(optimizer="sgd", momentum=0.9)
    with pytest.raises(FrozenInstanceError):
        recipe.lr = 1.0
    with pytest.raises(ConfigError, match="momentum must be 0 unless"):
        replace(recipe, optimizer="adam")


def test_transforms_are_kept_as_a_tuple_and_may_be_given_as_a_record_has_them():
    assert Recipe(augment=[{"name": "crop", "padding": 2, "size": None}, Flip(0.3)]).augment == (Crop(2), Flip(0.3))


def test_a_record_has_plain_values_only():
    kept = Recipe(epochs=3, augment=(Flip(0.3), Crop(2))).as_record()
    assert kept["augment"] == [{"p": 0.3, "name": "flip"}, {"padding": 2, "size": None, "name": "crop"}]
    assert (kept["epochs"], kept["optimizer"], kept["head"], kept["early_stop"]) == (3, "adam", None, None)
    assert json.loads(json.dumps(kept)) == kept


@pytest.mark.parametrize("settings", [{}, SOMETHING_ELSE])
def test_a_recipe_comes_back_from_its_record(settings):
    recipe = Recipe(**settings)
    assert Recipe.of(json.loads(json.dumps(recipe.as_record()))) == recipe


def test_every_field_makes_that_way_with_a_value_of_its_own():
    given, usual = Recipe(**SOMETHING_ELSE).as_record(), Recipe().as_record()
    assert set(given) == set(usual) == set(SOMETHING_ELSE)
    assert all(given[name] != usual[name] for name in usual)


@pytest.mark.parametrize("head", ["svm", "imagenet"])
def test_an_old_record_whose_optimizer_names_a_head_is_read_as_that_head(head):
    old = {"epochs": 1, "optimizer": head, "lr": 0.5}
    assert Recipe.of(old) == Recipe(epochs=1, optimizer="adam", head=head, lr=0.5)
    assert old["optimizer"] == head  # the record itself is left alone


def test_fields_that_an_old_record_lacks_stand_at_their_defaults():
    assert Recipe.of({}) == Recipe()
    assert Recipe.of({"epochs": 3, "optimizer": "sgd"}) == Recipe(epochs=3, optimizer="sgd")


def test_fields_that_no_longer_exist_are_passed_over_only_where_they_were_not_used():
    assert Recipe.of({"epochs": 3, "flip": False, "crop": 0, "warmup": None}) == Recipe(epochs=3)
    with pytest.raises(ConfigError, match="no longer has the fields of this record: {'crop': 4}. Train that run anew"):
        Recipe.of({"epochs": 3, "flip": False, "crop": 4})

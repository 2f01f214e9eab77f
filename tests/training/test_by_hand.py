"""`fit` end to end against a loop by hand: torch's own optimizers and schedules, weight for weight and rate for rate."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import lr_scheduler

from labkit.data.augment import Flip
from labkit.data.images import Batches
from labkit.training.recipe import Recipe
from labkit.training.scoring import eval_batches, score
from tests.making import Stop, make_model, sets, train_small, weights

EPOCHS, BATCH, STEPS = 4, 20, 5  # 96 images are four batches of 20 and one of 16


def by_hand(recipe, optimizer, schedule=None, per_step=False, dropout=0.0, smoothing=0.0, clip=None, seed=5):
    """Train as the recipe says, with nothing of labkit but the batches; return the weights, rates and last scores."""
    model, (train, val) = make_model(dropout=dropout), sets()
    optimizer = optimizer(model.parameters())
    schedule = schedule(optimizer) if schedule else None
    batches = Batches(train, BATCH, shuffle=True, augment=recipe.augment, seed=seed, mean_std=train.mean_std)
    rates = []
    for batches.epoch in range(1, EPOCHS + 1):
        torch.manual_seed(seed * 100_003 + batches.epoch)
        model.train()
        rates.append(optimizer.param_groups[0]["lr"])
        for X, y in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(X), y, label_smoothing=smoothing).backward()
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            if schedule and per_step:
                schedule.step()
        if schedule and not per_step:
            schedule.step()
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(X) for X, _ in Batches(val, 7, mean_std=train.mean_std)])
    return model, rates, F.cross_entropy(logits, val.labels).item(), (logits.argmax(1) == val.labels).float().mean()


def sgd(**settings):
    return lambda parameters: torch.optim.SGD(parameters, **settings)


HAND = [
    ({"optimizer": "sgd", "lr": 0.05}, sgd(lr=0.05), {}),
    (
        {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        sgd(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
        {},
    ),
    ({"lr": 1e-3, "weight_decay": 0.1}, lambda p: torch.optim.Adam(p, lr=1e-3, weight_decay=0.1), {}),
    ({"optimizer": "adamw", "lr": 1e-3}, lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.0), {}),
    (
        {"optimizer": "adamw", "lr": 1e-3, "weight_decay": 0.1},
        lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.1),
        {},
    ),
    ({"optimizer": "sgd", "lr": 0.05, "label_smoothing": 0.2}, sgd(lr=0.05), {"smoothing": 0.2}),
    ({"optimizer": "sgd", "lr": 0.05, "clip_norm": 0.1}, sgd(lr=0.05), {"clip": 0.1}),
    (
        {"optimizer": "sgd", "lr": 0.05, "schedule": "step", "step_epochs": 2, "step_factor": 0.1},
        sgd(lr=0.05),
        {"schedule": lambda o: lr_scheduler.StepLR(o, 2, 0.1)},
    ),
    (
        {"optimizer": "sgd", "lr": 0.05, "schedule": "cosine"},
        sgd(lr=0.05),
        {"schedule": lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS)},
    ),
    (
        {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "schedule": "one-cycle"},
        sgd(lr=0.05, momentum=0.9),
        {
            "schedule": lambda o: lr_scheduler.OneCycleLR(o, 0.05, total_steps=EPOCHS * STEPS, cycle_momentum=False),
            "per_step": True,
        },
    ),
    ({"optimizer": "sgd", "lr": 0.05, "augment": (Flip(),)}, sgd(lr=0.05), {}),
]


@pytest.mark.parametrize(
    ("settings", "optimizer", "more"), HAND, ids=[" ".join(map(str, s.values())) for s, _, _ in HAND]
)
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_fit_is_the_loop_by_hand(settings, optimizer, more, dropout):
    recipe = Recipe(epochs=EPOCHS, batch_size=BATCH, **settings)
    model, history = train_small(recipe, make_model(dropout=dropout), seed=5)
    hand, rates, loss, acc = by_hand(recipe, optimizer, dropout=dropout, **more)
    torch.testing.assert_close(weights(model), weights(hand), rtol=1e-4, atol=1e-6)
    assert history["lr"] == pytest.approx(rates)
    assert history.last["val_loss"] == pytest.approx(loss, rel=1e-4)
    assert history.last["val_acc"] == pytest.approx(acc.item())


def test_settings_that_by_hand_would_differ_do_differ():
    """Or the comparison above could not fail: each setting leads to other weights than plain descent."""
    plain = weights(train_small(Recipe(epochs=EPOCHS, batch_size=BATCH, optimizer="sgd", lr=0.05), seed=5)[0])
    for settings, _, _ in HAND[1:]:
        changed = weights(train_small(Recipe(epochs=EPOCHS, batch_size=BATCH, **settings), seed=5)[0])
        assert not torch.allclose(plain, changed, rtol=1e-4, atol=1e-6), settings


def test_two_seeds_differ_and_one_seed_does_not():
    recipe = Recipe(epochs=2, batch_size=BATCH)
    first, again, other = (weights(train_small(recipe, make_model(), seed=seed)[0]) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_validation_images_are_not_transformed():
    train, val = sets()
    recipe = Recipe(epochs=1, batch_size=BATCH, augment=(Flip(p=1.0),))
    model, history = train_small(recipe, make_model(dropout=0.0))
    assert history.last["val_loss"] == score(model, eval_batches(val, train.mean_std))["loss"]
    mirrored = replace(val, images=val.images.flip(-1))
    assert history.last["val_loss"] != score(model, eval_batches(mirrored, train.mean_std))["loss"]


def test_early_stopping_that_was_stopped_after_its_best_epoch_ends_with_the_same_weights(tmp_path):
    recipe = Recipe(epochs=12, batch_size=BATCH, lr=0.02, early_stop="val_loss", patience=3)
    whole, history = train_small(recipe, make_model())
    best = history.best("val_loss")["epoch"]
    assert best < len(history)  # there is something to restore
    path = tmp_path / "run.pt"

    def stop(row):
        if row["epoch"] == best + 1:
            raise Stop

    with pytest.raises(Stop):
        train_small(recipe, make_model(), checkpoint=path, callbacks=[stop])
    resumed, again = train_small(recipe, make_model(seed=9), checkpoint=path)
    assert [row["val_loss"] for row in again.rows] == [row["val_loss"] for row in history.rows]
    assert torch.equal(weights(whole), weights(resumed))

"""Learning-rate schedules: their rates by hand, when `fit` moves them, and one of your own."""

import math

import pytest
from torch import nn
from torch.optim import SGD, lr_scheduler

from labkit.training.recipe import Recipe
from labkit.training.schedules import SCHEDULES, Schedule, make_schedule
from tests.making import train_small


def rates(recipe, moves, steps_per_epoch=1, groups=(1.0,)):
    """Return the rate of each group before each move."""
    optimizer = SGD([{"params": [nn.Parameter()], "lr": lr} for lr in groups])
    schedule, seen = make_schedule(optimizer, recipe, steps_per_epoch), []
    for _ in range(moves):
        seen.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return list(map(list, zip(*seen, strict=True)))


def between(first, last, share):
    """Return what lies on half a cosine between two rates."""
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def one_cycle(highest, total):
    """Return the rates of one cycle: up in the first 30 % of the steps from a 25th, then down to a 250,000th."""
    top, end = 0.3 * total - 1, total - 1
    rise = [between(highest / 25, highest, t / top) for t in range(math.floor(top) + 1)]
    return rise + [between(highest, highest / 250_000, (t - top) / (end - top)) for t in range(len(rise), total)]


def test_one_cycle_rises_in_three_tenths_of_all_steps_and_ends_near_nothing():
    (found,) = rates(Recipe(epochs=5, schedule="one-cycle"), 10, steps_per_epoch=2)
    assert found == pytest.approx(one_cycle(1.0, 10))
    assert (found[0], found[2]) == (pytest.approx(0.04), pytest.approx(1.0))
    assert found[-1] == pytest.approx(1 / 250_000)


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [1, 1, 1, 1]),
        ("step", [1, 0.5, 0.25, 0.125]),
        ("cosine", [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]),
        ("one-cycle", one_cycle(1.0, 4)),
    ],
)
def test_a_schedule_changes_the_rates_of_output_layer_and_body_by_the_same_factor(schedule, factors):
    recipe = Recipe(epochs=4, schedule=schedule, step_epochs=1, step_factor=0.5)
    head, body = rates(recipe, 4, groups=(0.5, 0.01))
    assert head == pytest.approx([0.5 * factor for factor in factors])
    assert body == pytest.approx([0.01 * factor for factor in factors])


def test_only_one_cycle_moves_at_each_step():
    assert {name: SCHEDULES[name].moves for name in ("constant", "step", "cosine", "one-cycle")} == {
        "constant": "epoch",
        "step": "epoch",
        "cosine": "epoch",
        "one-cycle": "step",
    }


def test_a_training_moves_a_schedule_of_epochs_once_an_epoch():
    recipe = Recipe(epochs=4, batch_size=40, lr=0.01, schedule="step", step_epochs=3, step_factor=0.1)
    _, history = train_small(recipe)  # 96 images: three steps an epoch
    assert history["lr"] == pytest.approx([0.01, 0.01, 0.01, 0.001])


def test_a_training_plans_one_cycle_over_all_its_steps():
    _, history = train_small(Recipe(epochs=4, batch_size=40, lr=0.01, schedule="one-cycle"))
    assert history["lr"] == pytest.approx(one_cycle(0.01, 12)[::3])  # a row has the rate of the first step


@pytest.mark.parametrize(("moves", "expected"), [("epoch", [1, 1 / 2, 1 / 4]), ("step", [1, 1 / 8, 1 / 64])])
def test_a_schedule_of_your_own_moves_as_often_as_it_says(monkeypatch, moves, expected):
    given = []

    def halving(optimizer, recipe, steps_per_epoch):
        given.append((recipe.epochs, steps_per_epoch))
        return lr_scheduler.ExponentialLR(optimizer, 0.5)

    monkeypatch.setitem(SCHEDULES, "halving", Schedule(halving, moves))
    _, history = train_small(Recipe(epochs=3, batch_size=40, lr=0.01, schedule="halving"))
    assert history["lr"] == pytest.approx([0.01 * factor for factor in expected])
    assert given == [(3, 3)]  # the last batch of an epoch is smaller, and a step too

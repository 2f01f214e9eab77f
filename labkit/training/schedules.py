"""Learning-rate schedules: which there are, and how often each of them moves; the schedules are torch's.

A schedule of your own joins `SCHEDULES` under a new name, and recipes may name it. Not here: optimizers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.optim import Optimizer, lr_scheduler

if TYPE_CHECKING:
    from labkit.training.recipe import Recipe


@dataclass(frozen=True)
class Schedule:
    """A way for the learning rate to change. Introduced in lab 12.

    Attributes:
        make: takes the optimizer, the recipe and the number of steps of an epoch; returns a schedule of torch.
        moves: how often it is moved: once an "epoch" or every "step".
    """

    make: Callable[[Optimizer, "Recipe", int], lr_scheduler.LRScheduler]
    moves: str = "epoch"


def _constant(optimizer, recipe, steps_per_epoch):
    return lr_scheduler.ConstantLR(optimizer, factor=1.0)


def step_schedule(optimizer: Optimizer, recipe: "Recipe", steps_per_epoch: int) -> lr_scheduler.LRScheduler:
    """Return the schedule that drops the rate by a factor each time that it has been moved `step_epochs` times."""
    return lr_scheduler.StepLR(optimizer, recipe.step_epochs, recipe.step_factor)


def _cosine(optimizer, recipe, steps_per_epoch):
    return lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs)


def _one_cycle(optimizer, recipe, steps_per_epoch):
    highest = [group["lr"] for group in optimizer.param_groups]
    steps = recipe.epochs * steps_per_epoch
    return lr_scheduler.OneCycleLR(optimizer, highest, total_steps=steps, cycle_momentum=False)


SCHEDULES = {
    "constant": Schedule(_constant),
    "step": Schedule(step_schedule),
    "cosine": Schedule(_cosine),
    "one-cycle": Schedule(_one_cycle, moves="step"),
}


def make_schedule(optimizer: Optimizer, recipe: "Recipe", steps_per_epoch: int) -> lr_scheduler.LRScheduler:
    """Return the learning-rate schedule of a recipe, for `fit` to move."""
    return SCHEDULES[recipe.schedule].make(optimizer, recipe, steps_per_epoch)

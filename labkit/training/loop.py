"""The one training loop: a recipe goes in, a history comes out.

Read it from `fit` downwards: an epoch is many steps, and a step is forward, loss, backward, update. Nothing is hidden.
Beside it stand the words of a recipe (recipe.py, optimizers.py, schedules.py), the loss of a batch (losses.py), what a
checkpoint keeps (checkpoint.py), the scores on validation images (scoring.py) and what is refused (guards.py).
Not here: which network is trained on what (catalogue), and the record of a run (records/ledger.py).
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from labkit.base.checks import whole
from labkit.data.images import Batches, ImageSet
from labkit.training import distributed
from labkit.training.checkpoint import State
from labkit.training.device import autocast, pick_device, placed
from labkit.training.guards import check_finite, check_fit, check_weights
from labkit.training.history import History
from labkit.training.losses import batch_loss
from labkit.training.progress import progress_bar
from labkit.training.recipe import Recipe
from labkit.training.schedules import SCHEDULES
from labkit.training.scoring import eval_batches, pixel_stats, score

LARGEST_SEED = 10**12  # a run's other seeds are made of it, and torch takes none of more than 64 bits


def fit(
    model: nn.Module,
    train: ImageSet,
    val: ImageSet | None,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: str | None = None,
    checkpoint: str | Path | None = None,
    callbacks: Iterable[Callable[[dict], None]] = (),
    progress: bool | None = True,
) -> History:
    """Train a network and return what happened in each epoch. Introduced in lab 03.

    Several processes that torchrun started share the work, see `labkit.distributed`; each returns the same history.

    Args:
        model: takes X (B, C, H, W) float32, returns logits (B, num_classes); trained in place. Parts that are in
            evaluation mode within a network in training mode stay in it: so they are frozen.
        train: the images to learn from.
        val: the images to watch; None for a last fit without them.
        recipe: how to train.
        seed: start of every random draw: order, transforms, dropout. (Not of the weights: they are drawn
            when the network is built.)
        device: "cpu", "cuda" or "mps"; the fastest one present if not given.
        checkpoint: file that is written after every epoch. If it exists, training goes on from it: same
            history, and on the CPU bit-identical weights.
        callbacks: called with the row of each finished epoch, such as `labkit.trackers.TensorBoard`; of several
            processes only in the first.
        progress: True shows a bar, False none, None only on a terminal.

    Returns:
        The history. After early stopping the network has its best weights, otherwise its last.

    Raises:
        ConfigError: classes, channels or recipe that do not fit; a checkpoint of something else.
        TrainingError: the loss is no longer finite; names epoch and step.
    """
    where, seed = pick_device(device), whole("seed", seed, 0, most=LARGEST_SEED)
    model = placed(model, where)
    check_fit(model, train, val, recipe)
    train, val = train.to(where), val.to(where) if val else None
    stats = pixel_stats(model, train)  # of the training images, for the validation images too
    how = {name: getattr(recipe, name) for name in ("augment", "drop_last", "color_noise", "noise_stays")}
    batches = Batches(train, recipe.batch_size, mean_std=stats, shuffle=True, seed=seed, **how)
    path, images = (Path(checkpoint), train.fingerprint) if checkpoint else (None, None)
    state = State(model, recipe, seed, len(batches), path, images)
    while not state.finished:
        row = train_epoch(state, batches, progress)
        if val:
            scores = score(model, eval_batches(val, stats), recipe.precision, shared=True)
            row |= {f"val_{name}": value for name, value in scores.items()}
        state.end_epoch(row, callbacks)
    state.restore_best()
    return state.history


def train_epoch(state: State, batches: Batches, progress: bool | None = False) -> dict:
    """Train for one epoch and return its row.

    Loss and accuracy are sums over all images of the epoch, divided by their number: exact whatever the size
    of the last batch. They stay on the device until the end, so that a GPU never waits for a number.
    """
    model, recipe, images = state.model, state.recipe, batches.per_epoch
    device, lr = batches.data.images.device, state.optimizer.param_groups[0]["lr"]
    losses, correct = torch.zeros(len(batches), device=device), torch.zeros((), device=device)
    seen, began = 0, time.perf_counter()
    batches.epoch = state.epoch
    torch.manual_seed(state.epoch_seed)  # for dropout
    if not model.training:  # where it is, parts that were frozen by .eval() stay so
        model.train()
    with progress_bar(f"epoch {state.epoch}/{recipe.epochs}", images, progress) as bar:
        for step, batch in enumerate(batches):
            X, y, count, weight = distributed.share(*batch)  # all of it, unless several processes train
            loss, logits = train_step(state, X, y, weight)
            losses[step] = loss * count
            correct += (logits.argmax(dim=1) == y)[:count].sum()
            seen += count
            if bar.update(len(batch[1])):  # redrawn a few times a second: only then read the device
                check_finite(losses, state)
                bar.set_postfix(loss=f"{losses.sum() / seen:.3f}", acc=f"{correct / seen:.3f}")
    distributed.end_epoch(model, losses, correct)
    check_finite(losses, state)
    check_weights(state)
    if SCHEDULES[recipe.schedule].moves == "epoch":
        state.schedule.step()
    seconds = time.perf_counter() - began
    return {
        "epoch": state.epoch,
        "train_loss": losses.double().sum().item() / images,
        "train_acc": correct.item() / images,
        "lr": lr,
        "seconds": seconds,
        "images_per_second": images / seconds,
    }


def train_step(state: State, X: Tensor, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Take one step: forward, loss, backward, update. Return the loss and the logits from before the update.

    Args:
        state: the network with its optimizer.
        X: images, (B, C, H, W) float32.
        y: labels, (B,) int64.
        weight: how much the gradient counts, a scalar; None for 1.
    """
    recipe = state.recipe
    with autocast(X.device, recipe.precision):
        loss = batch_loss(state.forward, X, y, recipe.label_smoothing)
    state.optimizer.zero_grad()
    loss.total.backward(weight)
    if recipe.clip_norm:
        nn.utils.clip_grad_norm_(state.model.parameters(), recipe.clip_norm)
    state.optimizer.step()
    if SCHEDULES[recipe.schedule].moves == "step":
        state.schedule.step()
    return loss.main.detach(), loss.logits.detach()

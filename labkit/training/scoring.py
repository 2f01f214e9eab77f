"""Loss and accuracy of a network over a whole set, without gradients. Not here: training (loop.py)."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labkit.data.images import Batches, ImageSet
from labkit.training import distributed
from labkit.training.device import autocast
from labkit.training.guards import check_logits

EVAL_BATCH = 500  # images a batch where no gradient is needed
ANSWERS = 1_000  # images of a set whose answers one by one are worth keeping
EVAL_PIXELS = 2_000_000  # and fewer where they are large: 39 of 224 x 224


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Turn dropout off and keep no gradients within a `with` block; each part then is in the mode it was in."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, was_training in modes:
            part.training = was_training


def pixel_stats(model: nn.Module, train: ImageSet) -> tuple[Tensor, Tensor]:
    """Return the mean and sd of each channel, (C,), that images are normalised with.

    They are those of the training images, unless the network has learned from others and brings its own.
    """
    return getattr(model, "mean_std", None) or train.mean_std


def eval_batches(data: ImageSet, mean_std: tuple[Tensor, Tensor]) -> Batches:
    """Return a set in its order, in batches for a pass without gradients: as large as memory bears."""
    size = max(1, min(EVAL_BATCH, EVAL_PIXELS // data.image_size**2))
    return Batches(data, size, mean_std=mean_std)


def score(
    model: nn.Module,
    batches: Batches,
    precision: str = "float32",
    confusion: bool = False,
    shared: bool = False,
    details: bool = False,
) -> dict:
    """Return the mean cross-entropy and the accuracy over a whole set, with dropout off. Introduced in lab 03.

    Args:
        model: takes X, returns logits; left in the mode it was in.
        batches: the set, normalised as in training.
        precision: "float32", "bf16" or "auto", see `Recipe`.
        confusion: whether to count the images by (true class, predicted class) as well.
        shared: whether each of several processes takes its share of the images; all of them must then call this.
        details: whether to return the sd of the loss over the images under "loss_sd" and, of a set of at most 1,000
            images, under "right" which of them are named rightly: a bit each, in their order, as hexadecimal digits.

    Returns:
        A dict with loss in nats an image, acc as a share in [0, 1], and confusion if asked for; exact over the set.
    """
    device = batches.data.images.device
    classes = len(batches.data.classes)
    loss, counts = torch.zeros((), device=device), torch.zeros(classes * classes, device=device)
    losses, right = [], []
    with evaluating(model):
        for X, y in distributed.shares(batches) if shared else batches:
            with autocast(device, precision):
                logits = model(X)  # (B, num_classes)
            check_logits(logits, len(X), batches.data.classes)
            chosen = logits.argmax(dim=1)  # (B,)
            loss += F.cross_entropy(logits.float(), y, reduction="sum")
            if details:
                losses.append(F.cross_entropy(logits.float(), y, reduction="none"))
                right.append(chosen == y)
            counts += torch.bincount(y * classes + chosen, minlength=classes * classes)
    if shared:
        distributed.add_up(loss, counts)
    counts = counts.long().view(classes, classes)  # (true class, predicted class)
    scores = {"loss": loss.item() / len(batches.data), "acc": counts.trace().item() / len(batches.data)}
    scores |= {"confusion": counts.tolist()} if confusion else {}
    return scores | (_details(torch.cat(losses), torch.cat(right)) if details else {})


def _details(losses: Tensor, right: Tensor) -> dict:
    """Return how far the losses of single images lie apart, and of a small set which images are right."""
    found: dict = {"loss_sd": losses.double().std().item() if len(losses) > 1 else 0.0}
    if len(right) <= ANSWERS:
        found["right"] = np.packbits(right.cpu().numpy()).tobytes().hex()
    return found

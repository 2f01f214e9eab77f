"""What stops a training: network, images and recipe that do not fit together, and numbers that are none any more."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from labkit.base.errors import ConfigError, DivergedError
from labkit.data.augment import apply_all
from labkit.data.images import ImageSet
from labkit.training import distributed
from labkit.training.recipe import Recipe
from labkit.training.scoring import evaluating

if TYPE_CHECKING:
    from labkit.training.checkpoint import State


def check_fit(model: nn.Module, train: ImageSet, val: ImageSet | None, recipe: Recipe) -> None:
    """Raise `ConfigError` unless network, images and recipe go together; done before anything is trained."""
    if recipe.head:
        raise ConfigError(f"head={recipe.head!r} is set without gradients: call labkit.transfer.fit_head.")
    if recipe.body_lr and not hasattr(model, "output"):
        raise ConfigError(
            f"body_lr is for networks whose output layer is called `output`; {type(model).__name__} has none. "
            "Leave body_lr out."
        )
    if recipe.early_stop and val is None:
        raise ConfigError(f"early_stop={recipe.early_stop!r} needs validation images, got none.")
    check_last_batch(model, len(train), recipe.batch_size)
    X = apply_all(recipe.augment, train.images[:2].cpu(), torch.Generator())  # (2, C, H, W)
    X = X.to(next(model.parameters()).device, torch.float32)
    try:
        with evaluating(model):
            logits = model(X)
    except RuntimeError as error:
        raise ConfigError(
            f"The network cannot take images of {tuple(X.shape[1:])} (channels, height, width): "
            f"{str(error).splitlines()[0]}. Build it with in_channels={train.in_channels}, "
            f"image_size={X.shape[2]}."
        ) from error
    if logits.shape != (len(X), len(train.classes)):
        raise ConfigError(
            f"The network gives {logits.shape[-1]} logits an image and {train.name} has {len(train.classes)} "
            f"classes. Build it with num_classes={len(train.classes)}."
        )


def check_last_batch(model: nn.Module, images: int, batch_size: int) -> None:
    """Raise `ConfigError` where batch normalisation would meet a batch of one image, which has no spread."""
    if not any(isinstance(m, nn.BatchNorm1d) for m in model.modules()):
        return  # there is none, or it spans all processes
    fewest, rest = 2 * distributed.size(), images % batch_size  # two images for each process
    if 0 < rest < fewest:
        fits = next(b for b in range(batch_size + 1, images + 1) if images % b == 0 or images % b >= fewest)
        left = "one image" if rest == 1 else f"{rest} images for {distributed.size()} processes"
        raise ConfigError(
            f"{images:,} images in batches of {batch_size} leave a last batch of {left}, and batch "
            f"normalisation needs two{' in each' if distributed.size() > 1 else ''}. Use batch_size={fits}."
        )


def check_finite(losses: Tensor, state: "State") -> None:
    """Raise `DivergedError` if the loss of any step so far is infinite or not a number."""
    if torch.isfinite(losses).all():
        return
    step = int((~torch.isfinite(losses)).nonzero()[0]) + 1
    raise _not_finite(f"The loss is {losses[step - 1].item()} at epoch {state.epoch}, step {step}.", state)


def check_weights(state: "State") -> None:
    """Raise `DivergedError` if a weight is infinite or not a number: the last step of an epoch may do that."""
    for name, parameter in state.model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise _not_finite(f"{name} is no longer finite after the last step of epoch {state.epoch}.", state)


def _not_finite(what: str, state: "State") -> DivergedError:
    done = len(state.history)
    kept = f" The checkpoint of epoch {done} is kept in {state.path}." if state.path and done else ""
    return DivergedError(f"{what}{kept} Use a smaller lr than {state.recipe.lr:g}, or clip_norm=1.0.")

"""What stops a training: network, images and recipe that do not fit together, and numbers that are none any more."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from labkit.base.errors import ConfigError, DivergedError
from labkit.data.augment import apply_all
from labkit.data.images import ImageSet
from labkit.training import distributed
from labkit.training.losses import with_auxiliary
from labkit.training.recipe import Recipe

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
    if len(train.classes) < 2:
        raise ConfigError(f"{train.name} has one class, {', '.join(train.classes)}: there is nothing to tell apart.")
    if val is not None:
        check_same_kind(train, val)
    X = apply_all(recipe.augment, train.images[:2].cpu(), torch.Generator())  # (1 or 2, C, H, W)
    X = X.to(next(model.parameters()).device, torch.float32)
    settle_layout(model, X)
    check_logits(_tried(model, X, training=False)[0], len(X), train.classes)
    whole = len(train) // recipe.batch_size * recipe.batch_size
    check_batches(model, X[:1], whole if recipe.drop_last and whole else len(train), recipe.batch_size)


def check_same_kind(train: ImageSet, val: ImageSet) -> None:
    """Raise `ConfigError` unless validation images have the classes, channels and size of the training images."""
    if val.classes != train.classes:
        same = sorted(val.classes) == sorted(train.classes)
        raise ConfigError(
            f"The validation images have {'their classes in another order' if same else 'other classes'}: "
            f"{_named(val.classes)} against {_named(train.classes)}. Labels must mean the same in both; `only` brings "
            "them in one order."
        )
    ours, theirs = tuple(train.images.shape[1:]), tuple(val.images.shape[1:])
    if ours != theirs:
        raise ConfigError(
            f"The training images are {ours} (channels, height, width), the validation images {theirs}. "
            "Make both the same, as with `resized`."
        )


def _named(classes: Sequence[str]) -> str:
    return ", ".join(classes[:5]) + (f", ... ({len(classes)})" if len(classes) > 5 else "")


def settle_layout(model: nn.Module, X: Tensor) -> None:
    """Put a network back into torch's own layout where its forward cannot do with another: `x.view` needs it."""
    try:
        for training in (True, False):
            _tried(model, X, training)
    except ConfigError as error:
        if "view size is not compatible" not in str(error):
            return  # it has another reason, which the next check tells
        placed: Any = model
        placed.to(memory_format=torch.contiguous_format)


def _tried(model: nn.Module, X: Tensor, training: bool) -> tuple[Tensor, list[Tensor]]:
    """Run a network once, logits of auxiliary heads included, and leave it and the random numbers as they were.

    Raises:
        ConfigError: the network cannot take the images, with what it said.
    """
    modes = [(part, part.training) for part in model.modules()]
    kept = [(buffer, buffer.clone()) for buffer in model.buffers()]
    if training != model.training:
        model.train(training)
    devices = [X.device] if X.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices), torch.no_grad():
            return with_auxiliary(model, X) if training else (model(X), [])
    except Exception as error:  # anything may stand in a student's forward
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ConfigError(
            f"The network cannot take images of {tuple(X.shape[1:])} (channels, height, width): "
            f"{reason}. Build it with in_channels={X.shape[1]}, image_size={X.shape[2]}."
        ) from error
    finally:
        for part, was_training in modes:
            part.training = was_training
        for buffer, before in kept:
            buffer.copy_(before)


def check_logits(logits: Any, images: int, classes: Sequence[str]) -> None:
    """Raise `ConfigError` unless a network's answer to a batch is one row of logits an image, (B, num_classes)."""
    if isinstance(logits, (tuple, list)):
        raise ConfigError(
            f"The network returns a {type(logits).__name__} of {len(logits)}; it must return the logits alone, a "
            "tensor (B, num_classes). Perhaps its first part is meant: return that one."
        )
    if not isinstance(logits, Tensor):
        keys = f" with the keys {', '.join(map(str, logits))}" if isinstance(logits, dict) else ""
        raise ConfigError(
            f"The network returns a {type(logits).__name__}{keys}; it must return logits, a tensor (B, num_classes)."
        )
    if logits.ndim != 2 or len(logits) != images:
        flat = logits.ndim > 2 and logits.shape[2:].numel() == 1
        advice = " Flatten it: logits.flatten(1)." if flat else ""
        raise ConfigError(
            f"The network gives {tuple(logits.shape)} for {images} images; logits are ({images}, num_classes), one row "
            f"an image.{advice}"
        )
    if logits.shape[1] != len(classes):
        raise ConfigError(
            f"The network gives {logits.shape[1]} logits an image and there are {len(classes)} classes. Build it with "
            f"num_classes={len(classes)}."
        )


def check_batches(model: nn.Module, X: Tensor, images: int, batch_size: int) -> None:
    """Raise `ConfigError` where a norm would meet a batch with one value a channel, which has no spread.

    Each process has its share of a batch; the smallest share of the last batch decides, or that of every batch.

    Args:
        model: in the layout in which it trains.
        X: one image as the network gets it, (1, C, H, W); it is repeated.
        images: of the training set.
        batch_size: of the recipe.
    """
    processes = distributed.size()
    smallest = min(batch_size, images, images % batch_size or batch_size)
    fewest = 2 * processes
    if smallest < fewest and _trains(model, X):
        return
    _tried(model, X.repeat(2, 1, 1, 1), training=True)  # where two are not enough either, it says what is wrong
    if smallest >= fewest:
        return
    if images < fewest:
        raise ConfigError(
            f"{images} image{'s are' if images > 1 else ' is'} too few: the norms of this network need {fewest}."
        )
    fits = next(b for b in range(max(batch_size, fewest), images + 1) if not 0 < images % b < fewest)
    left = "one image" if smallest == 1 else f"{smallest} images for {processes} processes"
    raise ConfigError(
        f"{images:,} images in batches of {batch_size} leave a last batch of {left}, and the normalisation of this "
        f"network needs two{' in each' if processes > 1 else ''}. Use batch_size={fits}."
    )


def _trains(model: nn.Module, X: Tensor) -> bool:
    """Say whether a network in training takes a batch."""
    try:
        _tried(model, X, training=True)
    except ConfigError:
        return False
    return True


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

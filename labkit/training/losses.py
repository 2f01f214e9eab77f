"""The loss of a batch: the one place where it is computed. Not here: loss and accuracy of a whole set (scoring.py)."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

AUXILIARY = 0.3  # how much the loss of an auxiliary head counts, after the GoogLeNet paper


class BatchLoss(NamedTuple):
    """The loss of a batch, and the logits that it was computed from."""

    total: Tensor  # scalar: what is minimised, auxiliary heads included
    main: Tensor  # scalar: the loss of the network's own logits, which histories show
    logits: Tensor  # (B, num_classes)


def with_auxiliary(model: nn.Module, X: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the logits of a network, and those of its auxiliary heads where it has any."""
    both: Any = getattr(model, "with_auxiliary", None)
    return both(X) if both else (model(X), [])


def batch_loss(forward: Callable[[Tensor], Any], X: Tensor, y: Tensor, label_smoothing: float = 0.0) -> BatchLoss:
    """Return the cross-entropy of a batch in nats an image, that of auxiliary heads added by `AUXILIARY`.

    Args:
        forward: gives the logits, (B, num_classes), and those of auxiliary heads: `with_auxiliary` of a network.
        X: images, (B, C, H, W).
        y: labels, (B,) int64.
        label_smoothing: share of the target spread over all classes, in [0, 1).
    """
    logits, others = forward(X)
    main, *extra = (F.cross_entropy(one, y, label_smoothing=label_smoothing) for one in (logits, *others))
    return BatchLoss(main + AUXILIARY * sum(extra) if extra else main, main, logits)

"""What a trained network says about each image: chances, confusions, and its worst mistakes.

The counting is scikit-learn's. Not here: loss and accuracy during training (loop.py), figures (plots).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from labkit.base.errors import ConfigError
from labkit.data.images import ImageSet
from labkit.training.guards import check_logits
from labkit.training.scoring import eval_batches, evaluating, pixel_stats


@dataclass(frozen=True)
class Predictions:
    """What a network says about a set of images. Introduced in lab 08.

    Attributes:
        chances: (N, num_classes), float32, each row adds up to 1.
        labels: (N,), int64, the true classes.
        classes: the name of each class.

    Raises:
        ConfigError: rows that do not fit, or labels outside of the classes, which no table could count.
    """

    chances: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]

    def __post_init__(self):
        rows, labels = np.shape(self.chances), np.asarray(self.labels)
        if rows != (len(labels), len(self.classes)):
            raise ConfigError(f"chances must be ({len(labels)}, {len(self.classes)}), a row an image; got {rows}.")
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(self.classes):
            raise ConfigError(
                f"labels run from {labels.min()} to {labels.max()}, but there are {len(self.classes)} classes."
            )

    @property
    def chosen(self) -> np.ndarray:
        """The most likely class of each image, (N,)."""
        return self.chances.argmax(axis=1)

    @property
    def wrong(self) -> np.ndarray:
        """The indices of the images that are taken for another class, in the order of the set."""
        return np.flatnonzero(self.chosen != self.labels)

    @property
    def acc(self) -> float:
        """The share of right answers, in [0, 1]."""
        return float((self.chosen == self.labels).mean())


def predict(model: nn.Module, data: ImageSet, mean_std=None) -> Predictions:
    """Return what a network says about each image of a set, in its order. Introduced in lab 08.

    Args:
        model: takes X (B, C, H, W), returns logits (B, num_classes); left in the mode it was in.
        data: the images; they may lie on another device than the network.
        mean_std: of the *training* images, as in `labkit.Batches`; default: of these images, or what a
            pretrained network brings along.
    """
    device = next(model.parameters()).device
    batches = eval_batches(data.to(device), mean_std or pixel_stats(model, data))
    chances = []
    with evaluating(model):
        for X, _ in batches:
            logits = model(X)  # (B, num_classes)
            check_logits(logits, len(X), data.classes)
            chances.append(logits.float().softmax(dim=1).cpu())
    return Predictions(torch.cat(chances).numpy(), data.labels.cpu().numpy(), data.classes)


def confusion(predictions: Predictions) -> np.ndarray:
    """Count images by (true class, chosen class), (num_classes, num_classes) int64. Introduced in lab 08."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(predictions.labels, predictions.chosen, labels=range(len(predictions.classes)))


def most_confused(counts: np.ndarray, classes: Sequence, pairs: int = 2) -> list[tuple]:
    """Return the pairs of classes that are most often taken for each other, both ways together. Introduced in lab 08.

    Args:
        counts: images by (true class, chosen class).
        classes: the name of each class.
        pairs: how many.

    Returns:
        (class, class, images) from the most frequent on; of equal ones the first in the order of the classes.

    >>> most_confused(np.array([[5, 3, 0], [1, 6, 0], [2, 0, 7]]), ("a", "b", "c"))
    [('a', 'b', 4), ('a', 'c', 2)]
    """
    rows, columns = np.triu_indices(len(classes), k=1)  # each pair once
    both = np.asarray(counts)[rows, columns] + np.asarray(counts)[columns, rows]
    order = np.argsort(-both, kind="stable")[:pairs]
    return [(classes[int(rows[i])], classes[int(columns[i])], int(both[i])) for i in order]


def worst_mistakes(predictions: Predictions, count: int = 8) -> np.ndarray:
    """Return the indices of the wrong answers that the network is most certain of, (count,) or fewer.

    Introduced in lab 08.
    """
    wrong = predictions.wrong
    certain = predictions.chances[wrong].max(axis=1)
    return wrong[np.argsort(-certain, kind="stable")[:count]]

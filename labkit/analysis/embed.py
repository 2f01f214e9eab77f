"""Features of a network at a named layer, their map in the plane, and how well the map separates the classes.

t-SNE (van der Maaten and Hinton, Visualizing Data using t-SNE, 2008) is openTSNE's; the line is a linear support
vector machine and the scores are scikit-learn's. Not here: the figures (plots).
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from labkit.base.errors import ConfigError, unknown
from labkit.data.images import ImageSet
from labkit.training.scoring import eval_batches, evaluating, pixel_stats

PCA_TO = 50  # dimensions that t-SNE gets: the rest is mostly noise, and costs time
LARGE = 1e6  # from here on features are scaled before they are squared
SHOWN = 100  # images of each class in a recorded plane
NEIGHBOURS = 12  # neighbours that trustworthiness asks about


def features(model: nn.Module, data: ImageSet, layers: Sequence[str], mean_std=None) -> dict[str, np.ndarray]:
    """Return what comes out of named layers for each image, in one pass over the set. Introduced in lab 08.

    Args:
        model: takes X (B, C, H, W); left in the mode it was in, and without hooks.
        data: the images.
        layers: names as in `model.named_modules()`, such as "hidden" or "features.3".
        mean_std: as in `labkit.analysis.predictions.predict`.

    Returns:
        For each name an array (N, D), float32; maps are put in a row.

    Raises:
        ConfigError: an unknown layer, or one that the forward pass does not go through just once.
    """
    known = dict(model.named_modules())
    for name in layers:
        if name not in known:
            raise unknown("layer", name, [n for n in known if n])
    kept = {name: [] for name in layers}

    def keep(name):
        # a hook gets the layer, its inputs and its output; a copy, for the next layer may work in place
        return lambda layer, inputs, output: kept[name].append(output.flatten(1).float().cpu().clone())

    handles = [known[name].register_forward_hook(keep(name)) for name in kept]
    device = next(model.parameters()).device
    batches = eval_batches(data.to(device), mean_std or pixel_stats(model, data))
    try:
        with evaluating(model):
            for X, _ in batches:
                model(X)
    finally:
        for handle in handles:
            handle.remove()
    if unused := [name for name in kept if len(kept[name]) != len(batches)]:
        raise ConfigError(
            f"The forward pass does not go through {', '.join(unused)} once for each image. "
            "Name layers that it uses, and uses once."
        )
    return {name: torch.cat(parts).numpy() for name, parts in kept.items()}


def tsne(features: np.ndarray, *, perplexity: float = 30, seed: int = 0) -> np.ndarray:
    """Put points of many dimensions into the plane so that neighbours stay neighbours. Introduced in lab 08.

    Distances between far groups, and the size of a group, mean nothing in the result.

    Args:
        features: (N, D), finite.
        perplexity: about how many neighbours each point has; from 1 to a third of N - 1.
        seed: of the start and of PCA; the same seed gives the same plane on one machine.

    Returns:
        (N, 2), float64, without unit; one single point if all features are equal.

    Raises:
        ConfigError: features that are not finite, or too few points for the perplexity.
    """
    from openTSNE import TSNE
    from sklearn.decomposition import PCA

    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or features.shape[1] < 2 or not np.isfinite(features).all():
        raise ConfigError(f"t-SNE takes finite features of shape (N, D), D at least 2, got shape {features.shape}.")
    count = len(features)
    if not 1 <= perplexity <= (count - 1) / 3:
        raise ConfigError(
            f"A perplexity of {perplexity:g} needs at least {math.ceil(3 * max(perplexity, 1)) + 1} points, "
            f"got {count}; from 4 points on it may be 1 to a third of their number less one."
        )
    if (largest := np.abs(features).max()) > LARGE:  # openTSNE squares them in float32; t-SNE knows no unit
        features = features / largest
    if (features == features[0]).all():
        return np.zeros((count, 2))  # a layer that has died; t-SNE would give no numbers
    if min(features.shape) > PCA_TO:
        features = PCA(PCA_TO, random_state=seed).fit_transform(features)
    tsne: Any = TSNE  # its stub wants whole perplexities
    return np.array(tsne(perplexity=perplexity, random_state=seed, n_jobs=-1).fit(features))


@dataclass(frozen=True)
class Scores:
    """How well a plane shows the classes. Introduced in lab 08.

    Attributes:
        silhouette: -1 to 1; how much nearer a point is to its own class than to the next one.
        trustworthiness: 0 to 1; the share of neighbours in the plane that are neighbours before it, by rank.
    """

    silhouette: float
    trustworthiness: float

    def __str__(self) -> str:
        return f"silhouette {self.silhouette:.2f}, trustworthiness {self.trustworthiness:.2f}"


def scores(features: np.ndarray, points: np.ndarray, labels: np.ndarray) -> Scores:
    """Score a plane by its classes and by the neighbours that it kept.

    Args:
        features: (N, D), what the plane was made from.
        points: (N, 2), the plane.
        labels: (N,), at least two classes.
    """
    from sklearn.manifold import trustworthiness
    from sklearn.metrics import silhouette_score

    neighbours = min(NEIGHBOURS, (len(points) - 1) // 2)  # it must be less than half of the points
    return Scores(
        float(silhouette_score(points, labels)), float(trustworthiness(features, points, n_neighbors=neighbours))
    )


@dataclass(frozen=True)
class Line:
    """A line that separates two classes in the plane: weights · point + bias = 0. Introduced in lab 10.

    Attributes:
        weights: (2,).
        bias: a number.
        errors: points on the wrong side.
    """

    weights: np.ndarray
    bias: float
    errors: int


def separating_line(points: np.ndarray, labels: np.ndarray) -> Line:
    """Return the line of a linear support vector machine between two classes. Introduced in lab 10.

    Args:
        points: (N, 2), finite.
        labels: (N,), two different values.

    Raises:
        ConfigError: not two classes.

    >>> line = separating_line(np.array([[0.0, 0], [0, 1], [9, 0], [9, 1]]), np.array([0, 0, 1, 1]))
    >>> line.errors
    0
    """
    from sklearn.svm import LinearSVC

    if len(np.unique(labels)) != 2:
        raise ConfigError(f"A line separates two classes, got {len(np.unique(labels))}.")
    centre, scale = points.mean(axis=0), points.std(axis=0) + 1e-12  # the solver wants numbers near 1
    svm = LinearSVC(random_state=0, max_iter=10_000).fit((points - centre) / scale, labels)
    weights = svm.coef_[0] / scale
    errors = int(np.sum(svm.predict((points - centre) / scale) != labels))
    return Line(weights, float(np.ravel(svm.intercept_)[0] - weights @ centre), errors)


def record(model: nn.Module, data: ImageSet, layers: Sequence[str], seed: int, mean_std=None) -> dict:
    """Return the planes of named layers as a record keeps them: scores always, points for seed 0. Introduced in lab 08.

    Args:
        model: a trained network.
        data: the images; the first `SHOWN` of each class are taken.
        layers: as in `features`.
        seed: of the run.
        mean_std: as in `features`.
    """
    fewest = int(torch.bincount(data.labels.cpu(), minlength=len(data.classes)).min())
    data = data.per_class(min(SHOWN, fewest))
    labels = data.labels.cpu().numpy()
    kept = {"labels": labels.tolist(), "layers": {}}
    for name, rows in features(model, data, layers, mean_std).items():
        points = tsne(rows, perplexity=min(30, (len(rows) - 1) / 3))
        kept["layers"][name] = asdict(scores(rows, points, labels))
        if len(data.classes) == 2:
            kept["layers"][name]["line_errors"] = separating_line(points, labels).errors
        if seed == 0:  # one plane is enough to look at
            kept["layers"][name]["points"] = points.round(2).tolist()
    return kept

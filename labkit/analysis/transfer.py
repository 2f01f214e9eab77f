"""What a network learned from ImageNet, used for other images: cached features, output layers set without gradients.

The features of a frozen backbone are taken once and kept on the disk; the support vector machine is
scikit-learn's. Not here: fine-tuning, which is `labkit.fit` on the network "backbone".
"""

import hashlib
import io
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from labkit.analysis.embed import features
from labkit.base.errors import ConfigError, unknown
from labkit.base.files import cache_dir, write_atomic
from labkit.data.augment import ColorJitter, Crop, Flip, Rotate
from labkit.data.images import ImageSet
from labkit.models import build
from labkit.models.backbone import KNOWN, imagenet_network
from labkit.records.statistics import wilson
from labkit.training.device import pick_device, placed
from labkit.training.history import History
from labkit.training.loop import fit
from labkit.training.recipe import Recipe

C_TRIED = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # how hard the support vector machine is on its errors
IMAGENET_CLASSES = {"ants": 310, "bees": 309}  # where ImageNet has classes of ours


def pretrained_features(backbone: str, data: ImageSet, device: str | None = None) -> tuple[np.ndarray, float]:
    """Return the features of each image by a backbone with its ImageNet weights. Introduced in lab 10.

    An image is put through the network once; its features are kept in the cache and serve every later call.

    Args:
        backbone: a name of `labkit.models.backbone.KNOWN`.
        data: the images.
        device: where to compute; the fastest one present if not given.

    Returns:
        (N, D) float32, and the seconds that computing these features took when it was done.
    """
    path = cache_dir() / "features" / f"{backbone}-{data.in_channels}x{data.image_size}.npz"
    known = _read_features(path)
    names = [hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in data.images.cpu()]
    first_seen = {name: i for i, name in reversed(list(enumerate(names)))}
    missing = sorted(i for name, i in first_seen.items() if name not in known)
    if missing:
        new, seconds = _extract(backbone, data.take(torch.tensor(missing)), device)
        known |= {names[i]: (row, seconds / len(missing)) for i, row in zip(missing, new, strict=True)}
        _write_features(path, known)
    return np.stack([known[name][0] for name in names]), sum(known[name][1] for name in names)


def _extract(backbone: str, data: ImageSet, device: str | None) -> tuple[np.ndarray, float]:
    where = pick_device(device)
    options = {"backbone": backbone, "pretrained": True, "num_classes": 2}
    model = placed(build("backbone", in_channels=data.in_channels, image_size=data.image_size, **options), where)
    began = time.perf_counter()
    rows = features(model, data, ["body"])["body"]
    return rows, time.perf_counter() - began


def _read_features(path) -> dict[str, tuple[np.ndarray, float]]:
    """Return what a cache file holds, by the sha256 of the image; nothing where there is no whole file."""
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as whole, np.load(whole, allow_pickle=False) as file:
            names, rows, seconds = (file[key] for key in ("names", "features", "seconds"))
            return {str(n): (row, float(s)) for n, row, s in zip(names, rows, seconds, strict=True)}
    except Exception:  # cut off or foreign bytes make np.load raise nearly anything; a cache is made anew
        path.unlink()
        return {}


def _write_features(path, known: dict[str, tuple[np.ndarray, float]]) -> None:
    buffer = io.BytesIO()
    rows, seconds = zip(*known.values(), strict=True)
    np.savez(buffer, names=list(known), features=np.stack(rows), seconds=seconds)
    write_atomic(path, buffer.getvalue())


def set_svm(model: nn.Module, rows: np.ndarray, labels: np.ndarray) -> None:
    """Set a network's output layer to a linear support vector machine on its features. Introduced in lab 10.

    The features are scaled to sd 1; how hard the machine is on errors is chosen by cross-validation. The logits
    are its decisions: the largest one is right as often as the machine is, but they are no chances.

    Args:
        model: with `output`, a linear layer over D features.
        rows: (N, D), features of the training images.
        labels: (N,), at least 2 images of each class.

    Raises:
        ConfigError: a class with fewer than 2 images.
    """
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    output: Any = model.output
    fewest = int(np.bincount(labels, minlength=output.out_features).min())
    if fewest < 2:
        raise ConfigError(f"A support vector machine needs at least 2 images of each class, got {fewest} of one.")
    machine = make_pipeline(StandardScaler(), LinearSVC(random_state=0, dual="auto", max_iter=20_000))
    search = GridSearchCV(machine, {"linearsvc__C": C_TRIED}, cv=min(5, fewest)).fit(rows, labels)
    scaler, svm = search.best_estimator_
    weights = torch.tensor(svm.coef_ / scaler.scale_, dtype=torch.float32)  # (K or 1, D)
    bias = torch.tensor(svm.intercept_, dtype=torch.float32) - weights @ torch.tensor(scaler.mean_).float()
    if len(weights) == 1:  # two classes: one decision, above 0 for the second
        weights, bias = torch.cat([-weights, weights]), torch.cat([-bias, bias])
    with torch.no_grad():
        output.weight.copy_(weights)
        output.bias.copy_(bias)


def set_imagenet(model: nn.Module, backbone: str, classes: Iterable[str]) -> None:
    """Set a network's output layer to the rows of ImageNet that stand for its classes: no training at all.

    Raises:
        ConfigError: a class that ImageNet does not have, or that has no number here; a backbone whose own classes do
            not come from one linear layer.
    """
    classes = list(classes)
    if missing := [name for name in classes if name not in IMAGENET_CLASSES]:
        raise ConfigError(
            f"ImageNet's number of {', '.join(missing)} is not known here; known: {', '.join(IMAGENET_CLASSES)}."
        )
    numbers = [IMAGENET_CLASSES[name] for name in classes]
    head = getattr(imagenet_network(backbone), KNOWN[backbone].head)
    if not isinstance(head, nn.Linear):
        raise ConfigError(f"{backbone} makes its classes in several layers. Use efficientnet_lite0 or resnet18.")
    output: Any = model.output
    with torch.no_grad():
        output.weight.copy_(head.weight[numbers])
        output.bias.copy_(head.bias[numbers])


def fit_head(
    model: nn.Module,
    train: ImageSet,
    val: ImageSet,
    recipe: Recipe,
    *,
    device: str | None = None,
    callbacks: Iterable[Callable[[dict], None]] = (),
    **unused,
) -> History:
    """Set the output layer of a pretrained backbone without gradients. Introduced in lab 10.

    Args:
        model: the network "backbone" with pretrained weights.
        train, val: the images.
        recipe: its `head` says how: "svm" or "imagenet".
        device: as in `labkit.fit`, whose other arguments are taken and not needed.
        callbacks: called with the one row.

    Returns:
        A history of one row. Its seconds are those of the features and of the machine.

    Raises:
        ConfigError: another network, or one without pretrained weights.
    """
    spec = getattr(model, "spec", {})
    if not spec.get("pretrained"):
        raise ConfigError(f"head={recipe.head!r} is for a pretrained backbone, got {spec or type(model)}.")
    where = pick_device(device)
    placed(model, where).eval()
    backbone = spec.get("backbone", "efficientnet_lite0")
    rows, seconds = pretrained_features(backbone, train, device)
    began = time.perf_counter()
    if recipe.head == "svm":
        set_svm(model, rows, train.labels.cpu().numpy())
        seconds += time.perf_counter() - began
    else:
        set_imagenet(model, backbone, train.classes)
        seconds = 0.0  # nothing is learned from the training images
    row = {"epoch": 1, "lr": recipe.lr, "seconds": seconds, "images_per_second": len(train) / max(seconds, 1e-9)}
    output: Any = model.output
    for part, inputs in (("train", rows), ("val", pretrained_features(backbone, val, device)[0])):
        logits = output(torch.from_numpy(inputs).to(where)).detach().cpu()  # (N, num_classes)
        labels = (train if part == "train" else val).labels.cpu()
        row[f"{part}_loss"] = F.cross_entropy(logits, labels).item()
        row[f"{part}_acc"] = (logits.argmax(dim=1) == labels).float().mean().item()
    for callback in callbacks:
        callback(row)
    return History([row])


def trainable(model: nn.Module, recipe: Recipe) -> int:
    """Return how many parameters a recipe trains: all, those of the output layer, or none."""
    if recipe.head == "imagenet":
        return 0
    part: Any = model.output if recipe.head == "svm" else model
    return sum(p.numel() for p in part.parameters())


ROUTES = {  # by name: how the pretrained backbone is trained
    "frozen features + SVM": Recipe(epochs=1, head="svm"),
    "fine-tuning": Recipe(epochs=10, batch_size=16, body_lr=1e-4),
    "fine-tuning, augmented": Recipe(
        epochs=10, batch_size=16, body_lr=1e-4, augment=(Flip(), Crop(16), Rotate(15), ColorJitter())
    ),
}


@dataclass(frozen=True)
class Route:
    """What one way of transfer reached. Introduced in lab 10.

    Attributes:
        name: of `ROUTES`.
        model: the trained network, on the CPU.
        val_acc: share of right answers on the validation images, in [0, 1].
        low, high: 95 % interval of that share, from the number of images (Wilson, 1927).
        seconds: of training, features included.
        trainable: parameters that were trained.
    """

    name: str
    model: nn.Module
    val_acc: float
    low: float
    high: float
    seconds: float
    trainable: int


def compare_routes(
    train: ImageSet,
    val: ImageSet,
    routes: Iterable[str] = tuple(ROUTES),
    *,
    backbone: str = "efficientnet_lite0",
    epochs: int | None = None,
    seed: int = 0,
    device: str | None = None,
    progress: bool | None = True,
    started: Callable[[str], None] | None = None,
) -> list[Route]:
    """Train a pretrained backbone in several ways on the same images. Introduced in lab 10.

    Args:
        train, val: colour or grey images of the same classes and size.
        routes: names of `ROUTES`.
        backbone: a name of `labkit.models.backbone.KNOWN`.
        epochs: of the routes that are fine-tuned; default: theirs.
        seed: of the new output layer and of the training.
        device, progress: as in `labkit.fit`.
        started: called with the name of each route before it is trained.

    Returns:
        The routes in the order given.

    Raises:
        ConfigError: an unknown route or backbone.
    """
    routes, done = list(routes), []
    check_plan(routes, backbone, device)
    for name in routes:
        if started:
            started(name)
        recipe = ROUTES[name]
        if epochs is not None and not recipe.head:
            recipe = replace(recipe, epochs=epochs)
        torch.manual_seed(seed)
        model = build(
            "backbone",
            backbone=backbone,
            pretrained=True,
            in_channels=train.in_channels,
            num_classes=len(train.classes),
            image_size=train.image_size,
        )
        way = fit_head if recipe.head else fit
        history = way(model, train, val, recipe, seed=seed, device=device, progress=progress)
        right = round(history.last["val_acc"] * len(val))
        low, high = wilson(right, len(val))
        done.append(
            Route(name, model.cpu(), right / len(val), low, high, sum(history["seconds"]), trainable(model, recipe))
        )
    return done


def check_plan(routes: Iterable[str], backbone: str, device: str | None) -> None:
    """Raise `ConfigError` for a route, a backbone or a device that is not there; before a photograph is read."""
    for name in routes:
        if name not in ROUTES:
            raise unknown("route", name, ROUTES)
    if backbone not in KNOWN:
        raise unknown("backbone", backbone, KNOWN)
    pick_device(device)

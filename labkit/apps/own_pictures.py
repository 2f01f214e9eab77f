"""Your own pictures: folders of photographs go in, the best route, a model file and a report come out.

Not here: how photographs are read (folders.py), how a route is trained (transfer.py).
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labkit.analysis.predictions import Predictions, confusion, most_confused, predict, worst_mistakes
from labkit.analysis.transfer import Route
from labkit.base.errors import ConfigError, DataError, LabkitError
from labkit.base.files import write_atomic
from labkit.base.templates import render
from labkit.data.folders import Photos, duplicates, parts, read_folder, read_photo
from labkit.data.images import ImageSet, from_photos
from labkit.models import build
from labkit.training.scoring import evaluating

FEWEST = 5  # photographs of each class where a part is set aside for validation
FEWEST_TO_TRAIN = 2  # where the folders say what is what
VAL_FRACTION = 0.25
FORMAT = 1  # of model files


@dataclass(frozen=True)
class Pictures:
    """Photographs that are ready for training. Introduced in lab 10.

    Attributes:
        train, val: the images.
        val_files: where each validation image came from.
        notes: one sentence for each file that was left out, and why.
    """

    train: ImageSet
    val: ImageSet
    val_files: tuple[Path, ...]
    notes: tuple[str, ...]


def open_pictures(folder: str | Path, size: int = 224, *, skip_unreadable: bool = False, seed: int = 0) -> Pictures:
    """Read folders of photographs, one folder a class, and set a part aside for validation. Introduced in lab 10.

    If there are folders `train` and `val`, they are the parts. A photograph that is in both is left out of the
    training images; one that is twice in a part counts once there.

    Args:
        folder: the folder of the class folders, or of `train` and `val`.
        size: pixels that each image is made, height and width.
        skip_unreadable: whether to go on without unreadable files; else they are an error.
        seed: of the split, where there is no folder `val`.

    Raises:
        DataError: no such folder, unreadable files, an empty class.
        ConfigError: fewer than two classes, or too few photographs of one.
    """
    folders, name = parts(folder), Path(folder).resolve().name
    train = read_folder(folders["train"], size, skip_unreadable=skip_unreadable)
    copies = _copies(train)
    if "val" in folders:
        val = read_folder(folders["val"], size, train.classes, skip_unreadable)
        twice = _copies(val)
        copies |= dict(duplicates(train, val))
        here, there = _without(train, copies), _without(val, twice)
        _check_enough(train, here, FEWEST_TO_TRAIN)
    else:
        val, twice = train, {}
        here, there = _split(train, _without(train, copies), seed)
    return Pictures(
        from_photos(train, name, "train").take(torch.tensor(here)),
        from_photos(val, name, "val").take(torch.tensor(there)),
        tuple(val.files[i] for i in there),
        (
            *dict.fromkeys((*train.left_out, *val.left_out)),
            *(f"{file} shows the same as {other}; it was left out of training." for file, other in copies.items()),
            *(f"{file} shows the same as {other}; it was left out of validation." for file, other in twice.items()),
        ),
    )


def _copies(photos: Photos) -> dict[Path, Path]:
    """Return for each photograph that was there before the first one of the same pixels."""
    return {second: first for first, second in duplicates(photos)}


def _without(photos: Photos, doubles: dict[Path, Path]) -> list[int]:
    return [i for i, file in enumerate(photos.files) if file not in doubles]


def _split(photos: Photos, index: list[int], seed: int) -> tuple[list[int], list[int]]:
    """Return which photographs are trained on and which are set aside, the same share of each class."""
    from sklearn.model_selection import train_test_split

    _check_enough(photos, index, FEWEST)
    here, there = train_test_split(
        index, test_size=VAL_FRACTION, random_state=seed, stratify=photos.labels[index].numpy()
    )
    return sorted(here), sorted(there)


def _check_enough(photos: Photos, index: list[int], fewest: int) -> None:
    counts = torch.bincount(photos.labels[index], minlength=len(photos.classes)).tolist()
    if few := [f"{name} ({n})" for name, n in zip(photos.classes, counts, strict=True) if n < fewest]:
        raise ConfigError(
            f"Each class needs at least {fewest} different photographs to learn from; too few: {', '.join(few)}. "
            "Add some, or remove that folder."
        )


def best(routes: Sequence[Route]) -> Route:
    """Return the route with the highest validation accuracy; of equal ones the one that trains the least."""
    return max(routes, key=lambda route: (route.val_acc, -route.trainable))


def table(routes: Sequence[Route]):
    """Return the routes as a table: accuracy with its interval, seconds, trained parameters."""
    import pandas as pd

    rows = [
        (r.name, f"{r.val_acc:.3f} [{r.low:.3f}, {r.high:.3f}]", f"{r.seconds:.0f}", f"{r.trainable:,}") for r in routes
    ]
    columns = ["route", "validation accuracy [95 % interval]", "seconds", "trained parameters"]
    return pd.DataFrame(rows, columns=columns).set_index("route")


def save_model(path: str | Path, model: Any, classes: Sequence[str], route: str) -> None:
    """Write a trained backbone to a file that `load_model` reads; whole or not at all."""
    import labkit

    buffer = io.BytesIO()
    content = {
        "format": FORMAT,
        "labkit": labkit.__version__,
        "spec": model.spec,
        "classes": list(classes),
        "route": route,
        "mean_std": list(model.mean_std),
        "state": model.state_dict(),
    }
    torch.save(content, buffer)
    write_atomic(Path(path), buffer.getvalue())


def load_model(path: str | Path) -> tuple[Any, tuple[str, ...]]:
    """Read a model file without running any code from it; return the network and its classes. Introduced in lab 10.

    Raises:
        DataError: no such file, or one that is damaged, holds code, or was made by something else.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no model file {path}. Make one: labkit transfer FOLDER")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}, and this labkit reads format {FORMAT}")
        model: Any = build(**content["spec"] | {"pretrained": False})  # its weights come from the file
        model.load_state_dict(content["state"])
        model.mean_std, classes = tuple(content["mean_std"]), tuple(content["classes"])
    except Exception as error:  # foreign bytes make torch.load raise nearly anything
        said = str(error).partition("\n")[0][:120]
        raise DataError(
            f"{path} is refused: it is not a model that labkit wrote ({type(error).__name__}: {said}). "
            "Code in a file is never run. Make one: labkit transfer FOLDER"
        ) from error
    return model.eval(), classes


def name_photos(model: Any, classes: Sequence[str], images: Tensor) -> list[tuple[str, float]]:
    """Return the chosen class and its score for each image, (N, 3, size, size) uint8.

    The score is the softmax of the logits; those of a support vector machine are no chances.
    """
    mean, std = (t.view(1, -1, 1, 1) for t in model.mean_std)
    with evaluating(model):
        chances = torch.cat([model((x[None] / 255 - mean) / std).softmax(dim=1) for x in images])  # (N, num_classes)
    top = chances.max(dim=1)
    return [(classes[int(i)], float(score)) for score, i in zip(*top, strict=True)]


def predict_files(model_file: str | Path, paths: Sequence[str | Path]):
    """Yield path, class and score of each photograph; one that cannot be read gives its error in place of a class."""
    model, classes = load_model(model_file)
    for path in paths:
        try:
            image = read_photo(path, model.spec["image_size"])
        except LabkitError as error:
            yield path, error, None
        else:
            yield path, *name_photos(model, classes, image[None])[0]


def write_report(path: str | Path, pictures: Pictures, routes: Sequence[Route]) -> Path:
    """Write one HTML page: the table of routes, the confusion matrix and the worst mistakes of the best route.

    The page holds its pictures itself and needs no other file.
    """
    from labkit.plots.answers import MOST_CLASSES
    from labkit.plots.answers import confusion as draw

    chosen = best(routes)
    predictions = predict(chosen.model, pictures.val)
    counts = confusion(predictions)
    matrix = draw(counts, predictions.classes) if len(predictions.classes) <= MOST_CLASSES else None
    page = render(
        "labkit.apps",
        "report.html.jinja",
        name=pictures.train.name,
        today=date.today().isoformat(),
        chosen=chosen,
        routes=routes,
        train=_counts(pictures.train),
        val=_counts(pictures.val),
        notes=pictures.notes,
        confusion=matrix,
        confusion_png=base64.b64encode(matrix.png).decode() if matrix else "",
        pairs=[pair for pair in most_confused(counts, predictions.classes, 10) if pair[2]],
        mistakes=[_mistake(pictures, predictions, i) for i in worst_mistakes(predictions, 12)],
        wrong=len(predictions.wrong),
    )
    write_atomic(Path(path), page.encode(errors="replace"))  # a file name may hold bytes that are no text
    return Path(path)


def _counts(data: ImageSet) -> dict[str, int]:
    counts = np.bincount(data.labels, minlength=len(data.classes))
    return dict(zip(data.classes, counts.tolist(), strict=True))


def _mistake(pictures: Pictures, predictions: Predictions, i: int) -> dict:
    """Return what the report shows of one wrong answer."""
    from PIL import Image

    where = Path(*pictures.val_files[i].parts[-2:])  # enough to find it; the rest says how somebody's disk is laid out
    buffer = io.BytesIO()
    Image.fromarray(pictures.val.images[i].permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=85)  # (H, W, C)
    return {
        "picture": base64.b64encode(buffer.getvalue()).decode(),
        "file": str(where),
        "true": predictions.classes[predictions.labels[i]],
        "taken": predictions.classes[predictions.chosen[i]],
        "score": float(predictions.chances[i].max()),
    }

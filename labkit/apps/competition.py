"""The last steps of a class competition: predict with several views of each image, and write the file to hand in.

Not here: training (loop.py); a last fit without a held-out part is `labkit.fit(model, everything, None, recipe)`.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from labkit.analysis.predictions import Predictions, predict
from labkit.base.checks import whole
from labkit.base.errors import ConfigError, DataError
from labkit.base.files import write_atomic
from labkit.data.augment import Transform, apply_all
from labkit.data.images import ImageSet


def predict_views(
    model: nn.Module, data: ImageSet, views: Sequence[Sequence[Transform]], *, mean_std=None, seed: int = 0
) -> Predictions:
    """Return the mean of what a network says about several views of each image. Introduced in lab 13.

    Test-time augmentation: the mistakes of the views are not all the same, so their mean makes fewer.

    Args:
        model: as in `labkit.analysis.predictions.predict`.
        data: the images.
        views: for each view its transforms of `labkit.data.augment`; an empty one is the image as it is.
        mean_std: of the training images.
        seed: of the draws.

    Raises:
        ConfigError: no views.

    >>> from labkit.data.augment import Flip
    >>> views = [(), (Flip(p=1.0),)]  # each image as it is, and mirrored
    """
    if not views:
        raise ConfigError("predict_views needs at least one view; () is the image as it is.")
    generator = torch.Generator().manual_seed(seed)
    stats = mean_std or getattr(model, "mean_std", None) or data.mean_std  # of the images as they are
    chances = []
    for transforms in views:
        images = apply_all(transforms, data.images, generator)  # (N, C, H, W)
        if images.is_floating_point():  # 0 to 1, from transforms that calculate
            images = (images * 255).round().to(torch.uint8)
        said = predict(model, replace(data, images=images), stats)
        chances.append(said.chances)
    return replace(said, chances=np.mean(chances, axis=0))


@dataclass(frozen=True)
class Sample:
    """What the file to hand in must look like, read from the sample that a competition gives.

    Attributes:
        header: the two column names.
        ids: the ids, in their order.
    """

    header: tuple[str, str]
    ids: tuple[str, ...]


def read_sample(path: str | Path) -> Sample:
    """Read a competition's sample file: a header and a row for each image. Introduced in lab 13.

    Raises:
        DataError: no such file, or not two columns, or an id twice.
    """
    rows = _rows(path)
    header, ids = rows[0], [row[0] for row in rows[1:]]
    if doubled := _doubled(ids):
        raise DataError(f"The sample file {path} has the id {doubled[0]!r} more than once. Ask for a right one.")
    return Sample((header[0], header[1]), tuple(ids))


def write_submission(path: str | Path, sample: Sample, labels: Sequence) -> None:
    """Write a label for each id of the sample, in its order; whole or not at all. Introduced in lab 13.

    Raises:
        ConfigError: not as many labels as ids, or one that is neither a whole number nor the name of a class.
    """
    plain = [label.item() if hasattr(label, "item") else label for label in labels]  # of torch and numpy
    labels = [label if isinstance(label, str) else whole("A label", label, 0) for label in plain]
    if len(labels) != len(sample.ids):
        raise ConfigError(f"The sample has {len(sample.ids):,} ids and there are {len(labels):,} labels.")
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(sample.header)
    writer.writerows(zip(sample.ids, labels, strict=True))
    write_atomic(Path(path), buffer.getvalue().encode())


def check_submission(path: str | Path, sample: Sample, num_classes: int) -> list[str]:
    """Return one sentence for each fault of a file to hand in; none means that it may go. Introduced in lab 13.

    Checked are the header, missing, unknown and doubled ids, their order, and labels that are no class.

    Args:
        path: the file.
        sample: what it must look like.
        num_classes: labels must be whole numbers from 0 to num_classes - 1.

    Raises:
        DataError: no such file, or not two columns.
    """
    whole("num_classes", num_classes, 2)
    rows = _rows(path)
    header, ids, labels = tuple(rows[0]), [row[0] for row in rows[1:]], [row[1] for row in rows[1:]]
    known, handed_in = set(sample.ids), set(ids)
    wrong = [label for label in labels if not (label.isdecimal() and len(label) < 10 and int(label) < num_classes)]
    faults = [
        f"The header is {','.join(header)}, expected {','.join(sample.header)}." if header != sample.header else "",
        _several("missing", [one for one in sample.ids if one not in handed_in]),
        _several("not in the sample", [one for one in ids if one not in known]),
        _several("there more than once", _doubled(ids)),
        f"{len(wrong)} labels are no class from 0 to {num_classes - 1}, such as {wrong[0]!r}." if wrong else "",
    ]
    faults = [fault for fault in faults if fault]
    if not faults and ids != list(sample.ids):
        first = next(i for i, (a, b) in enumerate(zip(ids, sample.ids, strict=True)) if a != b)
        faults.append(f"The ids are not in the order of the sample, from row {first + 2} on.")
    return faults


def _several(what: str, ids: list[str]) -> str:
    return f"{len(ids)} ids are {what}: {', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''}." if ids else ""


def _doubled(ids: list[str]) -> list[str]:
    seen, doubled = set(), {}
    for one in ids:
        if one in seen:
            doubled[one] = None
        seen.add(one)
    return list(doubled)


def _rows(path: str | Path) -> list[list[str]]:
    """Read a file of two columns with a header."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    try:
        text = path.read_text(encoding="utf-8-sig")  # some programs put a mark before the first letter
    except UnicodeDecodeError:
        raise DataError(f"{path} is no text in UTF-8. Save it as CSV in UTF-8.") from None
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    if not rows or any(len(row) != 2 for row in rows):
        raise DataError(f"{path} must have a header and two columns in every row, separated by a comma.")
    return rows

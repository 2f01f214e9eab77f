"""Whether a record is whole: all of its fields, of the right kinds, about the run that its file is named after.

A record that was cut off, edited or put in another's place must not speak. Needs no torch.
Not here: reading and writing records (ledger.py), what their numbers mean (metrics.py).
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

KINDS = {  # by the type of a field: what may stand in the JSON
    str: str,
    int: int,
    float: (int, float),
    dict: dict,
    list[str]: list,
    list[dict]: list,
    bool: bool,
    int | None: (int, type(None)),
}
SHARES = ("train_acc", "val_acc")
CLOSE = 1e-6  # relative: how far two ways of adding up the same float32 numbers may lie apart


def faults(content: Any, kind: type) -> Iterator[str]:
    """Yield one phrase for each field of a record that is missing, unknown or of the wrong kind.

    Args:
        content: what stood in the file.
        kind: `labkit.Run`.
    """
    if not isinstance(content, dict):
        yield f"it holds a {type(content).__name__} and not the fields of a run"
        return
    known = {field.name: field for field in fields(kind)}
    yield from (f"it has an unknown field {name!r}" for name in content if name not in known)
    for name, field in known.items():
        wanted = KINDS[field.type]
        if name not in content:
            if name in ("lab", "arm", "budget", "seed", "model", "data", "recipe"):
                yield f"{name} is missing"
        elif not isinstance(content[name], wanted) or (isinstance(content[name], bool) and wanted is not bool):
            yield f"{name} is {content[name]!r}"


def disagreements(run) -> Iterator[str]:
    """Yield one phrase for each thing in which a record contradicts itself."""
    if run.seed < 0 or not run.seconds >= 0:
        yield f"seed {run.seed} and {run.seconds} seconds cannot be"
    if [row.get("epoch") for row in run.history] != list(range(1, len(run.history) + 1)):
        yield "its rows are not those of epochs 1, 2, 3 ..."
    for row in run.history:
        for name, value in row.items():
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            may_be_none = not run.final or name == "val_loss"  # a training that diverged, or nearly did
            if not number or not (math.isfinite(value) or may_be_none):
                yield f"{name} of epoch {row.get('epoch')} is {value!r}"
            elif name in SHARES and math.isfinite(value) and not 0 <= value <= 1:
                yield f"{name} of epoch {row.get('epoch')} is {value!r}, and a share lies in 0 to 1"
    yield from _of_final(run)


def _of_final(run) -> Iterator[str]:
    """Yield what is wrong with the final scores, and with their agreement with the last epoch."""
    for split in ("train", "val", "test"):
        scores = run.final.get(split)
        if scores is None:
            continue
        if not math.isfinite(scores["loss"]) or scores["loss"] < 0 or not 0 <= scores["acc"] <= 1:
            yield f"the scores on {split} are {scores['loss']!r} and {scores['acc']!r}"
        images = run.data.get(split, {}).get("images")
        if counts := scores.get("confusion"):
            total = sum(map(sum, counts))
            right = sum(row[label] for label, row in enumerate(counts))
            if images is not None and total != images:
                yield f"its confusion counts {total} of {images} images"
            if not math.isclose(right / total, scores["acc"], rel_tol=CLOSE):
                yield f"its confusion has {right} of {total} right, and acc is {scores['acc']!r}"
        elif images and not math.isclose(scores["acc"] * images, round(scores["acc"] * images), abs_tol=1e-3):
            yield f"acc on {split} is {scores['acc']!r}, which is no number of {images} images"
        if bits := scores.get("right"):
            named = int(bits, 16).bit_count()
            if not math.isclose(named / (images or 1), scores["acc"], rel_tol=CLOSE):
                yield f"{split} has {named} images right, and acc is {scores['acc']!r}"
    if run.final.get("val") and run.history and not run.recipe.get("early_stop"):
        last, final = run.history[-1].get("val_acc"), run.final["val"]["acc"]
        if last is not None and not math.isclose(last, final, rel_tol=CLOSE):
            yield f"val_acc of the last epoch is {last!r}, and at the end it is {final!r}"


def misplaced(run, path: Path, right: Path) -> Iterator[str]:
    """Yield a phrase where a record lies under the name of another run; one that was copied elsewhere has no place."""
    if path.parent.name in ("quick", "full") and path.parts[-3:] != right.parts[-3:]:
        yield f"it is the record of {run.lab}, {run.budget}, {run.label}"


def sums(folder: Path) -> str:
    """Return a line for each file of recorded results below a folder, as `sha256sum` writes them.

    The lines that are committed beside the records say whether one was changed by anything but a training.
    """
    lines = []
    for path in sorted(folder.rglob("*.json"), key=Path.as_posix):
        content = path.read_bytes().replace(b"\r\n", b"\n")  # as it is in git, whatever the system
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {path.relative_to(folder).as_posix()}\n")
    return "".join(lines)

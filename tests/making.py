"""What tests make: image sets, photographs, records, small networks and short trainings."""

import pickle
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import nn

from labkit.data import download, images
from labkit.data.images import ImageSet
from labkit.models import build
from labkit.records.ledger import Run
from labkit.training.loop import fit


def make_set(count=40, channels=3, size=8, classes=4, seed=0) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, channels, size, size), generator=generator, dtype=torch.uint8)
    return ImageSet("made", "train", pixels, torch.arange(count) % classes, tuple("abcdefgh"[:classes]))


def write_cifar10(folder, monkeypatch, count=20):
    """Write a small CIFAR-10 in the original layout, and tell torchvision and labkit its checksums."""
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import calculate_md5

    rng, base = np.random.default_rng(0), folder / "cifar-10-batches-py"
    base.mkdir(parents=True)
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        pixels = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
        (base / name).write_bytes(pickle.dumps({"data": pixels, "labels": [i % 10 for i in range(count)]}))
    (base / "batches.meta").write_bytes(pickle.dumps({"label_names": list(images.CIFAR10_CLASSES)}))
    md5 = {path.name: calculate_md5(path) for path in base.iterdir()}
    monkeypatch.setattr(CIFAR10, "train_list", [[f"data_batch_{i}", md5[f"data_batch_{i}"]] for i in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5["batches.meta"]})
    for name, value in md5.items():
        monkeypatch.setitem(download.SOURCES["cifar10"].files, name, value)
    return base


def make_run(arm="a", seed=0, val_acc=0.5, val_loss=1.0, low=None, finished=True) -> Run:
    row = {"train_acc": 0.6, "val_acc": val_acc, "train_loss": 0.9, "val_loss": val_loss, "seconds": 2.0}
    rows = [{**row, "epoch": 1, "val_loss": val_loss if low is None else low}, {**row, "epoch": 2}]
    return Run(
        lab="x",
        arm=arm,
        budget="full",
        seed=seed,
        model={"name": "cnn", "params": 7},
        data={"name": "made"},
        recipe={},
        history=rows,
        final={"train": {"acc": 0.7, "loss": 0.8}, "test": {"acc": 0.4, "loss": 1.1}},
        finished=finished,
    )


class Brightness(nn.Module):
    """Chooses class k where the mean of an image is nearest to k / 10; surer the nearer it is."""

    def __init__(self, classes=4, sharp=200.0):
        super().__init__()
        self.at = nn.Parameter(torch.arange(classes) / 10)
        self.sharp, self.modes, self.sizes = sharp, [], []

    def forward(self, X):
        self.modes.append(self.training)
        self.sizes.append(len(X))
        return -self.sharp * (X.mean(dim=(1, 2, 3))[:, None] - self.at) ** 2  # (B, classes)


def make_model(seed=0, **options):
    torch.manual_seed(seed)
    return build("cnn", in_channels=3, num_classes=4, image_size=12, blocks=1, **options)


def sets(count=96):
    return make_set(count, size=12), make_set(50, size=12, seed=1)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def train_small(recipe, model=None, **options):
    """Train a small network on 96 images, and return it with its history."""
    model = model or make_model()
    train_set, val_set = sets()
    return model, fit(model, train_set, val_set, recipe, device="cpu", progress=False, **options)


class Stop(Exception):
    pass


def stop_after_two(row):
    """Stop a training after its second epoch, as a callback."""
    if row["epoch"] == 2:
        raise Stop


def picture(seed=0, width=40, height=30) -> Image.Image:
    """A picture with no symmetry, smooth enough for JPEG."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    smooth = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(4))
    return Image.eval(smooth, lambda value: max(0, min(255, 4 * (value - 96))))


def save(image: Image.Image, path: Path, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def fill(folder: Path, classes=("ants", "bees"), count=3, first=0) -> Path:
    """Write `count` different pictures for each class."""
    for label, name in enumerate(classes):
        for i in range(count):
            save(picture(first + 100 * label + i), folder / name / f"{i}.png")
    return folder


def bad(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path

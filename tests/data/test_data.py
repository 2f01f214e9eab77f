"""Images: loading, splitting, batches."""

import gzip
import os
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.base.errors import ConfigError, DataError
from labkit.base.files import bundled
from labkit.data import download, images
from labkit.data.augment import Crop, Flip
from labkit.data.folders import read_photo
from labkit.data.images import Batches, ImageSet, load, stratified_split
from tests.making import fill, make_set, write_cifar10


def test_bundled_images_are_balanced():
    train, val, test = load("fashion-mnist-small")
    assert [len(part) for part in (train, val, test)] == [5000, 1000, 2000]
    for part in (train, val, test):
        assert part.labels.bincount().unique().numel() == 1
        assert part.images.shape[1:] == (1, 28, 28)
    assert bundled("fashion-mnist-small.npz").stat().st_size <= 5_000_000
    assert train.fingerprint != val.fingerprint


@pytest.mark.parametrize("damage", [b"", b"PK", None])
def test_damaged_bundle_is_refused(tmp_path, damage):
    path = tmp_path / "fashion-mnist-small.npz"
    whole = bundled("fashion-mnist-small.npz").read_bytes()
    path.write_bytes(whole[:-100] if damage is None else damage)
    with pytest.raises(DataError, match="is damaged.*git checkout"):
        images._load_bundled(path)


def test_missing_bundle_says_how_to_restore_it(tmp_path):
    with pytest.raises(DataError, match="git checkout -- data/none.npz"):
        images._load_bundled(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("cifar", {}, "Did you mean 'cifar10'"),
        ("imagenet", {}, "There is no data set"),
        ("fashion-mnist-small", {"val_fraction": 0.1}, "comes with its own validation images"),
    ],
)
def test_wrong_names_and_shares(name, options, says):
    with pytest.raises(ConfigError, match=says):
        load(name, **options)


@settings(max_examples=40, deadline=None)
@given(st.integers(20, 200), st.integers(2, 6), st.floats(0.2, 0.8), st.integers(0, 5))
def test_split_is_stratified_and_complete(count, classes, share, seed):
    whole = make_set(count, channels=1, size=2, classes=classes)
    train, val = stratified_split(whole, share, seed)
    assert len(train) + len(val) == count
    for label in range(classes):
        members = int((whole.labels == label).sum())
        assert int((val.labels == label).sum()) == round(members * share)
    again = stratified_split(whole, share, seed)[1]
    assert torch.equal(val.images, again.images)


def test_split_differs_by_seed_and_refuses_empty_parts():
    whole = make_set(200)
    assert not torch.equal(stratified_split(whole, 0.5, 0)[1].images, stratified_split(whole, 0.5, 1)[1].images)
    for share in (0, 1, -0.1, 0.001):
        with pytest.raises(ConfigError):
            stratified_split(whole, share)


def test_mean_std_is_exact():
    images = make_set(2500, channels=2)
    pixels = images.images.double() / 255
    mean, std = images.mean_std
    assert torch.allclose(mean.double(), pixels.mean(dim=(0, 2, 3)), atol=1e-6)
    assert torch.allclose(std.double(), pixels.std(dim=(0, 2, 3), correction=0), atol=1e-6)


def test_batches_are_normalised_and_complete():
    images = make_set(103)
    seen = torch.cat([X for X, _ in Batches(images, 10, shuffle=True)])
    assert len(Batches(images, 10)) == 11
    assert seen.shape == (103, 3, 8, 8)
    assert seen.dtype == torch.float32
    assert torch.allclose(seen.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(seen.std(dim=(0, 2, 3), correction=0), torch.ones(3), atol=1e-4)


def test_order_depends_on_seed_and_epoch_alone():
    images = make_set(64)
    batches = Batches(images, 16, shuffle=True, augment=(Flip(), Crop(2)), seed=3)

    def epoch(number):
        batches.epoch = number
        return torch.cat([X for X, _ in batches])

    first = epoch(1)
    assert not torch.equal(first, epoch(2))
    assert torch.equal(first, epoch(1))
    other = Batches(images, 16, shuffle=True, augment=(Flip(), Crop(2)), seed=4)
    other.epoch = 1
    assert not torch.equal(first, torch.cat([X for X, _ in other]))


def test_shuffled_pixels_are_one_fixed_permutation():
    images = make_set(20)
    mixed = images.shuffled(3)
    places = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).expand(2, 3, 8, 8)
    order = replace(images, images=places, labels=images.labels[:2]).shuffled(3).images[0, 0].flatten().long()
    assert sorted(order.tolist()) == list(range(64))
    assert order.tolist() != list(range(64))
    assert torch.equal(mixed.images.flatten(2), images.images.flatten(2)[:, :, order])  # all images, all channels
    assert mixed.fingerprint != images.fingerprint
    assert torch.equal(mixed.images, images.shuffled(3).images)
    assert not torch.equal(mixed.images, images.shuffled(4).images)
    assert images.shuffled(3).mean_std[0].tolist() == images.mean_std[0].tolist()


@pytest.mark.parametrize("size", [4, 8, 15])
def test_resized_is_pillows(size):
    """Within one grey value of Pillow, which also smooths where it shrinks."""
    from PIL import Image

    images = make_set(5)
    found = images.resized(size).images
    assert found.shape == (5, 3, size, size)
    for ours, source in zip(found, images.images, strict=True):
        image = Image.fromarray(source.permute(1, 2, 0).numpy()).resize((size, size), Image.Resampling.BILINEAR)
        assert np.abs(ours.permute(1, 2, 0).numpy().astype(int) - np.asarray(image).astype(int)).max() <= 1
    with pytest.raises(ConfigError, match="size must be a whole number"):
        images.resized(0)


def test_flip_mirrors_about_half_of_the_images_each_whole():
    images = make_set(400)
    plain = torch.cat([X for X, _ in Batches(images, 100)])
    flipped = torch.cat([X for X, _ in Batches(images, 100, augment=[Flip()])])
    same = (plain == flipped).flatten(1).all(dim=1)
    mirrored = (plain.flip(3) == flipped).flatten(1).all(dim=1)
    assert (same | mirrored).all()
    assert 140 < mirrored.sum() < 260


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"batch_size": 1.5}])
def test_batches_refuse_impossible_settings(options):
    with pytest.raises(ConfigError):
        Batches(make_set(), **options)


def test_image_set_refuses_what_does_not_fit():
    whole = make_set()
    with pytest.raises(ConfigError, match="must be uint8"):
        ImageSet("x", "train", whole.images.float(), whole.labels, whole.classes)
    with pytest.raises(ConfigError, match="at least one image"):
        ImageSet("x", "train", whole.images[:0], whole.labels[:0], whole.classes)
    with pytest.raises(ConfigError, match="there are 2 classes"):
        ImageSet("x", "train", whole.images, whole.labels, ("a", "b"))
    with pytest.raises(ConfigError, match="asked for 11 of each"):
        whole.per_class(11)
    blank = ImageSet("x", "train", torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.zeros(4).long(), ("a",))
    with pytest.raises(ConfigError, match="cannot be normalised"):
        Batches(blank, 2)


def test_per_class_takes_the_first_of_each():
    few = make_set(40).per_class(3)
    assert few.labels.bincount().tolist() == [3, 3, 3, 3]
    assert torch.equal(few.images, make_set(40).images[:12])


def test_per_class_can_be_drawn_from_a_seed():
    whole = make_set(80)
    one, same, other = (whole.per_class(5, seed=seed) for seed in (0, 0, 1))
    for part in (one, other):
        assert part.labels.bincount().tolist() == [5, 5, 5, 5]
        places = [int((whole.images == image).flatten(1).all(dim=1).nonzero()) for image in part.images]
        assert places == sorted(set(places))  # each once, in the order of the set
        assert torch.equal(whole.labels[places], part.labels)
    assert torch.equal(one.images, same.images)
    assert not torch.equal(one.images, other.images)
    assert not torch.equal(one.images, whole.per_class(5).images)
    assert torch.equal(whole.per_class(20, seed=3).images, whole.images)
    with pytest.raises(ConfigError, match="has 20 images; asked for 21 of each"):
        whole.per_class(21, seed=0)


def test_only_some_classes_are_kept_and_numbered_anew():
    whole = make_set(40)
    few = whole.only("d", "b")
    assert few.classes == ("d", "b")
    kept = (whole.labels == 3) | (whole.labels == 1)
    assert torch.equal(few.images, whole.images[kept])  # in the order of the set
    assert torch.equal(few.labels, (whole.labels[kept] == 1).long())
    assert (few.name, few.split) == (whole.name, whole.split)
    assert few.fingerprint != whole.only("b", "d").fingerprint
    assert whole.only(*whole.classes).fingerprint == whole.fingerprint


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("a", "e"), "There is no class of made 'e'. .*Known: a, b, c, d"),
        (("a",), "only takes two or more different classes, got a"),
        (("a", "a"), "only takes two or more different classes, got a, a"),
        (("a", "b", "a"), "got a, b, a"),
        ((), "got none"),
    ],
)
def test_only_refuses_what_are_not_two_classes(names, says):
    with pytest.raises(ConfigError, match=says):
        make_set().only(*names)


def test_cifar10_layout_is_read(tmp_path, monkeypatch):
    base = write_cifar10(tmp_path, monkeypatch)
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    train, val, test = load("cifar10", val_fraction=0.2)
    assert (len(train), len(val), len(test)) == (80, 20, 20)
    assert train.images.shape[1:] == (3, 32, 32)
    raw = pickle.loads((base / "test_batch").read_bytes())
    assert torch.equal(test.images[0].flatten(), torch.from_numpy(raw["data"][0]))
    (base / "data_batch_2").write_bytes(b"cut off")
    with pytest.raises(DataError, match=r"data_batch_2 is damaged \(7 bytes"):
        load("cifar10")


def test_mnist_layout_is_read(tmp_path, monkeypatch):
    from torchvision.datasets.utils import calculate_md5

    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 50), ("t10k", 20)):
        images = np.arange(count * 784, dtype=np.uint8).tobytes()
        labels = bytes(i % 10 for i in range(count))
        head = np.array([0x803, count, 28, 28], ">u4").tobytes()
        (raw / f"{part}-images-idx3-ubyte").write_bytes(head + images)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(np.array([0x801, count], ">u4").tobytes() + labels)
    for path in raw.iterdir():
        monkeypatch.setitem(download.SOURCES["mnist"].files, path.name, calculate_md5(path))
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    train, val, test = load("mnist")
    assert (len(train), len(val), len(test)) == (40, 10, 20)
    assert test.images[1].flatten()[:3].tolist() == [16, 17, 18]


def test_hymenoptera_layout_is_read(tmp_path, monkeypatch):
    """Its folder "val" is the test set here; validation images are a part of "train"."""
    root = tmp_path / "hymenoptera_data"
    fill(root / "train", count=5)
    fill(root / "val", count=3, first=50)
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    with pytest.raises(DataError, match="holds 5 photographs, expected 123"):
        load("hymenoptera")
    for part, count in {"train": 5, "val": 3}.items():
        for name in ("ants", "bees"):
            monkeypatch.setitem(download.SOURCES["hymenoptera"].counts, f"{part}/{name}", count)
    train, val, test = load("hymenoptera")
    assert [(part.split, len(part)) for part in (train, val, test)] == [("train", 8), ("val", 2), ("test", 6)]
    assert train.classes == ("ants", "bees")
    for part in (train, val, test):
        assert part.images.shape[1:] == (3, 224, 224)
        assert part.labels.bincount().unique().numel() == 1
    assert torch.equal(test.images[0], read_photo(root / "val" / "ants" / "0.png", 224))
    assert load("hymenoptera", split_seed=3).test.fingerprint == test.fingerprint


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory in use from Linux's /proc")
def test_iterating_needs_little_memory():
    """At most 1.5 times the float32 batch beside the bytes of the set: no float copy of the whole set.

    What is freed is handed back to the system at once: otherwise glibc keeps up to a third of a batch, or nothing.
    """
    code = """
import re, resource, torch
from labkit.data.augment import Crop, Flip
from labkit.data.images import Batches, ImageSet
count, batch = 60_000, 20_000
images = torch.empty(count, 3, 32, 32, dtype=torch.uint8).random_(0, 256)
data = ImageSet("made", "train", images, torch.zeros(count).long(), ("a", "b"))
data.mean_std
warm = ImageSet("made", "train", images[:64], torch.zeros(64).long(), ("a", "b"))
next(iter(Batches(warm, 64, shuffle=True, augment=(Flip(), Crop(4)))))
with open("/proc/self/statm") as statm:  # what is in use now; an earlier peak does not count
    before = int(statm.read().split()[1]) * resource.getpagesize() // 1024
for X, y in Batches(data, batch, shuffle=True, augment=(Flip(), Crop(4))):
    del X, y
with open("/proc/self/status") as status:  # not ru_maxrss: a process inherits its parent's
    peak = int(re.search("VmHWM:[^0-9]*([0-9]+) kB", status.read())[1])
print((peak - before) * 1024 / (batch * 3 * 32 * 32 * 4))
"""
    at_once = os.environ | {"MALLOC_TRIM_THRESHOLD_": str(2**20)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=at_once)
    assert run.returncode == 0, run.stderr
    assert 0.9 < float(run.stdout) <= 1.5


def test_the_making_script_reads_what_debian_ships(tmp_path):
    """The script's IDX reader, on a small gzipped file as the package has them."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("make", bundled("make_fashion_mnist_small.py"))
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    content = np.array([0x803, 2, 3, 4], ">u4").tobytes() + bytes(range(24))
    (tmp_path / "x.gz").write_bytes(gzip.compress(content))
    assert np.array_equal(make.read_idx(tmp_path / "x.gz"), np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    labels = np.repeat(np.arange(10), 5)
    index = make.balanced(labels, 1, 2, np.random.default_rng(0))
    assert sorted(labels[index].tolist()) == sorted([*range(10), *range(10)])
    assert set(index % 5) == {1, 2}

"""The transforms: against torchvision image by image, against themselves, and fed with nonsense."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as vision

from labkit.base.errors import ConfigError
from labkit.data.augment import (
    TRANSFORMS,
    ColorJitter,
    Crop,
    Cutout,
    Flip,
    Normalize,
    Perspective,
    Rotate,
    apply_all,
    make,
)

SMOOTH = InterpolationMode.BILINEAR
DRAWN = [
    Flip(),
    Crop(2),
    Crop(0, size=5),
    Rotate(30),
    Perspective(0.5, p=1.0),
    ColorJitter(0.4, 0.4, 0.4, 0.2),
    Cutout(4),
]
EVERY = [*DRAWN, Normalize((0.4, 0.5, 0.6), (0.2, 0.2, 0.3))]
SHAPES = [(6, 3, 32, 32), (5, 3, 20, 36), (4, 1, 36, 20)]


def photo(shape, seed=0):
    """A batch of smooth random pictures, float32 from 0 to 1."""
    count, channels, height, width = shape
    coarse = torch.rand(count, channels, 5, 5, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, size=(height, width), mode="bilinear")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def ids(transform):
    return transform.name


@pytest.mark.parametrize("shape", SHAPES)
def test_rotate_is_torchvisions(shape):
    X = photo(shape)
    (angles,) = Rotate(180)._draw(X, seeded())
    expected = [vision.rotate(x, float(a), interpolation=SMOOTH) for x, a in zip(X, angles, strict=True)]
    assert torch.allclose(Rotate(180)(X, seeded()), torch.stack(expected), atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_perspective_is_torchvisions(shape):
    """torchvision counts from the edge of the image to the middle of a pixel: hence the half pixel."""
    X, transform = photo(shape), Perspective(0.6, p=1.0)
    _, moves = transform._draw(X, seeded())
    height, width = shape[2:]
    signs, half = torch.tensor([[-1, -1], [1, -1], [1, 1], [-1, 1]]), torch.tensor([width / 2, height / 2])
    corners = signs * (half - 0.5)
    expected = [
        vision.perspective(x, (corners + half).tolist(), (corners * (1 - m) + half).tolist(), interpolation=SMOOTH)
        for x, m in zip(X, moves, strict=True)
    ]
    assert torch.allclose(transform(X, seeded()), torch.stack(expected), atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_color_jitter_is_torchvisions(shape):
    X, transform = photo(shape), ColorJitter(0.5, 0.5, 0.5, 0.5)
    X[0, :, :4] = 0.5  # grey pixels have no hue
    expected = []
    for x, *factors in zip(X, *transform._draw(X, seeded()), strict=True):
        b, c, s, h = map(float, factors)
        x = vision.adjust_contrast(vision.adjust_brightness(x, b), c)
        expected.append(x if shape[1] == 1 else vision.adjust_hue(vision.adjust_saturation(x, s), h))
    assert torch.allclose(transform(X, seeded()), torch.stack(expected), atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_normalize_is_torchvisions(shape):
    X = photo(shape)
    figures = (0.4, 0.5, 0.6)[: shape[1]], (0.2, 0.2, 0.3)[: shape[1]]
    expected = vision.normalize(X, *figures)
    assert torch.allclose(Normalize(*figures)(X), expected, atol=1e-5)
    whole = (X * 255).round().byte()
    assert torch.allclose(Normalize(*figures)(whole), vision.normalize(whole / 255, *figures), atol=1e-5)


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(2, 9), st.integers(2, 9), st.integers(0, 3), st.data())
def test_crop_is_the_naive_crop(count, height, width, padding, draw):
    size = draw.draw(st.none() | st.integers(1, min(height, width) + 2 * padding))
    X = torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=seeded())
    transform = Crop(padding, size)
    rows, columns = transform._draw(X, seeded(1))
    padded = np.pad(X.numpy(), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    h, w = (size, size) if size else (height, width)
    for i, found in enumerate(transform(X, seeded(1))):
        row, column = int(rows[i]), int(columns[i])
        assert np.array_equal(found.numpy(), padded[i, :, row : row + h, column : column + w])


def test_crop_reaches_every_place():
    X = torch.zeros(2000, 1, 4, 4)
    rows, columns = Crop(2)._draw(X, seeded())
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == {(r, c) for r in range(5) for c in range(5)}


@pytest.mark.parametrize("size", [1, 3, 4, 8])
def test_cutout_covers_one_square(size):
    X = torch.ones(300, 2, 12, 9)
    row, column = Cutout(size, fill=0.25)._draw(X, seeded())
    for i, x in enumerate(Cutout(size, fill=0.25)(X, seeded())):
        top, left = int(row[i]) - size // 2, int(column[i]) - size // 2
        expected = torch.ones(2, 12, 9)
        expected[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 0.25
        assert torch.equal(x, expected)


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", [Flip, Perspective])
def test_chances_are_kept(kind, chance):
    X = photo((2000, 1, 6, 6))
    changed = (kind(p=chance)(X, seeded()) != X).flatten(1).any(dim=1).float().mean()
    assert changed == pytest.approx(chance, abs=0.04)
    if chance in (0, 1):
        assert changed == chance


@pytest.mark.parametrize("transform", DRAWN, ids=ids)
def test_every_image_has_draws_of_its_own(transform):
    X = photo((1, 3, 32, 32)).expand(40, 3, 32, 32)
    versions = transform(X, seeded())
    different = len({tuple(v.flatten().tolist()) for v in versions})
    assert different == 2 if transform.name == "flip" else different > 15
    assert versions.mean() != X.mean() or transform.name == "flip"


@pytest.mark.parametrize("transform", DRAWN, ids=ids)
def test_a_seed_gives_the_same_pictures(transform):
    X = photo((6, 3, 32, 32))
    before = X.clone()
    first = transform(X, seeded(5))
    assert torch.equal(first, transform(X, seeded(5)))
    assert not torch.equal(first, transform(X, seeded(6)))
    assert torch.equal(X, before)  # the batch that came in is left alone


@pytest.mark.parametrize("transform", DRAWN, ids=ids)
@pytest.mark.parametrize("shape", SHAPES)
def test_bytes_and_floats_give_the_same_picture(transform, shape):
    X = (photo(shape) * 255).round().byte()
    as_bytes, as_floats = transform(X, seeded()), transform(X / 255, seeded())
    assert as_bytes.dtype == torch.uint8
    assert as_floats.dtype == torch.float32
    assert as_bytes.shape == as_floats.shape
    assert (as_bytes / 255 - as_floats).abs().max() <= 0.51 / 255 + 1e-6
    assert 0 <= as_floats.min() <= as_floats.max() <= 1


@pytest.mark.parametrize("transform", EVERY, ids=ids)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_an_empty_batch_stays_empty(transform, dtype):
    found = transform(torch.zeros(0, 3, 12, 8, dtype=dtype))
    assert found.shape[:2] == (0, 3)
    assert found.shape == transform(torch.zeros(2, 3, 12, 8, dtype=dtype))[:0].shape


@pytest.mark.parametrize("transform", DRAWN, ids=ids)
def test_a_record_gives_the_transform_back(transform):
    from dataclasses import asdict

    assert make(asdict(transform)) == transform
    assert TRANSFORMS[transform.name] is type(transform)


def test_a_chain_stays_in_bytes_until_it_needs_floats():
    X = (photo((8, 3, 16, 16)) * 255).byte()
    assert apply_all([Flip(), Crop(2), Cutout(4)], X, seeded()).dtype == torch.uint8
    chain = [Flip(1.0), Rotate(20), ColorJitter()]
    generator = seeded(3)
    expected = X.flip(3) / 255
    torch.rand(len(X), generator=generator)
    for transform in chain[1:]:
        expected = transform(expected, generator)
    assert torch.equal(apply_all(chain, X, seeded(3)), expected)


@pytest.mark.parametrize("transform", EVERY, ids=ids)
@pytest.mark.parametrize(
    ("X", "says"),
    [
        (torch.zeros(3, 32, 32), r"shape \(B, C, H, W\), got \(3, 32, 32\). For one image use X\[None\]"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.float64), "uint8 from 0 to 255 or float32 from 0 to 1, got torch.float64"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.int64), "got torch.int64"),
        (torch.zeros(2, 3, 0, 8), "no pixels"),
        (np.zeros((2, 3, 8, 8)), "got ndarray"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(transform, X, says):
    with pytest.raises(ConfigError, match=says):
        transform(X)


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [
        (Flip, {"p": 1.2}, r"p is a chance and must be in \[0, 1\], got 1.2"),
        (Flip, {"p": -0.1}, "p is a chance"),
        (Flip, {"p": float("nan")}, "p is a chance"),
        (Perspective, {"p": 2}, "p is a chance"),
        (Perspective, {"distortion": 1.5}, r"distortion must be in \[0, 1\]"),
        (Rotate, {"degrees": -5}, r"degrees must be in \[0, 180\], got -5"),
        (Rotate, {"degrees": 200}, "degrees must be"),
        (ColorJitter, {"hue": 0.6}, r"hue must be in \[0, 0.5\]"),
        (ColorJitter, {"contrast": -1}, r"contrast must be in \[0, 1\]"),
        (Cutout, {"size": 0}, "size must be a whole number of at least 1"),
        (Cutout, {"fill": 2}, r"fill must be in \[0, 1\]"),
        (Crop, {"padding": -1}, "padding must be a whole number of at least 0"),
        (Crop, {"size": 2.5}, "size must be a whole number"),
        (Normalize, {"mean": (0.5,), "std": (0.5, 0.5)}, "a mean and a std a channel, got 1 and 2"),
        (Normalize, {"mean": (0.5,), "std": (0.0,)}, "same value in every pixel"),
        (Normalize, {"mean": (0.5,), "std": (-1.0,)}, "std must be above 0"),
    ],
)
def test_impossible_settings_are_refused(kind, settings, says):
    with pytest.raises(ConfigError, match=says):
        kind(**settings)


@pytest.mark.parametrize(
    ("transform", "X", "says"),
    [
        (Crop(1, size=12), torch.zeros(2, 3, 8, 9), "A crop of 12 x 12 pixels does not fit into an image of 10 x 11"),
        (Cutout(9), torch.zeros(2, 3, 8, 12), "covers more than an image of 8 x 12. Use a size of at most 8"),
        (ColorJitter(), torch.zeros(2, 4, 8, 8), "takes images of 1 .* or 3 .* channels, got 4"),
        (Normalize((0.5,), (0.5,)), torch.zeros(2, 3, 8, 8), "figures for 1 channels, and the images have 3"),
    ],
)
def test_images_that_do_not_fit_are_refused(transform, X, says):
    with pytest.raises(ConfigError, match=says):
        transform(X)


def test_unknown_names_in_a_record_are_refused():
    with pytest.raises(ConfigError, match="Did you mean 'rotate'"):
        make({"name": "rotat"})

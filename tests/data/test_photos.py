"""Photographs in folders: every kind of picture, every kind of bad file, layouts, duplicates. Files made by Pillow."""

import os
import shutil
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from PIL import __version__ as pillow
from torchvision.datasets.folder import IMG_EXTENSIONS
from torchvision.transforms.v2 import functional as tv

from labkit.base.errors import ConfigError, DataError
from labkit.base.files import data_dir
from labkit.data import download, folders
from labkit.data.folders import Photos, duplicates, parts, read_folder, read_photo
from tests.making import bad, fill, picture, save

ORIENTATION = 0x0112  # the EXIF note on how the camera was held
TO_STORED = {  # orientation: what turns the upright picture into the one that the camera stores
    1: lambda im: im,
    2: lambda im: im.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda im: im.transpose(Image.Transpose.ROTATE_180),
    4: lambda im: im.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda im: im.transpose(Image.Transpose.TRANSPOSE),
    6: lambda im: im.transpose(Image.Transpose.ROTATE_90),
    7: lambda im: im.transpose(Image.Transpose.TRANSVERSE),
    8: lambda im: im.transpose(Image.Transpose.ROTATE_270),
}
older_pillow_reads_no_ycbcr_tiff = pytest.mark.skipif(
    int(pillow.split(".")[0]) < 13, reason="before Pillow 13 its own TIFF files in YCbCr count as truncated"
)


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it has this size, without its pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def cut(image: Image.Image, path: Path, share=0.5, **options) -> Path:
    """Write a picture and keep only the first part of its bytes."""
    content = save(image, path, **options).read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def colour(path: Path) -> list[int]:
    """The colour of a picture that has only one."""
    pixels = read_photo(path, 8).flatten(1)
    assert (pixels == pixels[:, :1]).all()
    return pixels[:, 0].tolist()


def unreadable(path: Path) -> str:
    """What is said about a file that cannot be read; it must name the file and what to do."""
    with pytest.raises(DataError) as caught:
        read_photo(path, 8)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith("Remove it, or save it anew.")
    return str(caught.value)


# --- one photograph ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (500, 500), (90, 70)])
def test_the_crop_is_torchvisions(tmp_path, width, height):
    image = picture(1, width // 5, height // 5).resize((width, height))
    found = read_photo(save(image, tmp_path / "a.png"), 224)
    assert found.shape == (3, 224, 224)
    assert found.dtype == torch.uint8
    assert found.is_contiguous()
    wanted = tv.center_crop(tv.resize(image, 256, interpolation=tv.InterpolationMode.BILINEAR, antialias=True), 224)
    wanted = torch.from_numpy(np.array(wanted)).permute(2, 0, 1)
    difference = (found.int() - wanted.int()).abs().float()
    assert difference.mean() < 1.5  # torchvision rounds the long side to whole pixels
    if width == height:
        assert difference.max() <= 1


@pytest.mark.parametrize(("width", "height"), [(1, 5000), (5000, 1), (1, 1), (3, 2)])
def test_thin_and_tiny_pictures_fit(tmp_path, width, height):
    path = save(Image.new("RGB", (width, height), (10, 20, 30)), tmp_path / "a.png")
    for size in (1, 2, 3, 64):
        assert read_photo(path, size).shape == (3, size, size)
    assert colour(path) == [10, 20, 30]


@pytest.mark.parametrize("size", [0, -1, 2.5, True, "64"])
def test_size_must_be_a_whole_number(tmp_path, size):
    path = save(picture(), tmp_path / "a.png")
    with pytest.raises(ConfigError, match="size must be a whole number"):
        read_photo(path, size)
    with pytest.raises(ConfigError, match="size must be a whole number"):
        read_folder(fill(tmp_path / "set"), size)


def test_a_path_may_be_text(tmp_path):
    path = save(picture(), tmp_path / "a.png")
    assert torch.equal(read_photo(str(path), 8), read_photo(path, 8))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
def test_exif_rotation_is_obeyed(tmp_path, orientation, ending):
    exif, upright = Image.Exif(), picture(3, 48, 32)
    exif[ORIENTATION] = orientation
    path = save(TO_STORED[orientation](upright), tmp_path / f"a.{ending}", exif=exif, quality=95)
    found, wanted = read_photo(path, 16), read_photo(save(upright, tmp_path / "upright.png"), 16)
    difference = (found.int() - wanted.int()).abs()
    if ending in ("png", "tif"):
        assert difference.max() == 0
    assert difference.float().mean() < 5
    turned = read_photo(save(TO_STORED[3](upright), tmp_path / "turned.png"), 16)
    assert (found.int() - turned.int()).abs().float().mean() > 20  # the test can tell one from the other


def test_exif_rotation_of_16_bits(tmp_path):
    exif, values = Image.Exif(), np.arange(32 * 32, dtype=np.uint16).reshape(32, 32) * 60
    exif[ORIENTATION] = 3
    stored = save(Image.fromarray(values[::-1, ::-1].copy()), tmp_path / "a.png", exif=exif)
    assert torch.equal(read_photo(stored, 8), read_photo(save(Image.fromarray(values), tmp_path / "b.png"), 8))


@pytest.mark.parametrize("ending", ["jpg", "tif"])
def test_cmyk(tmp_path, ending):
    """Inks (C, M, Y, K) and the colour on paper; Pillow writes and reads CMYK JPEGs inverted, as Adobe does."""
    for name, inks, wanted in (
        ("red", (0, 255, 255, 0), (255, 0, 0)),
        ("cyan", (255, 0, 0, 0), (0, 255, 255)),
        ("black", (0, 0, 0, 255), (0, 0, 0)),
        ("white", (0, 0, 0, 0), (255, 255, 255)),
    ):
        path = save(Image.new("CMYK", (32, 32), inks), tmp_path / f"{name}.{ending}")
        assert np.abs(np.array(colour(path)) - wanted).max() <= 3, name


@pytest.mark.parametrize(
    ("mode", "value", "wanted"),
    [
        ("1", 1, (255, 255, 255)),
        ("1", 0, (0, 0, 0)),
        ("L", 77, (77, 77, 77)),
        ("RGB", (1, 2, 3), (1, 2, 3)),
        ("LA", (77, 255), (77, 77, 77)),
        ("LA", (0, 0), (255, 255, 255)),
        ("LA", (0, 51), (204, 204, 204)),
        ("RGBA", (255, 0, 0, 255), (255, 0, 0)),
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 51), (255, 204, 204)),
    ],
)
def test_modes_and_transparency_on_white(tmp_path, mode, value, wanted):
    assert colour(save(Image.new(mode, (20, 20), value), tmp_path / "a.png")) == list(wanted)


@pytest.mark.parametrize("name", ["a.jpg", pytest.param("a.tif", marks=older_pillow_reads_no_ycbcr_tiff)])
def test_ycbcr_jpeg_and_tiff(tmp_path, name):
    path = save(Image.new("RGB", (32, 32), (200, 40, 90)).convert("YCbCr"), tmp_path / name)
    assert np.abs(np.array(colour(path)) - (200, 40, 90)).max() <= 4


def test_lab_tiff(tmp_path):
    rgb, srgb, lab = (
        Image.new("RGB", (20, 20), (200, 40, 90)),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
    )
    path = save(ImageCms.profileToProfile(rgb, srgb, lab, outputMode="LAB"), tmp_path / "a.tif")
    assert np.abs(np.array(colour(path)) - (200, 40, 90)).max() <= 2


def palette() -> Image.Image:
    """The left half in colour 0, red, the right half in colour 1, blue."""
    image = Image.new("P", (32, 32), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(1, (16, 0, 32, 32))
    return image


@pytest.mark.parametrize(
    ("options", "left"),
    [({}, (255, 0, 0)), ({"transparency": 0}, (255, 255, 255)), ({"transparency": b"\x33\xff"}, (255, 204, 204))],
)
def test_palette(tmp_path, options, left):
    found = read_photo(save(palette(), tmp_path / "a.png", **options), 8)
    assert found[:, 4, 0].tolist() == list(left)
    assert found[:, 4, -1].tolist() == [0, 0, 255]
    if not isinstance(options.get("transparency"), bytes):
        assert torch.equal(read_photo(save(palette(), tmp_path / "a.gif", **options), 8), found)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "I;16"])
def test_one_transparent_value_becomes_white(tmp_path, mode):
    image = Image.new(mode, (20, 20))
    path = save(image, tmp_path / "a.png", transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert colour(path) == [255, 255, 255]
    assert colour(save(image, tmp_path / "b.png")) == [0, 0, 0]


@pytest.mark.parametrize(
    ("dtype", "name"), [("<u2", "a.png"), ("<u2", "a.tif"), (">u2", "a.tif"), ("<i4", "a.tif"), ("<u2", "a.pgm")]
)
def test_16_bits_keep_their_gradient(tmp_path, dtype, name):
    """A ramp from 0 to 65535 becomes one from 0 to 255, and is not cut off at 255."""
    ramp = np.tile(np.linspace(0, 65535, 256).round().astype(dtype), (256, 1))
    found = read_photo(save(Image.fromarray(ramp), tmp_path / name), 224)
    wanted = read_photo(
        save(Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (256, 1))), tmp_path / "b.png"), 224
    )
    assert torch.equal(found, wanted)
    assert found[0, 0].diff().min() >= 0
    assert int(found.max()) - int(found.min()) == 223
    white = np.full((20, 20), 65535, dtype)
    assert colour(save(Image.fromarray(white), tmp_path / f"white-{name}")) == [255, 255, 255]


def test_the_first_picture_of_several_is_taken(tmp_path):
    frames = [Image.new("RGB", (20, 20), value) for value in ((255, 0, 0), (0, 0, 255))]
    for name in ("a.gif", "a.tif", "a.webp", "a.png"):
        options = {"lossless": True} if name == "a.webp" else {}
        path = save(frames[0], tmp_path / name, save_all=True, append_images=frames[1:], **options)
        assert colour(path) == [255, 0, 0], name
    path = save(frames[0], tmp_path / "a.jpg", format="MPO", save_all=True, append_images=frames[1:])  # as phones do
    assert np.abs(np.array(colour(path)) - (255, 0, 0)).max() <= 4


def test_the_content_decides_and_not_the_extension(tmp_path):
    path = save(Image.new("RGB", (20, 20), (1, 2, 3)), tmp_path / "a.jpg", format="PNG")
    assert colour(path) == [1, 2, 3]


# --- files that cannot be read ----------------------------------------------------------------------------------------


def test_missing_and_empty_files_and_folders(tmp_path):
    assert "none.jpg is missing" in unreadable(tmp_path / "none.jpg")
    assert "a.jpg is empty (0 bytes)" in unreadable(bad(tmp_path / "a.jpg", b""))
    (tmp_path / "folder.jpg").mkdir()
    assert "folder.jpg cannot be decoded: " in unreadable(tmp_path / "folder.jpg")


@pytest.mark.parametrize(
    "content",
    [
        b"This is a text and no photograph.\n" * 20,
        b"<!DOCTYPE html><html>404</html>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    ],
)
def test_no_image(tmp_path, content):
    assert "a.jpg is no image, or its header is damaged; expected one of JPEG, PNG" in unreadable(
        bad(tmp_path / "a.jpg", content)
    )


@pytest.mark.parametrize("content", [png_header(0, 5), png_header(5, 0), b"P6 0 5 255\n"])
def test_no_pixels(tmp_path, content):
    assert "a.png is no image, or its header is damaged" in unreadable(bad(tmp_path / "a.png", content))


@pytest.mark.parametrize("ending", ["jpg", "png", "ppm", "bmp", "tif", "webp", "gif"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_cut_off_files(tmp_path, ending, share):
    said = unreadable(cut(picture(0, 200, 150), tmp_path / f"a.{ending}", share))
    assert "cannot be decoded: " in said or "no image, or its header is damaged" in said
    if ending == "jpg" and share == 0.5:
        assert "a.jpg cannot be decoded: image file is truncated" in said


def test_damage_inside_a_png(tmp_path):
    path = save(picture(0, 200, 150), tmp_path / "a.png")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    assert "a.png cannot be decoded: " in unreadable(bad(path, bytes(content)))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_no_permission(tmp_path):
    path = save(picture(), tmp_path / "a.png")
    path.chmod(0)
    assert "a.png cannot be decoded: Permission denied" in unreadable(path)


@pytest.mark.parametrize("values", [(0, 70_000), (-1, 200)])
def test_whole_numbers_beyond_16_bits(tmp_path, values):
    image = Image.fromarray(np.tile(np.array(values, dtype=np.int32), (20, 10)))
    said = unreadable(save(image, tmp_path / "a.tif"))
    assert f"a.tif holds values from {values[0]} to {values[1]}; expected 16 bits, 0 to 65535" in said


def test_decimal_numbers(tmp_path):
    for top in (1, 255, 65535):
        image = Image.fromarray(np.linspace(0, top, 400, dtype=np.float32).reshape(20, 20))
        assert "f.tif holds decimal numbers" in unreadable(save(image, tmp_path / "f.tif"))


@pytest.mark.parametrize("limit", [300, 100])  # 400 pixels: Pillow only warns up to twice its limit
def test_too_many_pixels_for_a_small_limit(tmp_path, monkeypatch, limit):
    path = save(Image.new("RGB", (20, 20)), tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    before = list(warnings.filters)
    assert "a.png has too many pixels: Image size (400 pixels) exceeds limit" in unreadable(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the reader does with warnings elsewhere changes nothing here
        unreadable(path)
    assert warnings.filters == before
    assert limit == Image.MAX_IMAGE_PIXELS
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    assert colour(path) == [0, 0, 0]


@pytest.mark.parametrize("side", [10_000, 100_000])
def test_too_many_pixels_for_the_real_limit(tmp_path, side):
    before = list(warnings.filters), Image.MAX_IMAGE_PIXELS
    assert "has too many pixels" in unreadable(bad(tmp_path / "a.png", png_header(side, side)))
    assert (warnings.filters, Image.MAX_IMAGE_PIXELS) == before


def test_reading_changes_no_filter_and_leaves_the_file_closed(tmp_path):
    path, before = save(picture(), tmp_path / "a.png"), list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        read_photo(path, 8)
    assert warnings.filters == before
    path.unlink()  # fails on Windows while a file is open


def test_a_damaged_exif_note_counts_as_none(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = save(picture(), tmp_path / "a.jpg", exif=exif)
    plain = read_photo(save(picture(), tmp_path / "b.jpg"), 8)
    assert not torch.equal(read_photo(path, 8), plain)
    bad(path, path.read_bytes().replace(b"Exif\0\0MM", b"Exif\0\0??"))
    assert torch.equal(read_photo(path, 8), plain)


# --- folders ----------------------------------------------------------------------------------------------------------


def test_extensions_are_torchvisions_and_gif():
    assert (*IMG_EXTENSIONS, ".gif") == folders.EXTENSIONS


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    root = fill(tmp_path / "set", ("b", "a", "C"), count=2)
    save(picture(50), root / "a" / "deeper" / "x" / "0.png")
    save(picture(51), root / "a" / "10.png")
    found = read_folder(root, 16)
    assert found.classes == ("C", "a", "b")
    assert [path.relative_to(root).as_posix() for path in found.files] == [
        "C/0.png",
        "C/1.png",
        "a/0.png",
        "a/1.png",
        "a/10.png",
        "a/deeper/x/0.png",
        "b/0.png",
        "b/1.png",
    ]
    assert found.labels.tolist() == [0, 0, 1, 1, 1, 1, 2, 2]
    assert found.labels.dtype == torch.int64
    assert found.images.dtype == torch.uint8
    assert found.images.shape == (8, 3, 16, 16)
    assert found.left_out == ()
    assert len(found) == 8
    assert repr(found) == "Photos(8 of 3 x 16 x 16, 3 classes, 0 files left out)"
    for image, path in zip(found.images, found.files, strict=True):
        assert torch.equal(image, read_photo(path, 16))
    again = read_folder(str(root), 16)
    assert again.files == found.files
    assert torch.equal(again.images, found.images)
    with pytest.raises(AttributeError):
        found.classes = ()


def test_default_size_is_224(tmp_path):
    assert read_folder(fill(tmp_path, count=1)).images.shape == (2, 3, 224, 224)


def test_what_is_read_and_what_is_ignored(tmp_path):
    root = fill(tmp_path / "set", count=1)
    plain = picture(9)
    for i, extension in enumerate(folders.EXTENSIONS):
        save(plain, root / "ants" / f"e{i}{extension.upper() if i % 2 else extension}")
    save(plain, root / "ants" / "Ameise im Grünen ü 蟻.JPeG", format="JPEG")
    for name in (".hidden.png", ".sub/a.png", "sub/._b.png"):
        save(plain, root / "bees" / name)
    save(plain, root / ".ipynb_checkpoints" / "a.png")
    save(plain, root / "beside.png")
    for name in ("Thumbs.db", "notes.txt", "noextension", "a.png.txt"):
        bad(root / "bees" / name, b"something")
    (root / "bees" / "folder.png").mkdir()
    found = read_folder(root, 8)
    assert found.classes == ("ants", "bees")
    assert found.labels.bincount().tolist() == [2 + len(folders.EXTENSIONS), 1]
    assert "Ameise im Grünen ü 蟻.JPeG" in {path.name for path in found.files}


def test_class_names_with_spaces_and_letters_of_other_languages(tmp_path):
    found = read_folder(fill(tmp_path / "mein Satz", ("kleine Bären", "蟻", "Öl"), count=1), 8)
    assert sorted(found.classes) == sorted(("kleine Bären", "蟻", "Öl"))
    assert len(found) == 3


def test_a_missing_folder(tmp_path):
    for function in (read_folder, parts):
        with pytest.raises(DataError, match="none is missing. Give the folder that holds"):
            function(tmp_path / "none")
        with pytest.raises(DataError, match="a.png is a file. Give the folder"):
            function(save(picture(), tmp_path / "a.png"))


def test_fewer_than_two_classes(tmp_path):
    with pytest.raises(DataError, match="Class folders found: none; expected at least two") as caught:
        read_folder(tmp_path)
    assert str(tmp_path) in str(caught.value)
    save(picture(), tmp_path / "loose.png")
    with pytest.raises(DataError, match="into a folder of their own"):
        read_folder(tmp_path)
    fill(tmp_path, ("ants",))
    with pytest.raises(DataError, match="Class folders found: ants; expected at least two"):
        read_folder(tmp_path, 8)


@pytest.mark.parametrize("content", [None, "a.txt", "a.heic", ".a.png", "Thumbs.db"])
def test_an_empty_class(tmp_path, content):
    root = fill(tmp_path)
    (root / "wasps").mkdir()
    if content:
        bad(root / "wasps" / content, b"something")
    with pytest.raises(DataError, match="The class folder wasps holds no photograph") as caught:
        read_folder(root, 8)
    assert str(root / "wasps") in str(caught.value)


def test_classes_disagree(tmp_path):
    root = fill(tmp_path, ("ants", "wasps"))
    with pytest.raises(DataError) as caught:
        read_folder(root, 8, classes=("ants", "bees"))
    assert "The class folder bees is missing; expected ants, bees. Add" in str(caught.value)
    assert "The class folder wasps is one too many; expected ants, bees" in str(caught.value)


def test_given_classes_decide_the_labels(tmp_path):
    root = fill(tmp_path, ("ants", "bees"), count=2)
    found = read_folder(root, 8, classes=["bees", "ants"])
    assert found.classes == ("bees", "ants")
    assert [path.parent.name for path in found.files] == ["bees", "bees", "ants", "ants"]
    assert found.labels.tolist() == [0, 0, 1, 1]


def test_all_problems_are_told_at_once(tmp_path):
    root = fill(tmp_path)
    (root / "empty").mkdir()
    fill(root, ("extra",))
    files = [
        bad(root / "ants" / "text.jpg", b"no photograph"),
        bad(root / "bees" / "nothing.png", b""),
        cut(picture(0, 200, 150), root / "bees" / "half.jpg"),
        bad(root / "bees" / "bomb.png", png_header(100_000, 100_000)),
    ]
    with pytest.raises(DataError) as caught:
        read_folder(root, 8, classes=("ants", "bees", "empty", "lost"))
    said = str(caught.value)
    assert said.startswith(f"{root} cannot be used")
    for path in files:
        assert said.count(str(path)) == 1
    for words in (
        "extra is one too many",
        "lost is missing",
        "empty holds no photograph",
        "truncated",
        "too many pixels",
    ):
        assert words in said
    assert said.count("skip_unreadable=True") == 1
    assert len(said.splitlines()) == 1 + 3 + 4 + 1


def test_skip_unreadable_leaves_out_and_tells(tmp_path):
    root = fill(tmp_path)
    whole = read_folder(root, 8)
    text = bad(root / "ants" / "00.jpg", b"no photograph")
    half = cut(picture(0, 200, 150), root / "bees" / "half.jpg")
    with pytest.raises(DataError, match="is no image") as caught:
        read_folder(root, 8)
    assert str(half) in str(caught.value)
    found = read_folder(root, 8, skip_unreadable=True)
    assert found.files == whole.files
    assert torch.equal(found.images, whole.images)
    assert torch.equal(found.labels, whole.labels)
    assert len(found.left_out) == 2
    assert found.left_out[0].startswith(f"{text} is no image")
    assert found.left_out[1].startswith(f"{half} cannot be decoded: image file is truncated")
    assert repr(found).endswith("2 files left out)")


def test_skip_unreadable_must_not_empty_a_class(tmp_path):
    root = fill(tmp_path)
    lost = [bad(root / "wasps" / f"{i}.jpg", b"no photograph") for i in range(2)]
    with pytest.raises(DataError, match="None of the 2 photographs of the class wasps can be read") as caught:
        read_folder(root, 8, skip_unreadable=True)
    for path in lost:
        assert str(path) in str(caught.value)
    shutil.rmtree(root / "wasps")
    assert len(read_folder(root, 8, skip_unreadable=True)) == 6


@pytest.mark.skipif(os.name == "nt", reason="making a link needs a right on Windows")
def test_a_link_that_leads_nowhere_is_told(tmp_path):
    root = fill(tmp_path)
    (root / "ants" / "link.png").symlink_to(root / "gone.png")
    with pytest.raises(DataError, match="link.png is missing"):
        read_folder(root, 8)


# --- parts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("val", ["val", "valid", "validation", "test", "Val", "TEST", "Testing"])
def test_train_and_val(tmp_path, val):
    for name in ("train", val, "notes", ".git"):
        (tmp_path / name).mkdir()
    assert parts(tmp_path) == parts(str(tmp_path)) == {"train": tmp_path / "train", "val": tmp_path / val}


def test_val_comes_before_test(tmp_path):
    for name in ("Train", "test", "val"):
        (tmp_path / name).mkdir()
    assert parts(tmp_path) == {"train": tmp_path / "Train", "val": tmp_path / "val"}


def test_train_alone_and_no_parts(tmp_path):
    fill(tmp_path / "plain", count=1)
    bad(tmp_path / "plain" / "val", b"a file and no folder")
    assert parts(tmp_path / "plain") == {"train": tmp_path / "plain"}
    fill(tmp_path / "one" / "train", count=1)
    assert parts(tmp_path / "one") == {"train": tmp_path / "one" / "train"}


@pytest.mark.parametrize("val", ["val", "validation", "test"])
def test_val_without_train(tmp_path, val):
    fill(tmp_path, ("ants", val), count=1)
    with pytest.raises(DataError, match=f"has a folder {val} but no folder train") as caught:
        parts(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_parts_are_not_taken_for_classes(tmp_path):
    fill(tmp_path / "train", count=1)
    fill(tmp_path / "val", count=1)
    with pytest.raises(DataError, match="has parts and no classes. Read .*train and .*val one by one"):
        read_folder(tmp_path, 8)
    train, val = (read_folder(folder, 8) for folder in parts(tmp_path).values())
    assert train.classes == val.classes == ("ants", "bees")


# --- duplicates -------------------------------------------------------------------------------------------------------


def names(pairs, root: Path) -> list[tuple[str, str]]:
    return [tuple(path.relative_to(root).as_posix() for path in pair) for pair in pairs]


def test_duplicates_across_two_sets(tmp_path):
    fill(tmp_path / "train")
    fill(tmp_path / "val", first=500)
    train = read_folder(tmp_path / "train", 16)
    assert duplicates(train, read_folder(tmp_path / "val", 16)) == []
    shutil.copy(tmp_path / "train/ants/1.png", tmp_path / "val/ants/other name.png")
    shutil.copy(tmp_path / "train/ants/2.png", tmp_path / "val/bees/2 again.png")
    with Image.open(tmp_path / "train/bees/0.png") as image:
        save(image, tmp_path / "val/ants/zero.bmp")
        save(image, tmp_path / "val/ants/zero.png", compress_level=1)
    val = read_folder(tmp_path / "val", 16)
    wanted = [
        ("train/ants/1.png", "val/ants/other name.png"),
        ("train/ants/2.png", "val/bees/2 again.png"),
        ("train/bees/0.png", "val/ants/zero.bmp"),
        ("train/bees/0.png", "val/ants/zero.png"),
    ]
    assert names(duplicates(train, val), tmp_path) == wanted
    assert sorted(names(duplicates(val, train), tmp_path)) == sorted((b, a) for a, b in wanted)
    assert duplicates(train) == []


def test_duplicates_within_a_set_come_once(tmp_path):
    fill(tmp_path)
    with Image.open(tmp_path / "ants/0.png") as image:
        save(image, tmp_path / "ants/again.PNG", compress_level=0)
        save(image, tmp_path / "bees/as another class.tif")
    found = names(duplicates(read_folder(tmp_path, 16)), tmp_path)
    assert found == [("ants/0.png", "ants/again.PNG"), ("ants/0.png", "bees/as another class.tif")]


def test_five_thousand_equal_photographs_cost_what_five_thousand_do():
    files = tuple(Path(f"ants/{i}.png") for i in range(5_000))
    images = torch.zeros(1, 3, 8, 8, dtype=torch.uint8).expand(5_000, 3, 8, 8)
    same = Photos(images, torch.zeros(5_000, dtype=torch.int64), ("ants", "bees"), files)
    pairs = duplicates(same)
    assert len(pairs) == 4_999
    assert {first for first, _ in pairs} == {files[0]}
    across = duplicates(same, same)
    assert len(across) == 9_999
    assert {file for pair in across for file in pair} == set(files)


# --- files that do not say what they are, and what is none ------------------------------------------------------------


def test_photographs_are_known_by_their_first_bytes(tmp_path):
    fill(tmp_path, count=1)
    image = Image.new("RGB", (32, 32), (200, 40, 90))
    kinds = {"JPEG": "a.jfif", "PNG": "IMG_0001", "GIF": "b.jpe", "TIFF": "c.photo", "WEBP": "d"}
    if "AVIF" in folders.readable_formats():  # from Pillow 11.3 on
        kinds["AVIF"] = "e.avif"
    for kind, name in kinds.items():
        image.save(tmp_path / "ants" / name, kind)
    bad(tmp_path / "ants" / "names.txt", b"a list of names")
    bad(tmp_path / "ants" / "empty", b"")
    photos = read_folder(tmp_path, 8)
    assert {path.name for path in photos.files} == {"0.png", *kinds.values()} | {"0.png"}
    assert photos.left_out == ()


@pytest.mark.parametrize("name", ["a.heic", "a.HEIC", "a.heif", "IMG_1"])
def test_photographs_of_phones_are_read_or_told_with_what_reads_them(tmp_path, name, monkeypatch):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    fill(tmp_path, count=1)
    for more in ("", "2"):
        Image.new("RGB", (64, 64), (200, 40, 90)).save(tmp_path / "ants" / (more + name), "HEIF")
    assert len(read_folder(tmp_path, 8)) == 4
    monkeypatch.setattr(folders, "readable_formats", lambda: folders.FORMATS)
    photos = read_folder(tmp_path, 8)
    assert len(photos) == 2
    assert photos.left_out == (
        f"2 HEIF photographs in {tmp_path / 'ants'} cannot be read here and were passed over. "
        "Install what reads them: pip install pillow-heif.",
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are files of Unix")
def test_pipes_and_links_are_told_and_not_waited_for(tmp_path):
    fill(tmp_path / "photos", count=1)
    fill(tmp_path / "elsewhere", count=3)
    ants = tmp_path / "photos" / "ants"
    os.mkfifo(ants / "f.jpg")
    (ants / "more").symlink_to(tmp_path / "elsewhere" / "ants")
    (ants / "again").symlink_to(ants)  # a walk that followed it would never end
    photos = read_folder(tmp_path / "photos", 8)
    assert len(photos) == 2
    assert photos.left_out == (
        f"{ants / 'again'} is a link to a folder, which was not followed.",
        f"{ants / 'f.jpg'} is no file but a pipe, a socket or a device; it was passed over.",
        f"{ants / 'more'} is a link to a folder, which was not followed.",
    )


def test_a_folder_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    fill(tmp_path, count=1)
    (tmp_path / "ants" / "more").mkdir()
    real = os.scandir

    def scandir(path):
        if str(path).endswith("more"):  # what the mode 000 does for everybody but root
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    photos = read_folder(tmp_path, 8)
    more = tmp_path / "ants" / "more"
    assert photos.left_out == (f"{more} cannot be read: Permission denied. What lies in it was passed over.",)


def test_names_that_would_change_a_console_are_written_out(tmp_path):
    fill(tmp_path, count=1)
    names = ("a\nb.jpg", "c\x1b[31md.jpg") if os.name != "nt" else ("a.jpg",)
    for name in names:
        bad(tmp_path / "ants" / name, b"no picture")
    photos = read_folder(tmp_path, 8, skip_unreadable=True)
    said = "\n".join(photos.left_out)
    assert len(said.splitlines()) == len(names)
    assert "\x1b" not in said
    if os.name != "nt":
        assert r"a\nb.jpg is no image" in said
        assert r"c\x1b[31md.jpg is no image" in said


def test_one_pixel_makes_a_difference():
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    images[1, 2, 3, 3] = 1
    one = Photos(images, torch.tensor([0, 1]), ("a", "b"), (Path("a/1.png"), Path("b/1.png")))
    assert duplicates(one) == []


def test_duplicates_of_different_sizes_are_refused(tmp_path):
    root = fill(tmp_path, count=1)
    with pytest.raises(ConfigError, match="Read both folders with the same size"):
        duplicates(read_folder(root, 8), read_folder(root, 16))


# --- real photographs -------------------------------------------------------------------------------------------------


def test_ants_and_bees():
    """The photographs as they are fetched: 70 ants and 83 bees for validation."""
    if missing := list(download.faults("hymenoptera")):
        pytest.skip(f"{missing[0]}; get it: labkit data fetch hymenoptera")
    found = parts(data_dir() / "hymenoptera_data")
    assert list(found) == ["train", "val"]
    val = read_folder(found["val"], 64)
    assert val.classes == ("ants", "bees")
    assert val.labels.bincount().tolist() == [70, 83]
    assert val.images.shape == (153, 3, 64, 64)
    assert val.left_out == ()
    assert 90 < val.images.float().mean() < 150
    assert val.images.flatten(1).float().std(dim=1).min() > 5  # none is blank

"""Photographs in folders, one folder a class, as one uint8 tensor. Pillow decodes.

They are decoded once, shrunk and cut to squares, and stay in memory as bytes, like the sets of images.py.
Not here: the training on them, downloads (see download.py), random transforms (see augment.py).
"""

import functools
import hashlib
import importlib
import importlib.util
import os
import stat
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError, features
from torch import Tensor

from labkit.base.checks import whole
from labkit.base.errors import ConfigError, DataError
from labkit.base.files import shown

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif")
FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF")  # no others: EPS, for one, would start Ghostscript
SIGNATURES = {  # of files that do not say by their ending what they are: where, and the bytes there
    "JPEG": (0, b"\xff\xd8\xff"),
    "PNG": (0, b"\x89PNG\r\n\x1a\n"),
    "GIF": (0, b"GIF8"),
    "TIFF": (0, b"II*\0"),
    "TIFF of the other byte order": (0, b"MM\0*"),
    "WEBP": (8, b"WEBP"),
    **{f"HEIF {brand!r}": (4, b"ftyp" + brand) for brand in (b"heic", b"heix", b"hevc", b"mif1", b"msf1")},
    **{f"AVIF {brand!r}": (4, b"ftyp" + brand) for brand in (b"avif", b"avis")},
}
TRAIN = ("train", "training")  # names of the folder with a part, in any case; the first that is there counts
VAL = ("val", "valid", "validation", "test", "testing")
MEND = (
    "Remove what cannot be read or save it anew; or leave unreadable photographs out with skip_unreadable=True "
    "(on the command line: --skip-unreadable)."
)


class _Unreadable(DataError):
    """A file that gives no picture; the message is one sentence that names it."""


@dataclass(frozen=True)
class Photos:
    """The photographs of one folder, all in memory. Introduced in lab 10.

    Attributes:
        images: (N, 3, S, S), uint8, 0 to 255.
        labels: (N,), int64, 0 to len(classes) - 1.
        classes: the name of each class, the name of its folder.
        files: where each image came from, N paths.
        left_out: one sentence for each unreadable file that was left out, and for what else lies there and is none.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.images.shape[1:]))
        return f"Photos({len(self):,} of {shape}, {len(self.classes)} classes, {len(self.left_out)} files left out)"


def read_photo(path: str | Path, size: int) -> Tensor:
    """Return the middle of a photograph as a square, upright and in colour. Introduced in lab 10.

    The usual crop for evaluation on ImageNet: the short side becomes size * 8 / 7 pixels (256 for 224), bilinear
    with antialias, and the middle is cut out. Whatever the file holds becomes RGB: what is transparent lies on
    white, 16-bit grey is scaled to 8 bits, a colour profile is not applied. The EXIF note on how the camera was
    held is obeyed (a damaged note counts as none). Of an animation or of several pages the first picture is taken.

    Args:
        path: a JPEG, PNG, PPM, PGM, BMP, TIFF, WebP or GIF file; AVIF and HEIF as `readable_formats` says.
        size: height and width of the result in pixels, at least 1.

    Returns:
        (3, size, size), uint8, 0 to 255.

    Raises:
        DataError: the file is missing, empty, no image, cut off or otherwise damaged, would unpack to more pixels
            than Pillow's `Image.MAX_IMAGE_PIXELS`, or holds values that are no colours.
        ConfigError: a size out of range.
    """
    size = whole("size", size, 1)
    try:
        return _read(Path(path), size)
    except _Unreadable as error:
        raise DataError(f"{error} Remove it, or save it anew.") from error


def _read(path: Path, size: int) -> Tensor:
    """Do the work of `read_photo`; raise `_Unreadable` without advice."""
    pixels = np.array(_middle(_to_rgb(_decode(path), path), size))  # (size, size, 3)
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _decode(path: Path) -> Image.Image:
    """Return the first picture of a file, upright and in the colours that it has there."""
    try:
        with warnings.catch_warnings():
            # Pillow only warns up to twice its limit; a set that does not fit into memory is no better there.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=readable_formats()) as image:
                return ImageOps.exif_transpose(image)
    except Exception as error:  # broken bytes make Pillow raise OSError, SyntaxError, ValueError, struct.error, ...
        raise _Unreadable(_fault(path, error)) from error


@functools.cache
def readable_formats() -> tuple[str, ...]:
    """Return the formats that can be read here: `FORMATS`, and AVIF and HEIF where Pillow or pillow-heif reads them."""
    formats = [*FORMATS]
    Image.init()
    if "AVIF" in Image.OPEN and features.check("avif"):  # a Pillow that knows it may have been built without it
        formats.append("AVIF")
    if importlib.util.find_spec("pillow_heif"):
        importlib.import_module("pillow_heif").register_heif_opener()
        formats.append("HEIF")
    return tuple(formats)


def _fault(path: Path, error: Exception) -> str:
    """Return the sentence that says why Pillow could not decode a file."""
    name = shown(path)
    if isinstance(error, FileNotFoundError):
        return f"{name} is missing."
    if isinstance(error, UnidentifiedImageError):
        if path.stat().st_size == 0:
            return f"{name} is empty (0 bytes)."
        return f"{name} is no image, or its header is damaged; expected one of {', '.join(readable_formats())}."
    reason = getattr(error, "strerror", None) or str(error).rstrip(".") or type(error).__name__
    if isinstance(error, (Image.DecompressionBombWarning, Image.DecompressionBombError)):
        return f"{name} has too many pixels: {reason}."
    return f"{name} cannot be decoded: {reason}."


def _to_rgb(image: Image.Image, path: Path) -> Image.Image:
    """Return a picture of any mode as RGB; raise `_Unreadable` where its values are no colours."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _from_16_bits(image, path).convert("RGB")
    if image.mode == "F":
        raise _Unreadable(f"{path} holds decimal numbers, which do not say what is white; expected 8 or 16 bits.")
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return image.convert("RGB")


def _from_16_bits(image: Image.Image, path: Path) -> Image.Image:
    """Return a grey picture of 0 to 65535 as one of 0 to 255; Pillow would cut off all above 255."""
    values = np.asarray(image)  # (H, W)
    least, most = int(values.min()), int(values.max())
    if least < 0 or most > 65535:
        raise _Unreadable(f"{path} holds values from {least} to {most}; expected 16 bits, 0 to 65535.")
    grey = np.rint(values / 257)  # 65535 = 255 * 257
    if "transparency" in image.info:  # the one value that stands for "transparent" in a PNG of this kind
        grey[values == image.info["transparency"]] = 255
    return Image.fromarray(grey.astype(np.uint8))


def _middle(image: Image.Image, size: int) -> Image.Image:
    """Return the middle of an RGB picture, `size` x `size` pixels.

    Cut and shrunk in one step: a long thin picture would become huge if it were resized first.
    """
    side = min(image.size) * size / round(size * 8 / 7)  # of the square to keep, in pixels of the photograph
    left, top = ((length - side) / 2 for length in image.size)
    return image.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))


def read_folder(
    folder: str | Path, size: int = 224, classes: tuple[str, ...] | None = None, skip_unreadable: bool = False
) -> Photos:
    """Read a folder whose sub-folders are the classes. Introduced in lab 10.

    Photographs may lie deeper inside the folder of their class. Which files count is told by their ending
    (`EXTENSIONS`, in any case) or else by their first bytes, so that IMG_1.jfif or a file without an ending counts;
    others, hidden ones and files beside the class folders are ignored. The order is that of the names: classes first,
    then files. What could be meant and was passed over (linked folders, pipes, photographs in HEIF where pillow-heif is
    missing) is told in `left_out`.

    Args:
        folder: holds at least two class folders.
        size: height and width of the images in pixels, at least 1; see `read_photo`.
        classes: the classes that must be there, in the order of their labels; default: the names found, sorted.
            For validation photographs give those of the training photographs.
        skip_unreadable: whether files that cannot be read are left out, and told in `left_out`, or are an error.

    Returns:
        The photographs, on the CPU.

    Raises:
        DataError: lists all that is wrong: the folder or a class is missing, one class too many, fewer than two,
            an empty class, unreadable files.
        ConfigError: a size out of range.
    """
    folder, size = _without_parts(_existing(folder)), whole("size", size, 1)
    there = {sub.name: _photographs(sub) for sub in _subfolders(folder)}
    by_class = {name: files for name, (files, _) in there.items()}
    passed_over = [note for _, notes in there.values() for note in notes]
    names = tuple(by_class) if classes is None else tuple(classes)
    images, labels, files, unreadable = _read_all(by_class, names, size)
    problems = _layout_problems(folder, by_class, names)
    emptied = [name for label, name in enumerate(names) if by_class.get(name) and label not in labels]
    problems += [f"None of the {len(by_class[name])} photographs of the class {name} can be read." for name in emptied]
    if unreadable and (emptied or not skip_unreadable):
        problems += [*unreadable, MEND]
    if problems:
        raise DataError(f"{folder} cannot be used as photographs in class folders:\n  " + "\n  ".join(problems))
    return Photos(torch.stack(images), torch.tensor(labels), names, tuple(files), (*unreadable, *passed_over))


def _read_all(by_class: dict[str, list[Path]], classes: tuple[str, ...], size: int):
    """Return the images, labels and files that could be read, and a sentence for each that could not: four lists."""
    images, labels, files, unreadable = [], [], [], []
    for label, name in enumerate(classes):
        for path in by_class.get(name, []):  # that a class is missing is told by `_layout_problems`
            try:
                images.append(_read(path, size))
            except _Unreadable as error:
                unreadable.append(str(error))
                continue
            labels.append(label)
            files.append(path)
    return images, labels, files, unreadable


def _without_parts(folder: Path) -> Path:
    """Return a folder of classes; raise `DataError` for one of parts, whose names would pass for classes."""
    train, val = _part(folder, TRAIN), _part(folder, VAL)
    if train and val:
        raise DataError(
            f"{folder} has parts and no classes. Read {train} and {val} one by one; see labkit.data.folders.parts."
        )
    return folder


def _layout_problems(folder: Path, by_class: dict[str, list[Path]], classes: tuple[str, ...]) -> list[str]:
    """Return one sentence for each thing that is wrong with the class folders."""
    problems = []
    if len(by_class) < 2:
        problems.append(
            f"Class folders found: {', '.join(by_class) or 'none'}; expected at least two. "
            "Put the photographs of each class into a folder of their own."
        )
    for name in classes:
        if name not in by_class:
            problems.append(f"The class folder {name} is missing; expected {', '.join(classes)}. Add {folder / name}.")
    for name, files in by_class.items():
        if name not in classes:
            problems.append(f"The class folder {name} is one too many; expected {', '.join(classes)}. Move it away.")
        if not files:
            problems.append(
                f"The class folder {name} holds no photograph ({', '.join(EXTENSIONS)}). "
                f"Put some into {folder / name} or remove it."
            )
    return problems


def parts(folder: str | Path) -> dict[str, Path]:
    """Return the folders of the parts of a data set. Introduced in lab 10.

    A part is a folder called train or training, or val, valid, validation, test or testing (in this order), in
    upper or lower case. Of a data set with parts no class can have such a name.

    Args:
        folder: holds the parts, or else the class folders.

    Returns:
        The folders by the name of their part, "train" and "val"; without "val" if there is no such folder; and the
        folder itself as "train" if there are no parts.

    Raises:
        DataError: the folder is missing, or has photographs for validation and none for training.
    """
    folder = _existing(folder)
    train, val = _part(folder, TRAIN), _part(folder, VAL)
    if val and not train:
        raise DataError(
            f"{folder} has a folder {val.name} but no folder train. Name the one with the training photographs "
            f"train; if {val.name} is a class, put all class folders into a new folder {folder / 'train'}."
        )
    if not train:
        return {"train": folder}
    return {"train": train, "val": val} if val else {"train": train}


def duplicates(a: Photos, b: Photos | None = None) -> list[tuple[Path, Path]]:
    """Return which photographs show the pixels of another, whatever their names and classes. Introduced in lab 10.

    What is compared is the image as it was read, shrunk and cut. So a copy in another lossless format is found;
    one that was saved as JPEG again has other pixels and is not.

    Args:
        a: photographs.
        b: others of the same size; without it copies within `a` are looked for.

    Returns:
        Pairs of a file of `a` and one of `b`, or of the first of equal files in `a` and a later one. Each copy is in a
        pair; of n equal photographs there are n - 1, so that many cost no more than their number.

    Raises:
        ConfigError: images of different sizes, which are never equal.

    >>> images = torch.tensor([7, 8, 7], dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 3, 2, 2)
    >>> files = Path("ants/1.png"), Path("ants/2.png"), Path("bees/1.png")
    >>> photos = Photos(images, torch.tensor([0, 0, 1]), ("ants", "bees"), files)
    >>> [(first.as_posix(), second.as_posix()) for first, second in duplicates(photos)]
    [('ants/1.png', 'bees/1.png')]
    """
    if b is None:
        return [(first, later) for first, *copies in _by_pixels(a).values() for later in copies]
    if a.images.shape[1:] != b.images.shape[1:]:
        raise ConfigError(
            f"Images of {tuple(a.images.shape[1:])} and {tuple(b.images.shape[1:])} cannot be equal. "
            "Read both folders with the same size."
        )
    others = _by_pixels(b)
    pairs = []
    for key, mine in _by_pixels(a).items():
        first, *more = others.get(key, [None])
        pairs += [(file, first) for file in mine if first] + [(mine[0], other) for other in more]
    return pairs


def _by_pixels(photos: Photos) -> dict[bytes, list[Path]]:
    """Return the files that have the same pixels, under the sha256 of these."""
    groups = {}
    for image, path in zip(photos.images.cpu(), photos.files, strict=True):
        groups.setdefault(hashlib.sha256(image.numpy().tobytes()).digest(), []).append(path)
    return groups


def _existing(folder: str | Path) -> Path:
    """Return a folder as a path; raise `DataError` where there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is missing"
        raise DataError(f"{folder} {what}. Give the folder that holds one folder of photographs for each class.")
    return folder


def _subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, by name, without hidden ones."""
    return sorted((sub for sub in folder.iterdir() if sub.is_dir() and not sub.name.startswith(".")), key=str)


def _photographs(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the photographs below a folder in the order of their paths, and a sentence for what else lies there."""
    files, notes, unread = [], [], Counter()

    def unreadable(error: OSError) -> None:
        notes.append(f"{shown(error.filename)} cannot be read: {error.strerror}. What lies in it was passed over.")

    for place, subfolders, names in os.walk(folder, onerror=unreadable):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in subfolders:
            if os.path.islink(os.path.join(place, name)):  # the walk does not go in: it might come round again
                notes.append(f"{shown(os.path.join(place, name))} is a link to a folder, which was not followed.")
        for path in (Path(place, name) for name in names if not name.startswith(".")):
            kind = _kind(path)
            if kind == "photograph":
                files.append(path)
            elif kind and kind in ("HEIF", "AVIF"):
                unread[kind] += 1
            elif kind:
                notes.append(f"{shown(path)} {kind}; it was passed over.")
    notes += [
        f"{count} {kind} photograph{'s' * (count > 1)} in {shown(folder)} cannot be read here and were passed over. "
        f"Install what reads them: pip install {'pillow-heif' if kind == 'HEIF' else '--upgrade pillow'}."
        for kind, count in unread.items()
    ]
    return sorted(files, key=Path.as_posix), sorted(notes)  # as text, so that Windows has the same order


def _kind(path: Path) -> str | None:
    """Return "photograph", why a file is none, or None for what is no picture at all, such as a list of names.

    The ending says it where it is a known one, else the first bytes.
    """
    known = path.suffix.lower() in EXTENSIONS
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "is no file but a pipe, a socket or a device"
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        return "photograph" if known else f"cannot be read: {error.strerror}"  # reading it will say why it cannot be
    named = (name for name, (at, bytes_) in SIGNATURES.items() if head[at : at + len(bytes_)] == bytes_)
    kind = next(named, "").partition(" ")[0]
    if kind in ("HEIF", "AVIF") and kind not in readable_formats():
        return kind
    return "photograph" if known or kind else None


def _part(folder: Path, names: tuple[str, ...]) -> Path | None:
    """Return the first sub-folder that has one of `names`, in upper or lower case."""
    subfolders = {sub.name.lower(): sub for sub in _subfolders(folder)}
    return next((subfolders[name] for name in names if name in subfolders), None)

"""Random transforms of a whole batch at once, on its device; every image gets draws of its own.

A transform is called with a batch and a generator, `Rotate(15)(X, generator)`, and returns a new batch of the same
dtype: uint8 from 0 to 255, or float32 from 0 to 1. The draws are made on the CPU, a few numbers an image, so that
one seed gives the same pictures on every device. Angles, factors and corners mean what they mean in
torchvision.transforms, which draws once a batch; the tests compare the two image by image.
Not here: which transforms a training uses (`Recipe.augment`), and when they are called (`Batches`).
"""

import math
from dataclasses import dataclass, field, fields
from functools import cache

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from labkit.base.checks import whole
from labkit.base.errors import ConfigError, unknown

GREY = (0.2989, 0.587, 0.114)  # shares of red, green and blue in what the eye takes for brightness (ITU-R BT.601)


@dataclass(frozen=True)
class Transform:
    """What all transforms share: the checks, and the way from draws to a batch.

    A subclass has `_draw(X, generator)`, the parameters of each image in a tuple of CPU tensors, and
    `_apply(X, *parameters)`. One with `in_floats` calculates in float32: bytes are turned into floats and back.
    """

    in_floats = False

    def __call__(self, X: Tensor, generator: Generator | None = None) -> Tensor:
        """Return the transformed batch.

        Args:
            X: images, (B, C, H, W), uint8 from 0 to 255 or float32 from 0 to 1; B may be 0.
            generator: where the draws come from, on the CPU; torch's own if not given.

        Raises:
            ConfigError: another shape or dtype, or images that are too small for the transform.
        """
        check_batch(X)
        parameters = [t.to(X.device) for t in self._draw(X, generator)]
        if not self.in_floats or X.dtype != torch.uint8:
            return self._apply(X, *parameters)
        return self._apply(X / 255, *parameters).mul_(255).round_().clamp_(0, 255).byte()

    def _draw(self, X: Tensor, generator: Generator | None) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def _apply(self, X: Tensor, *parameters: Tensor) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True)
class Flip(Transform):
    """Mirror an image left to right. Introduced in lab 06.

    Args:
        p: chance that an image is mirrored, in [0, 1].

    >>> X = torch.arange(4, dtype=torch.uint8).view(1, 1, 2, 2)
    >>> Flip(p=1.0)(X).tolist()
    [[[[1, 0], [3, 2]]]]
    """

    p: float = 0.5
    name: str = field(default="flip", init=False)

    def __post_init__(self):
        check_chance(self.p)

    def _draw(self, X, generator):
        return ((torch.rand(len(X), generator=generator) >= self.p).nonzero().flatten(),)

    def _apply(self, X, kept):
        return X.flip(3).index_copy_(0, kept, X.index_select(0, kept))


@dataclass(frozen=True)
class BatchFlip(Transform):
    """Mirror all images of a batch, or none: what one draw a batch does, as in the first source. Introduced in lab 06.

    Args:
        p: chance that a batch is mirrored, in [0, 1].
    """

    p: float = 0.5
    name: str = field(default="batch flip", init=False)

    def __post_init__(self):
        check_chance(self.p)

    def _draw(self, X, generator):
        return (torch.rand((), generator=generator) < self.p,)

    def _apply(self, X, mirrored):
        return X.flip(3) if mirrored else X


@dataclass(frozen=True)
class Crop(Transform):
    """Pad with black and cut a window out, each image at a place of its own. Introduced in lab 06.

    Args:
        padding: pixels added on each side, at least 0.
        size: height and width of the window in pixels; None keeps those of the image.
    """

    padding: int = 4
    size: int | None = None
    name: str = field(default="crop", init=False)

    def __post_init__(self):
        whole("padding", self.padding, 0)
        if self.size is not None:
            whole("size", self.size, 1)

    def window(self, X: Tensor) -> tuple[int, int]:
        """Return height and width of the window; raise `ConfigError` where the padded image is smaller."""
        size = (self.size, self.size) if self.size else (X.shape[2], X.shape[3])
        room = [side + 2 * self.padding for side in X.shape[2:]]
        if any(wanted > side for wanted, side in zip(size, room, strict=True)):
            raise ConfigError(
                f"A crop of {size[0]} x {size[1]} pixels does not fit into an image of {room[0]} x {room[1]} "
                f"({X.shape[2]} x {X.shape[3]} and {self.padding} of padding). Use a smaller size or more padding."
            )
        return size

    def _draw(self, X, generator):
        places = [side + 2 * self.padding - cut + 1 for side, cut in zip(X.shape[2:], self.window(X), strict=True)]
        return tuple(torch.randint(0, n, (len(X),), generator=generator) for n in places)

    def _apply(self, X, rows, columns):
        height, width = self.window(X)
        padded = F.pad(X, (self.padding,) * 4)  # (B, C, H + 2p, W + 2p)
        # Where each line of each window begins in the row of all pixels: (B, C, h)
        images, channels, lines = (torch.arange(n, device=X.device) for n in (*X.shape[:2], height))
        first = (images * X.shape[1])[:, None, None] + channels[:, None]
        first = (first * padded.shape[2] + rows[:, None, None] + lines) * padded.shape[3] + columns[:, None, None]
        # All runs of `width` pixels, a view and no copy; index_select then copies whole lines, which is fast.
        runs = padded.flatten().unfold(0, width, 1) if len(X) else padded.view(0, width)
        return runs.index_select(0, first.flatten()).view(*X.shape[:2], height, width)


@dataclass(frozen=True)
class Rotate(Transform):
    """Turn an image about its middle, bilinear; the corners that come into view are black. Introduced in lab 06.

    Args:
        degrees: the angle of each image is drawn evenly from -degrees to degrees, in [0, 180].
    """

    degrees: float = 15.0
    name: str = field(default="rotate", init=False)
    in_floats = True

    def __post_init__(self):
        if not 0 <= self.degrees <= 180:
            raise ConfigError(f"degrees must be in [0, 180], got {self.degrees!r}.")

    def _draw(self, X, generator):
        return (torch.empty(len(X)).uniform_(-self.degrees, self.degrees, generator=generator),)

    def _apply(self, X, angles):
        (height, width), turn = X.shape[2:], angles * (math.pi / 180)
        cos, sin, zero = turn.cos(), turn.sin(), torch.zeros_like(turn)
        # From a pixel of the result back to the image; axes run from -1 to 1, so a long side has smaller steps.
        back = torch.stack([cos, -sin * height / width, zero, sin * width / height, cos, zero], dim=1).view(-1, 2, 3)
        return warp(X, F.affine_grid(back, list(X.shape), align_corners=False)) if len(X) else X


@dataclass(frozen=True)
class Perspective(Transform):
    """Tilt an image as if it was seen from the side, bilinear; what comes into view is black. Introduced in lab 06.

    Args:
        distortion: how far each corner may move, as a share of half the image, in [0, 1].
        p: chance that an image is tilted, in [0, 1].
    """

    distortion: float = 0.5
    p: float = 0.5
    name: str = field(default="perspective", init=False)
    in_floats = True

    def __post_init__(self):
        check_chance(self.p)
        if not 0 <= self.distortion <= 1:
            raise ConfigError(f"distortion must be in [0, 1], got {self.distortion!r}.")

    def _draw(self, X, generator):
        chosen = (torch.rand(len(X), generator=generator) < self.p).nonzero().flatten()
        moves = torch.rand(len(chosen), 4, 2, generator=generator) * self.distortion  # of each corner, inwards
        return chosen, moves

    def _apply(self, X, chosen, moves):
        if not len(chosen):
            return X.clone()
        grid = perspective_grid(corners(X) * (1 - moves), corners(X), X.shape[2:])
        return X.index_copy(0, chosen, warp(X.index_select(0, chosen), grid))


@dataclass(frozen=True)
class ColorJitter(Transform):
    """Change brightness, contrast, saturation and hue, in this order. Introduced in lab 06.

    Each factor is drawn evenly from 1 - x to 1 + x for each image; the hue is turned by -hue to hue of the
    whole colour circle. A grey image has neither saturation nor hue: both leave it as it is.

    Args:
        brightness, contrast, saturation: x, in [0, 1]; 0 for none.
        hue: in [0, 0.5]; 0 for none.
    """

    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    hue: float = 0.05
    name: str = field(default="color_jitter", init=False)
    in_floats = True

    def __post_init__(self):
        for what, most in (("brightness", 1), ("contrast", 1), ("saturation", 1), ("hue", 0.5)):
            if not 0 <= getattr(self, what) <= most:
                raise ConfigError(f"{what} must be in [0, {most}], got {getattr(self, what)!r}.")

    def _draw(self, X, generator):
        if X.shape[1] not in (1, 3):
            raise ConfigError(f"ColorJitter takes images of 1 (grey) or 3 (colour) channels, got {X.shape[1]}.")
        spread = torch.tensor([self.brightness, self.contrast, self.saturation, self.hue])
        drawn = (2 * torch.rand(len(X), 4, generator=generator) - 1) * spread + torch.tensor([1, 1, 1, 0])
        return tuple(drawn.view(-1, 4, 1, 1, 1).unbind(1))  # four times (B, 1, 1, 1)

    def _apply(self, X, brightness, contrast, saturation, hue):
        if self.brightness:
            X = (X * brightness).clamp_(0, 1)
        if self.contrast:
            X = blend(X, grey(X).mean(dim=(2, 3), keepdim=True), contrast)
        if self.saturation and X.shape[1] == 3:
            X = blend(X, grey(X), saturation)
        if self.hue and X.shape[1] == 3:
            X = turn_hue(X, hue)
        return X


@dataclass(frozen=True)
class Cutout(Transform):
    """Cover a square of an image with one value (DeVries and Taylor, 2017). Introduced in lab 06.

    The middle of the square is any pixel of the image, so it may reach over the edge.

    Args:
        size: height and width of the square in pixels, at least 1.
        fill: what it is covered with, from 0 (black) to 1 (white).
    """

    size: int = 8
    fill: float = 0.5
    name: str = field(default="cutout", init=False)

    def __post_init__(self):
        whole("size", self.size, 1)
        if not 0 <= self.fill <= 1:
            raise ConfigError(f"fill must be in [0, 1], got {self.fill!r}.")

    def _draw(self, X, generator):
        if self.size > min(X.shape[2:]):
            raise ConfigError(
                f"A square of {self.size} pixels covers more than an image of {X.shape[2]} x {X.shape[3]}. "
                f"Use a size of at most {min(X.shape[2:])}."
            )
        return tuple(torch.randint(0, side, (len(X), 1), generator=generator) for side in X.shape[2:])

    def _apply(self, X, row, column):
        height, width = X.shape[2:]
        value = round(255 * self.fill) if X.dtype == torch.uint8 else self.fill
        rows, columns = self._covered(height, row), self._covered(width, column)  # (B, H) and (B, W)
        return X.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], value)  # mask: (B, 1, H, W)

    def _covered(self, side: int, middle: Tensor) -> Tensor:
        """Tell for each place along a side, (B, side), whether it lies in the square around `middle`, (B, 1)."""
        place = torch.arange(side, device=middle.device) - (middle - self.size // 2)  # from the edge of the square
        return (place >= 0) & (place < self.size)


@dataclass(frozen=True)
class Normalize(Transform):
    """Bring each channel to mean 0 and standard deviation 1; nothing is drawn. Introduced in lab 06.

    `Batches` does this last, with the figures of the training images; it does not belong into `Recipe.augment`.

    Args:
        mean, std: of each channel, (C,), in units of 0 to 1; std above 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    name: str = field(default="normalize", init=False)

    def __post_init__(self):
        for what in ("mean", "std"):
            object.__setattr__(self, what, tuple(float(value) for value in getattr(self, what)))
        if len(self.mean) != len(self.std) or not self.mean:
            raise ConfigError(f"Normalize needs a mean and a std a channel, got {len(self.mean)} and {len(self.std)}.")
        if min(self.std) <= 0:
            raise ConfigError(
                "A channel has the same value in every pixel: its sd is 0, it cannot be normalised."
                if min(self.std) == 0
                else f"std must be above 0, got {self.std}."
            )

    def _draw(self, X, generator):
        if X.shape[1] != len(self.mean):
            raise ConfigError(f"Normalize has figures for {len(self.mean)} channels, and the images have {X.shape[1]}.")
        return scale_and_shift(self.mean, self.std, 255 if X.dtype == torch.uint8 else 1)

    def _apply(self, X, scale, shift):
        return (X * scale).add_(shift)


@cache
def scale_and_shift(mean: tuple, std: tuple, largest: int) -> tuple[Tensor, Tensor]:
    """Return what turns (x / largest - mean) / std into one multiplication and one addition, (1, C, 1, 1) each."""
    m, s = (torch.tensor(value).view(1, -1, 1, 1) for value in (mean, std))
    return 1 / (s * largest), -m / s


TRANSFORMS = {cls.name: cls for cls in (Flip, BatchFlip, Crop, Rotate, Perspective, ColorJitter, Cutout, Normalize)}


def make(settings: dict) -> Transform:
    """Return a transform from its fields as a record keeps them.

    >>> make({"name": "rotate", "degrees": 10.0})
    Rotate(degrees=10.0, name='rotate')
    """
    if settings.get("name") not in TRANSFORMS:
        raise unknown("transform", str(settings.get("name")), TRANSFORMS)
    cls = TRANSFORMS[settings["name"]]
    return cls(**{f.name: settings[f.name] for f in fields(cls) if f.init and f.name in settings})


def apply_all(transforms, X: Tensor, generator: Generator | None = None) -> Tensor:
    """Return a batch after several transforms; bytes stay bytes until the first one that calculates in floats."""
    for transform in transforms:
        if transform.in_floats and X.dtype == torch.uint8:
            X = X / 255
        X = transform(X, generator)
    return X


def check_batch(X: Tensor) -> None:
    """Raise `ConfigError` unless `X` is a batch of images as transforms take it."""
    if not isinstance(X, Tensor) or X.ndim != 4:
        got = tuple(X.shape) if isinstance(X, Tensor) else type(X).__name__
        raise ConfigError(f"A batch of images has the shape (B, C, H, W), got {got}. For one image use X[None].")
    if X.dtype not in (torch.uint8, torch.float32):
        raise ConfigError(f"Images are uint8 from 0 to 255 or float32 from 0 to 1, got {X.dtype}.")
    if 0 in X.shape[1:]:
        raise ConfigError(f"These images have no pixels: {tuple(X.shape)} (B, C, H, W).")


def check_chance(p: float) -> None:
    """Raise `ConfigError` unless `p` is a chance."""
    if not 0 <= p <= 1:
        raise ConfigError(f"p is a chance and must be in [0, 1], got {p!r}.")


def warp(X: Tensor, grid: Tensor) -> Tensor:
    """Return each image as seen through its grid: (B, H, W, 2), x and y from -1 to 1; black outside."""
    return F.grid_sample(X, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def corners(X: Tensor) -> Tensor:
    """Return the four corner pixels of the images, (4, 2), as x and y from the middle, in pixels."""
    height, width = X.shape[2:]
    signs = torch.tensor([[-1, -1], [1, -1], [1, 1], [-1, 1]], device=X.device)
    return signs * torch.tensor([(width - 1) / 2, (height - 1) / 2], device=X.device)


def perspective_grid(moved: Tensor, origin: Tensor, size) -> Tensor:
    """Return the grid (B, H, W, 2) that brings the corners `origin` (4, 2) to `moved` (B, 4, 2), both in pixels.

    A perspective is (ax + by + c, dx + ey + f) / (gx + hy + 1); four corners give eight equations for a to h.
    """
    x, y = moved.unbind(-1)  # (B, 4): a place in the result ...
    u, v = origin.to(moved).unbind(-1)  # (4,): ... and where its colour comes from
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    for_u = torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], dim=-1)
    for_v = torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], dim=-1)
    known = torch.cat([u, v]).expand(len(x), 8)
    a = torch.linalg.solve(torch.cat([for_u, for_v], dim=1), known)  # (B, 8)
    height, width = size
    rows = torch.arange(height, device=x.device, dtype=x.dtype) - (height - 1) / 2
    columns = torch.arange(width, device=x.device, dtype=x.dtype) - (width - 1) / 2
    places = torch.cartesian_prod(rows, columns).flip(1)  # (H * W, 2), x and y
    matrix = F.pad(a, (0, 1), value=1.0).view(-1, 3, 3)
    rays = F.pad(places, (0, 1), value=1.0) @ matrix.mT  # (B, H * W, 3)
    grid = rays[..., :2] / rays[..., 2:] * torch.tensor([2 / width, 2 / height], device=x.device)
    return grid.view(-1, height, width, 2)


def grey(X: Tensor) -> Tensor:
    """Return the brightness of images, (B, 1, H, W)."""
    if X.shape[1] == 1:
        return X
    shares = torch.tensor(GREY, device=X.device).view(1, 3, 1, 1)
    return (X * shares).sum(dim=1, keepdim=True)


def blend(X: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """Return share · X + (1 - share) · other, kept between 0 and 1; a share above 1 leads away from `other`."""
    return torch.lerp(other, X, share).clamp_(0, 1)


def turn_hue(X: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of colour images, (B, 3, H, W), by a share of the colour circle, (B, 1, 1, 1).

    The largest and the smallest of the three channels stay; a channel lies between them by how far its own hue
    is from the pixel's (the HSV hexagon: red at 0, green at 2, blue at 4 of 6).
    """
    red, green, blue = X.unbind(1)
    most, which = X.max(dim=1)
    chroma = most - X.amin(dim=1)
    safe = chroma.clamp_min(1e-8)  # a grey pixel has no hue: its chroma of 0 leaves it grey
    sixth = torch.where(which == 0, green - blue, torch.where(which == 1, blue - red, red - green)) / safe
    hue = sixth + 2 * which + 6 * turn[:, 0]  # (B, H, W), in sixths of the circle
    out = torch.empty_like(X)
    for channel, start in enumerate((5, 3, 1)):
        k = (hue + start).remainder_(6)
        out[:, channel] = most - chroma * torch.minimum(k, 4 - k).clamp_(0, 1)
    return out

"""Figures made of images: samples of a set, versions of one image, filters, feature maps, class maps."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labkit.base.errors import ConfigError
from labkit.data.augment import Transform
from labkit.data.images import Batches, ImageSet
from labkit.plots.base import WIDTH, Picture
from labkit.training.scoring import evaluating


def samples(data: ImageSet, columns: int = 10) -> Picture:
    """Show the first images of each class, a column a class, two rows. Introduced in lab 03."""
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(2, columns, figsize=(WIDTH, 2.2), squeeze=False)
    for label in range(columns):
        members = (data.labels == label).nonzero().flatten()[:2]
        for axes, index in zip(grid[:, label], members, strict=True):
            show(axes, data.images[index])
        grid[0, label].set_title(data.classes[label], fontsize=8)
    figure.suptitle(f"{data.name}, {data.split} images, two of each class", fontsize=10, x=0.02, ha="left")
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.02, top=0.74, wspace=0.08, hspace=0.08)
    shape = "grey" if data.in_channels == 1 else "colour"
    alt = (
        f"Two {shape} images of {data.image_size} x {data.image_size} pixels of each class of {data.name}: "
        f"{', '.join(data.classes[:columns])}."
    )
    return Picture(figure, alt)


def versions(image: Tensor, transform: Transform, count: int = 16, seed: int = 0) -> Picture:
    """Show one image and what a transform makes of it, time after time. Introduced in lab 06.

    Args:
        image: (C, H, W), uint8.
        transform: one of `labkit.data.augment`.
        count: number of versions, an even number.
        seed: of the draws.
    """
    from matplotlib import pyplot

    batch = image.expand(count, *image.shape)  # (B, C, H, W)
    made = transform(batch, torch.Generator().manual_seed(seed))
    columns = count // 2
    figure, grid = pyplot.subplots(2, columns + 1, figsize=(WIDTH, 2.1))
    show(grid[0, 0], image)
    grid[0, 0].set_title("original", fontsize=8)
    grid[1, 0].set_axis_off()
    for axes, version in zip(grid[:, 1:].flat, made, strict=True):
        show(axes, version)
    settings = ", ".join(f"{k}={v}" for k, v in vars(transform).items() if k != "name" and v is not None)
    title = f"{type(transform).__name__}({settings})"
    figure.suptitle(title, fontsize=10, x=0.02, ha="left")
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.02, top=0.78, wspace=0.08, hspace=0.08)
    same = sum(torch.equal(version, image) for version in made) if made.shape == batch.shape else 0
    change = (made.float().mean() - image.float().mean()) / 255
    return Picture(
        figure,
        f"An image of {image.shape[1]} x {image.shape[2]} pixels and {count} versions of it made by {title}; "
        f"{same} of them are like the original, and their mean brightness is {change:+.2f} of the whole range from it.",
    )


def filters(model: nn.Module, title: str = "") -> Picture:
    """Show the kernels of the first convolution of a network. Introduced in lab 04.

    Args:
        model: a network with at least one `Conv2d`, over grey or colour images.
        title: what stands above.
    """
    from matplotlib import pyplot

    first = next((layer for layer in model.modules() if isinstance(layer, nn.Conv2d)), None)
    if first is None:
        raise ConfigError(f"filters draws the kernels of a convolution, and {type(model).__name__} has none.")
    weights = first.weight.detach().cpu()  # (out_channels, in_channels, k, k)
    most = weights.abs().max().item()
    columns = -(-len(weights) // 2)
    figure, grid = pyplot.subplots(2, columns, figsize=(WIDTH, 2.3), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, kernel in zip(grid.flat, weights, strict=False):
        if len(kernel) == 3:
            axes.imshow((kernel / (2 * most) + 0.5).permute(1, 2, 0).numpy())  # (C, k, k) -> (k, k, C); grey is 0
        else:
            axes.imshow(kernel.mean(dim=0).numpy(), cmap="RdBu", vmin=-most, vmax=most)
    side = f"{weights.shape[2]} × {weights.shape[3]}"
    head = f"{len(weights)} kernels of {side}, weights from {weights.min():.2f} to {weights.max():.2f}"
    figure.suptitle(f"{title}: {head}" if title else head, fontsize=10, x=0.02, ha="left")
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.02, top=0.84, wspace=0.1, hspace=0.1)
    key = "grey is zero" if weights.shape[1] == 3 else "blue is positive, red negative, white zero"
    return Picture(figure, f"{title or 'First convolution'}: {head.replace('×', 'x')}; {key}.")


def feature_maps(model: nn.Module, X: Tensor, columns: int = 8) -> Picture:
    """Show an image and the strongest maps that each block of a network makes of it. Introduced in lab 04.

    Args:
        model: a network with `features`, a chain whose blocks end in a ReLU, such as "cnn" and "gap".
        X: one image as the network takes it, (1, C, H, W), float32, normalised.
        columns: maps a block.
    """
    from matplotlib import pyplot

    maps, x = [], X
    with evaluating(model):
        features: Any = model.features
        for layer in features:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                maps.append(x[0].cpu())  # (channels, h, w)
    figure, grid = pyplot.subplots(len(maps), columns + 1, figsize=(WIDTH, 0.4 + 0.92 * len(maps)), squeeze=False)
    said = []
    for row, (axes_row, block) in enumerate(zip(grid, maps, strict=True), 1):
        for axes in axes_row:
            axes.set_axis_off()
        order = block.amax(dim=(1, 2)).argsort(descending=True)[:columns]
        for axes, index in zip(axes_row[1:], order, strict=False):
            axes.imshow(block[index].numpy(), cmap="viridis")
        size = f"{len(block)} maps of {block.shape[1]} × {block.shape[2]}"
        axes_row[1].set_title(f"block {row}: {size}, the strongest {len(order)}", fontsize=8, loc="left")
        said.append(
            f"block {row} has {size.replace('×', 'x')}, {(block == 0).float().mean():.0%} of their numbers zero"
        )
    picture = X[0].cpu()
    show(grid[0, 0], ((picture - picture.min()) / (picture.max() - picture.min()) * 255).byte())
    grid[0, 0].set_title("image", fontsize=8)
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.02, top=1 - 0.26 / (0.4 + 0.92 * len(maps)), hspace=0.35)
    return Picture(figure, f"An image and the maps that the network makes of it: {'; '.join(said)}.")


def class_maps(model: nn.Module, data: ImageSet, mean_std=None) -> Picture:
    """Draw over each image where the network sees the class that it chose. Introduced in lab 07.

    Args:
        model: a network with `maps`, such as "gap".
        data: the images, at most 8.
        mean_std: of the training images, as in `labkit.Batches`.
    """
    from matplotlib import pyplot

    class_maps: Any = getattr(model, "maps", None)
    if not class_maps:
        raise ConfigError(
            f'class_maps needs a network that makes one map a class, such as "gap"; {type(model).__name__} has no maps.'
        )
    if len(data) > 8:
        raise ConfigError(f"A figure shows at most 8 images, got {len(data)}.")
    X, labels = next(iter(Batches(data, len(data), mean_std=mean_std)))
    with evaluating(model):
        maps = class_maps(X).cpu()  # (B, num_classes, h, w)
    figure, grid = pyplot.subplots(2, len(data), figsize=(WIDTH, 2.6), squeeze=False)
    said = []
    for column, (image, maps_of_image, label) in enumerate(zip(data.images, maps, labels.tolist(), strict=True)):
        chosen = int(maps_of_image.mean(dim=(1, 2)).argmax())
        seen = maps_of_image[chosen]  # (h, w)
        height, width = seen.shape
        for axes in grid[:, column]:
            show(axes, image)
        large = F.interpolate(seen[None, None], size=image.shape[1:], mode="bilinear")[0, 0]
        grid[1, column].imshow(large.numpy(), cmap="inferno", alpha=0.6)
        right = chosen == label
        grid[0, column].set_title(data.classes[label], fontsize=8)
        grid[1, column].set_title(data.classes[chosen], fontsize=8, color="black" if right else "#D55E00")
        top = divmod(int(seen.argmax()), width)
        said.append(
            f"{data.classes[label]} taken for {data.classes[chosen]}, strongest in row {top[0] + 1} of {height}, "
            f"column {top[1] + 1} of {width}"
        )
    figure.suptitle(
        "Above: the image and its class. Below: where the chosen class is seen (bright).",
        fontsize=10,
        x=0.02,
        ha="left",
    )
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.02, top=0.8, wspace=0.08, hspace=0.28)
    return Picture(figure, f"{len(data)} images with a map of the chosen class drawn over them: {'; '.join(said)}.")


def show(axes, image: Tensor) -> None:
    """Draw one image, (C, H, W), uint8, without axes."""
    pixels = image.permute(1, 2, 0).cpu().numpy()  # (C, H, W) -> (H, W, C)
    axes.imshow(pixels, cmap="gray" if image.shape[0] == 1 else None, vmin=0, vmax=255)
    axes.set_axis_off()

"""Figures of a look into a training: a learning-rate range test, and the gradients of each layer.

Not here: curves over the epochs (runs.py).
"""

from collections.abc import Sequence

import numpy as np

from labkit.base.errors import ConfigError
from labkit.plots.answers import sentence
from labkit.plots.base import PALETTE, Picture, canvas


def range_test(tests: dict[str, Sequence[tuple[float, float]]], title: str = "") -> Picture:
    """Draw the loss over the learning rate of range tests, with a mark at the lowest. Introduced in lab 12.

    Args:
        tests: for each name what `labkit.training.diagnose.lr_range_test` returns.
        title: what stands above.

    Raises:
        ConfigError: no test, or an empty one.
    """
    if not 1 <= len(tests) <= len(PALETTE) or not all(tests.values()):
        raise ConfigError(f"range_test draws 1 to {len(PALETTE)} tests with at least one step each.")
    figure, axes = canvas()
    said = []
    for (name, steps), colour in zip(tests.items(), PALETTE, strict=False):
        rates, losses = np.array(steps).T
        axes.plot(rates, losses, color=colour, linewidth=1.8, label=name)
        best = int(losses.argmin())
        axes.plot(rates[best], losses[best], "o", color=colour, markersize=7, markeredgecolor="white")
        said.append(
            f"{name}: {losses[0]:.2f} at {rates[0]:.1g}, lowest {losses[best]:.2f} at {rates[best]:.1g} (marked), "
            f"{losses[-1]:.2f} at {rates[-1]:.1g}."
        )
    axes.set_xscale("log")
    axes.set_ylim(0, 2 * max(steps[0][1] for steps in tests.values()))  # what has blown up leaves the figure
    axes.legend(fontsize=9, frameon=False)
    axes.set_xlabel("learning rate (log scale)")
    axes.set_ylabel("loss before the step (nats per image)")
    axes.set_title(title, loc="left", fontsize=10)
    figure.tight_layout()
    return Picture(figure, f"Line chart of the loss over the learning rate. {sentence(title)}{' '.join(said)}")


def gradient_flow(flows: dict[str, Sequence[float]], title: str = "") -> Picture:
    """Draw the size of the gradient over the layers, from the first to the last. Introduced in lab 12.

    Args:
        flows: for each network the values of `labkit.training.diagnose.gradient_norms`, in the order of its layers.
        title: what stands above.

    Raises:
        ConfigError: no network, or one without layers.
    """
    if not 1 <= len(flows) <= len(PALETTE) or not all(len(norms) for norms in flows.values()):
        raise ConfigError(f"gradient_flow draws 1 to {len(PALETTE)} networks with at least one layer each.")
    figure, axes = canvas()
    said = []
    for (name, norms), colour in zip(flows.items(), PALETTE, strict=False):
        sizes = np.maximum(np.array(norms, dtype=float), 1e-20)  # a log scale has no place for zero
        place = np.arange(1, len(sizes) + 1)
        axes.plot(place, sizes, "o-", color=colour, linewidth=1.8, markersize=4, label=name)
        said.append(f"{name}: first layer {sizes[0]:.1e}, last layer {sizes[-1]:.1e}.")
    axes.set_yscale("log")
    axes.legend(fontsize=9, frameon=False)
    axes.set_xlabel("layer, from the first to the last")
    axes.set_ylabel("root mean square gradient (log scale)")
    axes.set_title(title, loc="left", fontsize=10)
    figure.tight_layout()
    return Picture(figure, f"Line chart of the size of the gradient over the layers. {sentence(title)}{' '.join(said)}")

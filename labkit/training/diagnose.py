"""Two looks into a training before it is run: which learning rates it bears, and which layers a gradient reaches.

The range test is Smith's (Cyclical Learning Rates for Training Neural Networks, 2017). Not here: training (loop.py).
"""

import copy
import math
from dataclasses import replace
from functools import partial

from torch import Tensor, nn

from labkit.base.checks import whole
from labkit.base.errors import ConfigError
from labkit.data.images import Batches, ImageSet
from labkit.training.device import pick_device
from labkit.training.losses import batch_loss, with_auxiliary
from labkit.training.optimizers import make_optimizer
from labkit.training.recipe import Recipe
from labkit.training.scoring import pixel_stats


def lr_range_test(
    model: nn.Module,
    train: ImageSet,
    recipe: Recipe,
    *,
    lowest: float = 1e-5,
    highest: float = 1.0,
    steps: int = 60,
    seed: int = 0,
    device: str | None = None,
) -> list[tuple[float, float]]:
    """Train a copy of a network for a few steps with a growing learning rate. Introduced in lab 12.

    Args:
        model: is left as it is.
        train: the images.
        recipe: optimizer, batch size and transforms; its learning rate and schedule are not used.
        lowest, highest: the rates of the first and the last step, above 0; in between they grow by a factor.
        steps: number of steps, at least 2.
        seed: of the order of the images.
        device: as in `labkit.fit`.

    Returns:
        (learning rate, loss before that step), up to the first loss that is not finite.

    Raises:
        ConfigError: rates or a number of steps out of range; a network whose loss is no number before any step.
    """
    whole("steps", steps, 2)
    if not 0 < lowest < highest:
        raise ConfigError(f"lowest must be above 0 and below highest, got {lowest} and {highest}.")
    model = copy.deepcopy(model).to(pick_device(device))
    optimizer = make_optimizer(model, replace(recipe, lr=lowest))
    batches = Batches(
        train.to(next(model.parameters()).device),
        recipe.batch_size,
        mean_std=pixel_stats(model, train),
        shuffle=True,
        augment=recipe.augment,
        seed=seed,
    )
    if not model.training:  # parts that are in another mode than the whole stay in it, as in `labkit.fit`
        model.train()
    tested = []
    for step, (X, y) in zip(range(steps), _forever(batches), strict=False):
        lr = lowest * (highest / lowest) ** (step / (steps - 1))
        for group in optimizer.param_groups:
            group["lr"] = lr
        loss = batch_loss(partial(with_auxiliary, model), X, y, recipe.label_smoothing)
        if not math.isfinite(loss.main.item()):
            if not tested:
                raise ConfigError(
                    f"The loss is {loss.main.item()} before the first step: no learning rate mends that. Look at the "
                    "weights of the network and at what its layers make of one batch."
                )
            break
        tested.append((lr, loss.main.item()))
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    return tested


def _forever(batches: Batches):
    while True:
        yield from batches
        batches.epoch += 1


def gradient_norms(model: nn.Module, X: Tensor, y: Tensor) -> dict[str, float]:
    """Return how large the gradient of each layer's weights is, from the first layer to the last. Introduced in lab 11.

    Args:
        model: in training mode or not; its gradients are cleared before and after. In training mode the losses of
            auxiliary heads count as in `labkit.fit`.
        X: images, (B, C, H, W), as the network takes them.
        y: labels, (B,).

    Returns:
        The root of the mean squared gradient of the weights, by the name of each convolution and linear layer. The
        mean makes layers of different size comparable.
    """
    model.zero_grad()
    batch_loss(partial(with_auxiliary, model), X, y).total.backward()
    norms = {
        name: layer.weight.grad.square().mean().sqrt().item()
        for name, layer in model.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear)) and layer.weight.grad is not None
    }
    model.zero_grad()
    return norms


def usable_lr(tested: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the learning rate of the lowest loss of a range test, and the first one at which the loss has blown up.

    Blown up is a loss above that of the first step; without any, the highest rate of the test. A rate that is a tenth
    of the first of the two is a fair start.

    Raises:
        ConfigError: a test without any finite loss.

    >>> usable_lr([(1e-4, 2.3), (1e-3, 1.9), (1e-2, 1.5), (1e-1, 4.0)])
    (0.01, 0.1)
    """
    if not tested:
        raise ConfigError("The first loss of the range test was no number. Take a lower `lowest`, or other images.")
    best = min(range(len(tested)), key=lambda i: tested[i][1])
    blown = [lr for lr, loss in tested[best:] if loss > tested[0][1]]
    return tested[best][0], blown[0] if blown else tested[-1][0]

"""Lab 07: a network without fully connected layers beside one that has them, after the first source."""

from labkit.catalogue.common import CIFAR10, SMALL
from labkit.data.chosen import Images
from labkit.experiments.design import Arm, Budget, Lab
from labkit.training.recipe import Recipe

LAB = Lab(
    name="07-gap-net",
    title="No fully connected layer: what does a network lose, and what does it gain?",
    sections=("uchile.gap",),
    arms=(Arm("gap", "gap", {"blocks": 3}), Arm("with fc", "cnn", {"blocks": 3}, same_as=("04-depth", "3 conv"))),
    quick=Budget(Images(SMALL, train_per_class=150, image_size=32), Recipe(epochs=12, batch_size=64, lr=3e-3), seeds=1),
    full=CIFAR10,
)

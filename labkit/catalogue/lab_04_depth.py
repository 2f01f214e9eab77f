"""Lab 04: the first source's CNN with one block more each time."""

from labkit.catalogue.common import CIFAR10, SMALL
from labkit.data.chosen import Images
from labkit.experiments.design import Arm, Budget, Lab
from labkit.training.recipe import Recipe

LAB = Lab(
    name="04-depth",
    title="Depth: do more convolution blocks help?",
    sections=("uchile.depth",),
    arms=(
        Arm("1 conv", "cnn", {"blocks": 1}),
        Arm("2 conv", "cnn", {"blocks": 2, "dropout": 0.5}, same_as=("03-dropout", "p=0.5")),
        Arm("3 conv", "cnn", {"blocks": 3}),
        Arm("4 conv, padded", "cnn", {"blocks": 4, "padding": 1}, seeds=3),
        Arm("3 conv, longer", "cnn", {"blocks": 3}, seeds=3, epochs_times=3, full_only=True),
    ),
    quick=Budget(Images(SMALL, train_per_class=100, image_size=32), Recipe(epochs=12, batch_size=50, lr=2e-3), seeds=1),
    full=CIFAR10,
)

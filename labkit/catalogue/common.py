"""What several labs share: the bundled images, the budget on CIFAR-10."""

from labkit.data.chosen import Images
from labkit.experiments.design import Budget
from labkit.training.recipe import Recipe

SMALL = "fashion-mnist-small"

CIFAR10 = Budget(Images("cifar10"), Recipe(epochs=30), seeds=5)

ITS_OWN_IMAGES = "cannot be judged: other images"

"""What several labs share: the bundled images, the budget on CIFAR-10."""

from labkit.data.chosen import Images
from labkit.experiments.design import Budget
from labkit.training.recipe import Recipe

SMALL = "fashion-mnist-small"

CIFAR10 = Budget(Images("cifar10"), Recipe(epochs=30), seeds=5)

# Margins of claims, each with the reason why it is as large as it is. They were written down after the runs that are
# recorded now, by one rule for all; for new runs they stand before them.
TWO_DIGITS = {"margin": 0.01, "why": "The source prints two decimals: a smaller difference it could not have seen."}
A_HUNDREDTH = {"margin": 0.01, "why": "The source gives no number; one image in a hundred is the least to act upon."}
ABOUT_EQUAL = {"margin": 0.02, "why": "The source calls 0.65 and 0.66 almost equal, each printed to a hundredth."}
A_TENTH_MORE = {
    "margin": 0.1,
    "why": "The source says more and gives no number; less than a tenth would not be planned for.",
}

MOSTLY = {"margin": 0.01, "why": "More than half of the runs is the least that the sentence can mean."}

ITS_OWN_IMAGES = "cannot be judged: other images"

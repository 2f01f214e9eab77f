"""Lab 09: AlexNet for small images and three ways to train it, after the fifth source."""

from labkit.catalogue.common import A_HUNDREDTH, MOSTLY, SMALL
from labkit.data.augment import Crop, Flip
from labkit.data.chosen import Images
from labkit.experiments.design import Arm, Budget, Figure, Lab
from labkit.experiments.read import worst_pairs
from labkit.records.claims import Claim, Difference, Share
from labkit.training.recipe import Recipe

LAB = Lab(
    name="09-alexnet",
    title="AlexNet: when does it start to over-fit, and what helps?",
    sections=("uam.alexnet",),
    arms=(
        Arm("alexnet", "alexnet", {}, embed=("features", "hidden")),
        Arm("augmented", "alexnet", {}, {"augment": (Flip(), Crop(4))}),
        Arm("smaller lr", "alexnet", {}, {"lr": 2e-4}, full_only=True),
    ),
    quick=Budget(Images(SMALL, train_per_class=50), Recipe(epochs=6, batch_size=50, lr=5e-4), seeds=1, planes=False),
    full=Budget(Images("cifar10"), Recipe(epochs=15, precision="auto"), seeds=3),
    figures=(
        Figure("uam.alexnet", ("params",), "alexnet", "params"),
        Figure("uam.alexnet", ("val_acc_best",), "alexnet", "val_acc_best"),
        Figure("uam.alexnet", ("best_epoch",), "alexnet", "best_epoch"),
        Figure("uam.alexnet", ("overfits_from_epoch",), "alexnet", "overfits_from"),
    ),
    claims=(
        Claim(
            "uam",
            "cat-dog, horse-deer and automobile-truck are confused most (in most runs two of the three worst pairs)",
            Share(lambda run: worst_pairs((3, 5), (4, 7), (1, 9))(run) >= 2, "alexnet"),
            "higher",
            **MOSTLY,
        ),
        Claim(
            "uam",
            "Augmentation helps: higher validation accuracy",
            Difference("val_acc", "augmented", "alexnet"),
            "higher",
            **A_HUNDREDTH,
        ),
        Claim(
            "uam",
            "Another learning rate helps: higher validation accuracy",
            Difference("val_acc", "smaller lr", "alexnet"),
            "higher",
            **A_HUNDREDTH,
        ),
    ),
)

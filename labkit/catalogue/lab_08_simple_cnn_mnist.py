"""Lab 08: a small CNN on digits, with its hidden layer and without, after the fifth source."""

from labkit.catalogue.common import MOSTLY, SMALL
from labkit.data.chosen import Images
from labkit.experiments.design import Arm, Budget, Figure, Lab
from labkit.experiments.read import worst_classes
from labkit.records.claims import Claim, Difference, Share, Value
from labkit.training.recipe import Recipe

LAB = Lab(
    name="08-simple-cnn-mnist",
    title="MNIST: which digits are confused, and what does a layer know?",
    sections=("uam.simple_cnn",),
    arms=(
        Arm("simple", "simple", {}, embed=("features", "hidden")),
        Arm("no hidden layer", "simple", {"hidden": 0}, embed=("features",)),
    ),
    quick=Budget(Images(SMALL, train_per_class=60), Recipe(epochs=6, batch_size=50), seeds=1, planes=False),
    full=Budget(Images("mnist"), Recipe(epochs=20), seeds=3),
    figures=(
        Figure("uam.simple_cnn", ("params",), "simple", "params"),
        Figure("uam.simple_cnn", ("val_acc_best_10_epochs",), "simple", "val_acc_best", epoch=10),
        Figure("uam.simple_cnn", ("best_epoch_10",), "simple", "best_epoch", epoch=10),
        Figure("uam.simple_cnn", ("val_acc_best_20_epochs",), "simple", "val_acc_best"),
        Figure("uam.simple_cnn", ("best_epoch_20",), "simple", "best_epoch"),
        Figure("uam.simple_cnn", ("errors_of_10000",), "simple", "errors_of_10000"),
    ),
    claims=(
        Claim(
            "uam",
            "4, 5, 6 and 8 are confused most (in most runs at least three of them are among the four worst digits)",
            Share(lambda run: worst_classes(4, 5, 6, 8)(run) >= 3, "simple"),
            "higher",
            **MOSTLY,
        ),
        Claim(
            "uam",
            "The plane of the last layer separates the digits better than that of the intermediate one (silhouette)",
            Value("silhouette_gain", "simple"),
            "higher",
            margin=0.02,
            why="Silhouettes go from -1 to 1; over seeds those of one layer have an sd of one to two hundredths.",
        ),
        Claim(
            "uam",
            "The last linear layer could go at little cost (at most 0.005 of the validation accuracy)",
            Difference("val_acc", "simple", "no hidden layer"),
            "not higher",
            margin=0.005,
            why="The source says the error would not be much; half a hundredth is half of all its errors.",
        ),
    ),
)

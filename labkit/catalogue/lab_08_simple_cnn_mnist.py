"""Lab 08: a small CNN on digits, with its hidden layer and without, after the fifth source."""

from labkit.catalogue.common import SMALL
from labkit.data.chosen import Images
from labkit.experiments.design import Arm, Budget, Figure, Lab
from labkit.experiments.read import worst_classes
from labkit.records.claims import Claim, Difference, Value
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
            "4, 5, 6 and 8 are confused most (three or four of them are among the four worst digits)",
            Value(worst_classes(4, 5, 6, 8), "simple"),
            "higher",
            2.5,
        ),
        Claim(
            "uam",
            "The plane of the last layer separates the digits better than that of the intermediate one (silhouette)",
            Value("silhouette_gain", "simple"),
            "higher",
        ),
        Claim(
            "uam",
            "The last linear layer could go at little cost (at most 0.005 of the validation accuracy)",
            Difference("val_acc", "simple", "no hidden layer"),
            "not higher",
            0.005,
        ),
    ),
)

"""Lab 03: the first source's CNN of two blocks, with dropout and without."""

from labkit.catalogue.common import ABOUT_EQUAL, CIFAR10, SMALL
from labkit.data.chosen import Images
from labkit.experiments.design import Arm, Budget, Lab
from labkit.records.claims import Claim, Difference, Value
from labkit.training.recipe import Recipe

LAB = Lab(
    name="03-dropout",
    title="Dropout: does turning units off help?",
    sections=("uchile.dropout",),
    arms=(Arm("p=0.5", "cnn", {"blocks": 2, "dropout": 0.5}), Arm("p=0.0", "cnn", {"blocks": 2, "dropout": 0.0})),
    quick=Budget(Images(SMALL, train_per_class=100), Recipe(epochs=30, batch_size=64, lr=3e-3), seeds=1),
    full=CIFAR10,
    claims=(
        Claim(
            "uchile",
            "The two validation accuracies are about equal (within 0.02)",
            Difference("val_acc", "p=0.5", "p=0.0"),
            "equal",
            **ABOUT_EQUAL,
        ),
        Claim(
            "uchile",
            "The validation loss is far lower with 0.5 (by 0.1 or more)",
            Difference("val_loss", "p=0.5", "p=0.0"),
            "lower",
            margin=0.1,
            why="The source reports 1.02 and 1.21: half of that difference is still far lower.",
        ),
        Claim(
            "uchile",
            "0.0 over-fits: its validation loss ends 0.1 or more above its lowest",
            Value("val_loss_rise", "p=0.0"),
            "higher",
            margin=0.1,
            why="Nine of ten epochs move the loss by less than 0.035; a rise of a tenth is three times that.",
        ),
    ),
)

"""Lab 06: the first source's CNN with changed images, each way of changing them alone and together."""

from labkit.catalogue.common import A_HUNDREDTH, CIFAR10, SMALL, TWO_DIGITS
from labkit.data.augment import ColorJitter, Crop, Cutout, Flip, Perspective, Rotate
from labkit.data.chosen import Images
from labkit.experiments.design import Arm, Budget, Lab
from labkit.records.claims import Claim, Difference
from labkit.training.recipe import Recipe

_NO_DROPOUT = {"blocks": 3, "dropout": 0.0}

_SECOND_SOURCE = (Flip(), Rotate(15), Perspective(), ColorJitter())  # what it found to make things worse


def _worse(says: str, arm: str) -> Claim:
    """Return a claim of the second source that a way of changing images lowers the validation accuracy."""
    return Claim("udesa", says, Difference("val_acc", arm, "none"), "lower", **A_HUNDREDTH)


LAB = Lab(
    name="06-augmentation",
    title="Augmentation: when do changed images help?",
    sections=("uchile.augmentation", "udesa.claims"),
    arms=(
        Arm("none", "cnn", {"blocks": 3}, same_as=("04-depth", "3 conv")),
        Arm("augmented", "cnn", {"blocks": 3}, {"augment": (Flip(), Crop(4))}),
        Arm("flip", "cnn", {"blocks": 3}, {"augment": (Flip(),)}, seeds=3),
        Arm("crop", "cnn", {"blocks": 3}, {"augment": (Crop(4),)}, seeds=3),
        Arm("rotate", "cnn", {"blocks": 3}, {"augment": (Rotate(15),)}, seeds=3),
        Arm("perspective", "cnn", {"blocks": 3}, {"augment": (Perspective(),)}, seeds=3),
        Arm("color jitter", "cnn", {"blocks": 3}, {"augment": (ColorJitter(),)}, seeds=3),
        Arm("cutout", "cnn", {"blocks": 3}, {"augment": (Cutout(8),)}, seeds=3),
        Arm("together", "cnn", {"blocks": 3}, {"augment": _SECOND_SOURCE}, seeds=3),
        Arm("long, none", "cnn", _NO_DROPOUT, seeds=3, epochs_times=5 / 3),
        Arm("long, augmented", "cnn", _NO_DROPOUT, {"augment": (Flip(), Crop(4))}, seeds=3, epochs_times=5 / 3),
    ),
    quick=Budget(Images(SMALL, train_per_class=80), Recipe(epochs=6, batch_size=50, lr=2e-3), seeds=1),
    full=CIFAR10,
    claims=(
        Claim(
            "uchile",
            "The validation accuracy stays the same (within 0.02)",
            Difference("val_acc", "augmented", "none"),
            "equal",
            margin=0.02,
            why="The source reports 0.68 twice, each rounded to a hundredth, and calls it the same.",
        ),
        Claim(
            "uchile",
            "The training accuracy is lower: less memorisation",
            Difference("train_acc", "augmented", "none"),
            "lower",
            **TWO_DIGITS,
        ),
        _worse("Flip makes the validation accuracy worse", "flip"),
        _worse("Rotation makes it worse", "rotate"),
        _worse("Perspective makes it worse", "perspective"),
        _worse("Colour noise makes it worse", "color jitter"),
        _worse("The four together make it worse", "together"),
    ),
)

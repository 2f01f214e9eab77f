"""Lab 13: the fourth source's networks for a class competition."""

from labkit.catalogue.common import SMALL
from labkit.data.augment import Flip, Rotate
from labkit.data.chosen import Images
from labkit.experiments.design import Arm, Budget, Figure, Lab
from labkit.records.claims import Claim, Difference
from labkit.training.recipe import Recipe

_COMPETITION = (Flip(), Rotate(15))  # what the fourth source names, beside normalising

_SMALL_RUN = {"train_per_class": 250, "val_per_class": 100, "image_size": 64}

_DEPTHWISE = {"precision": "float32"}  # convolutions of one channel each are slower in bf16 on a processor

_NOT_TO_BE_HAD = "cannot be judged: other images"

LAB = Lab(
    name="13-competition",
    title="A class competition: what stands between the images and the file that is handed in?",
    sections=("urjc.models",),
    arms=(
        Arm("cnn1", "cnn4", {}),
        Arm("alex1", "alexnet", {}, full_only=True),
        Arm("rex1", "rexnet", {}, _DEPTHWISE, images=_SMALL_RUN, full_only=True),
        Arm("can1", "coatnet", {}, {"lr": 3e-4}, images=_SMALL_RUN, full_only=True),
        Arm("efficientnet", "efficientnet", {}, _DEPTHWISE, images=_SMALL_RUN, full_only=True),
    ),
    quick=Budget(Images(SMALL, train_per_class=50), Recipe(epochs=4, batch_size=50, augment=_COMPETITION), seeds=1),
    full=Budget(
        Images("cifar10"), Recipe(epochs=10, schedule="cosine", augment=_COMPETITION, precision="auto"), seeds=3
    ),
    figures=(
        Figure("urjc.models", ("cnn1", "test_acc"), "cnn1", "test_acc", why_not=_NOT_TO_BE_HAD),
        Figure("urjc.models", ("can1", "test_acc"), "can1", "test_acc", why_not=_NOT_TO_BE_HAD),
    ),
    claims=(
        Claim(
            "urjc",
            "ReXNet reaches EfficientNet's accuracy (within 0.02)",
            Difference("val_acc", "rex1", "efficientnet"),
            "equal",
            margin=0.02,
            why="The source names no number; two images in a hundred are the most that equal can mean.",
        ),
        Claim(
            "urjc",
            "ReXNet costs less compute than EfficientNet (multiply-adds)",
            Difference("multiply_adds", "rex1", "efficientnet"),
            "lower",
            margin=1.0,
            why="Multiply-adds are counted: one less is less.",
        ),
    ),
)

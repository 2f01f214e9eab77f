"""Lab 11: the second source's large networks with one recipe, its best one, and what they cost."""

from dataclasses import replace

from labkit.catalogue.common import A_HUNDREDTH, A_TENTH_MORE, SMALL
from labkit.data.augment import Crop, Flip
from labkit.data.chosen import Images
from labkit.experiments.cost import CostRatio, Step
from labkit.experiments.design import Arm, Budget, Figure, Lab
from labkit.experiments.read import per_class, recorded_confusion
from labkit.records.claims import Claim, Difference
from labkit.records.ledger import Run
from labkit.training.recipe import Recipe

# All networks with one recipe, on an eighth of CIFAR-10's training images, so that three seeds of each fit into
# hours of two cores; then the best recipe on all of them; and the source's own, for those who have a GPU.
_FLIP_CROP = (Flip(), Crop(4))

_SGD = {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 5e-4, "schedule": "one-cycle"}
_ONE_CYCLE = Recipe(epochs=5, batch_size=32, lr=0.05, augment=_FLIP_CROP, precision="auto", **_SGD)
_SOURCE_SGD = {"momentum": 0.5, "weight_decay": 0.0, "schedule": "constant", "augment": ()}
_SOURCE_RESNET = {"epochs": 12, "batch_size": 10, "lr": 0.005} | _SOURCE_SGD
_BEST = {"epochs": 15, "batch_size": 64, "lr": 0.1}

_ALL_IMAGES = {"train_per_class": None, "val_per_class": None}


def _layers_34(name: str, full_only: bool = False, **without) -> Arm:
    """Return a narrow ResNet-34, perhaps without skip connections or batch norm, which bears a higher learning rate."""
    changes = {} if without.get("batch_norm", True) else {"lr": 0.005}
    return Arm(name, "resnet", {"blocks": [3, 4, 6, 3], "width": 8} | without, changes, full_only=full_only)


_ARCHITECTURES = (
    Arm("netconv", "netconv", {}),
    Arm("3 conv", "cnn", {"blocks": 3}, {"lr": 0.02}, full_only=True),
    Arm("vgg16", "vgg", {}, {"lr": 0.02}, full_only=True),
    Arm("inception", "googlenet", {}, full_only=True),
    Arm("resnet", "resnet", {}, full_only=True),
    _layers_34("34 layers"),
    _layers_34("34 layers, no skip", skip=False, full_only=True),
    _layers_34("34 layers, no batch norm", batch_norm=False, full_only=True),
    _layers_34("34 layers, neither", skip=False, batch_norm=False),
    Arm("inception, no heads", "googlenet", {"auxiliary": False}, full_only=True),
    Arm("resnet, best", "resnet", {"width": 16}, _BEST, _ALL_IMAGES, full_only=True),
    Arm("resnet, source", "resnet", {}, _SOURCE_RESNET, _ALL_IMAGES, seeds=1, full_only=True),
)


def _class_accuracy(number: int):
    """Return a metric: the share of the test images of one class that are named rightly."""

    def metric(run: Run) -> float:
        return float(per_class(recorded_confusion([run]))[number])

    return metric


_BEST_BY_CLASS = tuple(
    Figure("udesa.best", ("test_per_class", name), "resnet, source", _class_accuracy(number))
    for number, name in enumerate(("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"))
)


def _at_224(says: str, quantity: str, step: str, expect: str, *others: str) -> tuple[Claim, ...]:
    """Return a claim for each of the others: at 224 pixels a network costs more than this one, or less."""

    def ratio(other: str) -> CostRatio:
        return CostRatio("11-architectures", quantity, f"{step} at 224 px", f"{other} at 224 px")

    return tuple(Claim("udesa", f"{says} than {other}", ratio(other), expect, **A_TENTH_MORE) for other in others)


def _resnet(source: str, says: str, metric: str, other: str, expect: str, margin: dict = A_HUNDREDTH) -> Claim:
    """Return a claim that sets the ResNet against another network."""
    return Claim(source, says, Difference(metric, "resnet", other), expect, **margin)


_OTHERS = ("inception", "vgg16", "netconv")

LAB = Lab(
    name="11-architectures",
    title="Architectures: which network is worth its cost?",
    sections=("udesa.convnets", "udesa.best"),
    arms=_ARCHITECTURES,
    quick=Budget(
        Images(SMALL, train_per_class=40, val_per_class=40, image_size=32), replace(_ONE_CYCLE, batch_size=40), seeds=1
    ),
    full=Budget(Images("cifar10", train_per_class=300, val_per_class=200), _ONE_CYCLE, seeds=3),
    figures=(
        Figure("udesa.best", ("val_acc_end",), "resnet, source", "val_acc"),
        Figure("udesa.best", ("val_acc_best",), "resnet, source", "val_acc_best"),
        Figure("udesa.best", ("best_epoch",), "resnet, source", "best_epoch"),
        Figure("udesa.best", ("test_acc",), "resnet, source", "test_acc"),
        *_BEST_BY_CLASS,
    ),
    steps=(
        Step("vgg16 at 224 px", "vgg", {"pool": 7, "hidden": 4096}, 224),
        Step("inception at 224 px", "googlenet", {"stem": "imagenet"}, 224),
        Step("resnet at 224 px", "resnet", {"stem": "imagenet"}, 224),
        *(Step(arm.name, arm.model, arm.options) for arm in _ARCHITECTURES),
    ),
    claims=(
        *(_resnet("udesa", f"ResNet has the best accuracy (better than {o})", "val_acc", o, "higher") for o in _OTHERS),
        *_at_224("VGG-16 takes more time", "seconds_per_image", "vgg16", "higher", "inception", "resnet"),
        *_at_224("VGG-16 takes more energy", "joules_per_image", "vgg16", "higher", "inception", "resnet"),
        *_at_224("Inception takes more memory", "memory", "inception", "higher", "vgg16", "resnet"),
        *_at_224("ResNet is faster", "seconds_per_image", "resnet", "lower", "vgg16", "inception"),
        # what the fourth source says of the network that it dropped; here beside the second's small CNN
        _resnet("urjc", "ResNet gives poor results (worse than netconv)", "val_acc", "netconv", "lower"),
        _resnet(
            "urjc",
            "ResNet is slow to learn (seconds per epoch, more than netconv)",
            "seconds_per_epoch",
            "netconv",
            "higher",
            {"margin": 1.0, "why": "Seconds are what a reader waits; less than one is not slow."},
        ),
    ),
)

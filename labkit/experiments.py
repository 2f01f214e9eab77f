"""The catalogue: what each lab trains, declared once; read by notebooks, command line and tests alike.

To add a lab: one entry in _ALL, a notebook of the same name, a test.
"""

from labkit.arms import Arm, Budget, Figure, Lab
from labkit.augment import ColorJitter, Crop, Cutout, Flip, Perspective, Rotate
from labkit.errors import unknown
from labkit.evaluate import worst_classes, worst_pairs
from labkit.ledger import Claim
from labkit.train import Recipe


def labs() -> list[Lab]:
    """Return all labs in the order of the book."""
    return list(LABS.values())


def lab(name: str) -> Lab:
    """Return a lab by name, such as "03-dropout". Introduced in lab 03.

    >>> lab("03-dropout").title
    'Dropout: does turning units off help?'
    """
    if name not in LABS:
        raise unknown("lab", name, LABS)
    return LABS[name]


_SMALL = "fashion-mnist-small"
_CIFAR10 = Budget("cifar10", Recipe(epochs=30), seeds=5)


def _mlp(hidden: int, activations: list[str], dropout_after: list[int], **others) -> dict:
    """Return the options of a network of the second source: its layers are all 128 wide, with batch norm."""
    return dict(hidden=[128] * hidden, activations=activations, dropout_after=dropout_after, batch_norm=True, **others)


# "1 input, 8 hidden, 1 output layer" is read as ten linear layers, nine of them with an activation.
_NET1 = _mlp(9, ["relu", "leaky_relu"], [3, 6], dropout=0.2)
_NET2 = _mlp(10, ["leaky_relu"], [2, 4, 6, 8, 10], dropout=0.4, output="log_softmax")
_NET3 = _mlp(6, ["relu", "elu", "leaky_relu"], [2, 4], dropout=0.2, output="log_softmax")

_NO_DROPOUT = {"blocks": 3, "dropout": 0.0}
_SECOND_SOURCE = (Flip(), Rotate(15), Perspective(), ColorJitter())  # what it found to make things worse

_PRETRAINED = {"pretrained": True}
_SVM = {"optimizer": "svm", "epochs": 1, "body_lr": None}
# a hundred images a class, as of the photographs, but of things that look like nothing in ImageNet
_CLOTHES = {
    "name": _SMALL, "classes": ["pullover", "coat"], "image_size": 64, "draw_per_class": 100, "draw_split": False,
}  # fmt: skip
_OTHER_PHOTOGRAPHS = "cannot be judged: other photographs"
_PHOTO_AUGMENT = (Flip(), Crop(16), Rotate(15), ColorJitter())


def _few(name: str, changes: dict) -> list[Arm]:
    """Return the arms of a learning curve: the same route with few labelled images of each class.

    Fewer images make fewer steps an epoch; more epochs make that up, to 70 to 90 steps.
    """
    return [
        Arm(
            f"{name}, {count} a class", "backbone", _PRETRAINED, {"epochs": epochs} | changes,
            {"draw_per_class": count}, full_only=True,
        )
        for count, epochs in ((5, 80), (10, 40), (20, 30), (50, 10))
    ]  # fmt: skip


_ALL = (
    Lab(
        name="01-counting-parameters",
        title="Counting: how many parameters does VGG-16 have, and where?",
        sections=("uchile.vgg_d",),
    ),
    Lab(
        name="02-output-sizes",
        title="Sizes: what comes out of a convolution?",
        sections=("itba.conv_out",),
    ),
    Lab(
        name="03-dropout",
        title="Dropout: does turning units off help?",
        sections=("uchile.dropout",),
        arms=(
            Arm("p=0.5", "cnn", {"blocks": 2, "dropout": 0.5}),
            Arm("p=0.0", "cnn", {"blocks": 2, "dropout": 0.0}),
        ),
        quick=Budget(_SMALL, Recipe(epochs=30, batch_size=64, lr=3e-3), seeds=1, train_per_class=100),
        full=_CIFAR10,
        claims=(
            Claim("The two validation accuracies are about equal (within 0.02)",
                  "val_acc", "p=0.5", "p=0.0", "equal", 0.02),
            Claim("The validation loss is far lower with 0.5 (by 0.1 or more)",
                  "val_loss", "p=0.5", "p=0.0", "lower", 0.1),
            Claim("0.0 over-fits: its validation loss ends 0.1 or more above its lowest",
                  "val_loss_rise", "p=0.0", "", "higher", 0.1),
        ),
    ),
    Lab(
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
        quick=Budget(_SMALL, Recipe(epochs=12, batch_size=50, lr=2e-3), seeds=1, train_per_class=100, image_size=32),
        full=_CIFAR10,
    ),
    Lab(
        name="05-mlp-comparison",
        title="MLP or CNN: what does a convolution know about images?",
        sections=("uchile.mlp", "udesa.mlps"),
        arms=(
            Arm("mlp-100", "mlp", {"hidden": [100]}),
            Arm("3 conv", "cnn", {"blocks": 3}, same_as=("04-depth", "3 conv")),
            Arm("mlp-12", "mlp", {"hidden": [12]}),
            Arm("mlp-100, shuffled", "mlp", {"hidden": [100]}, images={"shuffle_pixels": 0}),
            Arm("3 conv, shuffled", "cnn", {"blocks": 3}, images={"shuffle_pixels": 0}),
            Arm("base", "mlp", {"hidden": [128, 128]}),
            Arm("net1", "mlp", _NET1 | {"output": "softmax"}),
            Arm("net1, logits", "mlp", _NET1),
            Arm("net2", "mlp", _NET2),
            Arm("net3", "mlp", _NET3),
        ),
        quick=Budget(_SMALL, Recipe(epochs=10, batch_size=50), seeds=1, train_per_class=100),
        full=_CIFAR10,
        claims=(
            Claim("Training times cannot be told apart (within 1 minute)",
                  "minutes", "mlp-100", "3 conv", "equal", 1.0),
            Claim("The CNN classifies better: higher validation accuracy",
                  "val_acc", "3 conv", "mlp-100", "higher"),
            Claim("The CNN generalises better: training accuracy (dropout off) less above validation accuracy",
                  "acc_gap", "3 conv", "mlp-100", "lower"),
            Claim("net1 does not beat the baseline on validation (by 0.01)",
                  "val_acc", "net1", "base", "not higher", 0.01, "udesa"),
            Claim("net2 does not beat the baseline on validation (by 0.01)",
                  "val_acc", "net2", "base", "not higher", 0.01, "udesa"),
            Claim("net3 does not beat the baseline on validation (by 0.01)",
                  "val_acc", "net3", "base", "not higher", 0.01, "udesa"),
            Claim("net1 comes close to the baseline (within 0.02)",
                  "val_acc", "net1", "base", "equal", 0.02, "udesa"),
            Claim("net2 is worse than net1", "val_acc", "net2", "net1", "lower", source="udesa"),
            Claim("net2 is worse than net3", "val_acc", "net2", "net3", "lower", source="udesa"),
        ),
    ),
    Lab(
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
        quick=Budget(_SMALL, Recipe(epochs=6, batch_size=50, lr=2e-3), seeds=1, train_per_class=80),
        full=_CIFAR10,
        claims=(
            Claim("The validation accuracy stays the same (within 0.02)",
                  "val_acc", "augmented", "none", "equal", 0.02),
            Claim("The training accuracy is lower: less memorisation", "train_acc", "augmented", "none", "lower"),
            Claim("Flip makes the validation accuracy worse", "val_acc", "flip", "none", "lower", source="udesa"),
            Claim("Rotation makes it worse", "val_acc", "rotate", "none", "lower", source="udesa"),
            Claim("Perspective makes it worse", "val_acc", "perspective", "none", "lower", source="udesa"),
            Claim("Colour noise makes it worse", "val_acc", "color jitter", "none", "lower", source="udesa"),
            Claim("The four together make it worse", "val_acc", "together", "none", "lower", source="udesa"),
        ),
    ),
    Lab(
        name="07-gap-net",
        title="No fully connected layer: what does a network lose, and what does it gain?",
        sections=("uchile.gap",),
        arms=(
            Arm("gap", "gap", {"blocks": 3}),
            Arm("with fc", "cnn", {"blocks": 3}, same_as=("04-depth", "3 conv")),
        ),
        quick=Budget(_SMALL, Recipe(epochs=12, batch_size=64, lr=3e-3), seeds=1, train_per_class=150, image_size=32),
        full=_CIFAR10,
    ),
    Lab(
        name="08-simple-cnn-mnist",
        title="MNIST: which digits are confused, and what does a layer know?",
        sections=("uam.simple_cnn",),
        arms=(
            Arm("simple", "simple", {}, embed=("features", "hidden")),
            Arm("no hidden layer", "simple", {"hidden": 0}, embed=("features",)),
        ),
        quick=Budget(_SMALL, Recipe(epochs=6, batch_size=50), seeds=1, train_per_class=60, planes=False),
        full=Budget("mnist", Recipe(epochs=20), seeds=3),
        figures=(
            Figure("uam.simple_cnn", "params", "simple", "params"),
            Figure("uam.simple_cnn", "val_acc_best_10_epochs", "simple", "val_acc_best", epoch=10),
            Figure("uam.simple_cnn", "best_epoch_10", "simple", "best_epoch", epoch=10),
            Figure("uam.simple_cnn", "val_acc_best_20_epochs", "simple", "val_acc_best"),
            Figure("uam.simple_cnn", "best_epoch_20", "simple", "best_epoch"),
            Figure("uam.simple_cnn", "errors_of_10000", "simple", "errors_of_10000"),
        ),
        claims=(
            Claim("4, 5, 6 and 8 are confused most (three or four of them are among the four worst digits)",
                  worst_classes(4, 5, 6, 8), "simple", "", "higher", 2.5, "uam"),
            Claim("The plane of the last layer separates the digits better than that of the intermediate one "
                  "(silhouette)", "silhouette_gain", "simple", "", "higher", source="uam"),
            Claim("The last linear layer could go at little cost (at most 0.005 of the validation accuracy)",
                  "val_acc", "simple", "no hidden layer", "not higher", 0.005, "uam"),
        ),
    ),
    Lab(
        name="09-alexnet",
        title="AlexNet: when does it start to over-fit, and what helps?",
        sections=("uam.alexnet",),
        arms=(
            Arm("alexnet", "alexnet", {}, embed=("features", "hidden")),
            Arm("augmented", "alexnet", {}, {"augment": (Flip(), Crop(4))}),
            Arm("smaller lr", "alexnet", {}, {"lr": 2e-4}, full_only=True),
        ),
        quick=Budget(_SMALL, Recipe(epochs=6, batch_size=50, lr=5e-4), seeds=1, train_per_class=50, planes=False),
        full=Budget("cifar10", Recipe(epochs=15, precision="auto"), seeds=3),
        figures=(
            Figure("uam.alexnet", "params", "alexnet", "params"),
            Figure("uam.alexnet", "val_acc_best", "alexnet", "val_acc_best"),
            Figure("uam.alexnet", "best_epoch", "alexnet", "best_epoch"),
            Figure("uam.alexnet", "overfits_from_epoch", "alexnet", "overfits_from"),
        ),
        claims=(
            Claim("cat-dog, horse-deer and automobile-truck are confused most (at least two of the three worst pairs)",
                  worst_pairs((3, 5), (4, 7), (1, 9)), "alexnet", "", "higher", 1.5, "uam"),
            Claim("Augmentation helps: higher validation accuracy",
                  "val_acc", "augmented", "alexnet", "higher", source="uam"),
            Claim("Another learning rate helps: higher validation accuracy",
                  "val_acc", "smaller lr", "alexnet", "higher", source="uam"),
        ),
    ),
    Lab(
        name="10-transfer-learning",
        title="Transfer learning: what does a network bring along from ImageNet?",
        sections=("uam.transfer",),
        arms=(
            Arm("scratch", "backbone", {}, {"body_lr": None}, embed=("body",)),
            Arm("pretrained_svm", "backbone", _PRETRAINED, _SVM, embed=("body",)),
            Arm("fine_tuned", "backbone", _PRETRAINED, embed=("body",)),
            Arm("fine_tuned_augmented", "backbone", _PRETRAINED, {"augment": _PHOTO_AUGMENT}, embed=("body",)),
            Arm("zero-shot", "backbone", _PRETRAINED, {"optimizer": "imagenet", "epochs": 1}, full_only=True),
            *_few("svm", _SVM),
            *_few("fine-tuned", {}),
            Arm("clothes, svm", "backbone", _PRETRAINED, _SVM, _CLOTHES, full_only=True),
            Arm("clothes, fine-tuned", "backbone", _PRETRAINED, images=_CLOTHES, full_only=True),
        ),
        quick=Budget(
            _SMALL, Recipe(epochs=3, batch_size=16, body_lr=1e-4), seeds=1, train_per_class=40, image_size=48,
            classes=("pullover", "coat"),
        ),
        full=Budget(
            "hymenoptera", Recipe(epochs=10, batch_size=16, body_lr=1e-4), seeds=5, draw_split=True,
        ),
        figures=tuple(
            Figure("uam.transfer", route, route, "test_acc", why_not=_OTHER_PHOTOGRAPHS)
            for route in ("scratch", "pretrained_svm", "fine_tuned", "fine_tuned_augmented")
        ),
        claims=(
            Claim("From scratch overlaps: more errors of the line than with pretrained features",
                  "line_errors", "scratch", "pretrained_svm", "higher", source="uam"),
            Claim("Fine-tuning separates better than pretrained features (errors of the line)",
                  "line_errors", "fine_tuned", "pretrained_svm", "lower", source="uam"),
            Claim("Augmentation separates better than fine-tuning alone (errors of the line)",
                  "line_errors", "fine_tuned_augmented", "fine_tuned", "lower", source="uam"),
        ),
    ),
)  # fmt: skip
LABS = {entry.name: entry for entry in _ALL}

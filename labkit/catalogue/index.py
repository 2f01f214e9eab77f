"""The catalogue: what each lab trains, declared once; read by notebooks, command line and tests alike.

To add a lab: one entry in _ALL, a notebook of the same name, a test.
"""

from dataclasses import replace

from labkit.base.errors import unknown
from labkit.data.augment import ColorJitter, Crop, Cutout, Flip, Perspective, Rotate
from labkit.experiments.cost import CostClaim, Step
from labkit.experiments.design import Arm, Budget, Figure, Lab
from labkit.experiments.read import per_class, recorded_confusion, worst_classes, worst_pairs
from labkit.records.claims import Claim
from labkit.records.ledger import Run
from labkit.search.grid import Search, ValueClaim, best, recorded
from labkit.training.recipe import Recipe
from labkit.training.schedules import SCHEDULES, Schedule, step_schedule


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
_SVM = {"head": "svm", "epochs": 1, "body_lr": None}
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


# Lab 12: one network, one thing changed at a time. "momentum" is what all others are compared with.
_MOMENTUM = {"optimizer": "sgd", "lr": 0.01, "momentum": 0.9}


def _choice(name: str, changes: dict | None = None, options: dict | None = None, model: str = "netconv", **more) -> Arm:
    """Return an arm of lab 12: SGD with momentum on the small network of the second source, and what is changed."""
    changed = changes or {}
    base = {} if "optimizer" in changed else _MOMENTUM
    return Arm(name, model, options or {}, base | changed, **more)


# A mistake that is often made: a schedule of epochs that is moved every step.
SCHEDULES["step, each batch"] = Schedule(step_schedule, moves="step")

_MLP_128 = {"hidden": [128, 128]}
_CHOICES = (
    _choice("momentum"),
    # optimizers
    _choice("sgd", {"optimizer": "sgd", "lr": 0.05}),
    _choice("nesterov", {"nesterov": True}),
    _choice("adam", {"optimizer": "adam", "lr": 1e-3}),
    _choice("adam, lr 0.0001", {"optimizer": "adam", "lr": 1e-4}, full_only=True),
    _choice("adam, lr 0.01", {"optimizer": "adam", "lr": 1e-2}, full_only=True),
    _choice("adam, lr 0.1", {"optimizer": "adam", "lr": 0.1}),
    _choice("adamw", {"optimizer": "adamw", "lr": 1e-3, "weight_decay": 0.01}, full_only=True),
    _choice("muon", {"optimizer": "muon", "lr": 1e-3, "weight_decay": 0.01}, full_only=True),
    # schedules
    _choice("step", {"schedule": "step", "step_epochs": 4}, full_only=True),
    _choice("step, each batch", {"schedule": "step, each batch", "step_epochs": 4}),
    _choice("cosine", {"schedule": "cosine"}),
    _choice("one-cycle", {"schedule": "one-cycle", "lr": 0.03}, full_only=True),
    # activations; the network has LeakyReLU
    *(_choice(name, options={"activation": name}, full_only=name in ("elu", "gelu", "silu"))
      for name in ("relu", "elu", "gelu", "silu", "sigmoid")),
    _choice("mlp", options=_MLP_128 | {"activations": ["leaky_relu"]}, model="mlp", full_only=True),
    _choice("mlp, relu", options=_MLP_128, model="mlp", full_only=True),
    _choice("mlp, sigmoid", options=_MLP_128 | {"activations": ["sigmoid"]}, model="mlp", full_only=True),
    # regularisers
    _choice("dropout", options={"dropout": 0.2}),
    _choice("batch norm", options={"batch_norm": True}),
    _choice("weight decay", {"weight_decay": 5e-4}, full_only=True),
    _choice("label smoothing", {"label_smoothing": 0.1}, full_only=True),
    _choice("flip + crop", {"augment": (Flip(), Crop(4))}, full_only=True),
    _choice("early stopping", {"epochs": 60, "early_stop": "val_loss", "patience": 4}, full_only=True),
    _choice("mlp, dropout", options=_MLP_128 | {"activations": ["leaky_relu"], "dropout": 0.2, "dropout_after": [1, 2]},
            model="mlp", full_only=True),
    _choice("mlp, batch norm", options=_MLP_128 | {"activations": ["leaky_relu"], "batch_norm": True}, model="mlp",
            full_only=True),
)  # fmt: skip


# Lab 11. All networks with one recipe, on an eighth of CIFAR-10's training images, so that three seeds of each fit into
# hours of two cores; then the best recipe on all of them; and the source's own, for those who have a GPU.
_FLIP_CROP = (Flip(), Crop(4))
_ONE_CYCLE = Recipe(
    epochs=5, batch_size=32, optimizer="sgd", lr=0.05, momentum=0.9, weight_decay=5e-4, schedule="one-cycle",
    augment=_FLIP_CROP, precision="auto",
)  # fmt: skip
_SOURCE_RESNET = {
    "epochs": 12, "batch_size": 10, "lr": 0.005, "momentum": 0.5, "weight_decay": 0.0, "schedule": "constant",
    "augment": (),
}  # fmt: skip
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


def _dearer(says: str, quantity: str, step: str, *others: str) -> tuple[CostClaim, ...]:
    """Return a claim for each of the others: at 224 pixels a network costs more than this one."""
    at = "at 224 px"
    return tuple(
        CostClaim(f"{says} than {other}", "11-architectures", quantity, f"{step} {at}", f"{other} {at}", "higher",
                  "udesa")
        for other in others
    )  # fmt: skip


_COMPETITION = (Flip(), Rotate(15))  # what the fourth source names, beside normalising
_SMALL_RUN = {"train_per_class": 250, "val_per_class": 100, "image_size": 64}
_DEPTHWISE = {"precision": "float32"}  # convolutions of one channel each are slower in bf16 on a processor
_NOT_TO_BE_HAD = "cannot be judged: other images"


def _below_02(run: Run) -> float:
    """Return 1 for a run that has learned next to nothing: a validation accuracy below 0.2."""
    return float(run.value("val_acc") < 0.2)


# The third source's 138 runs over batch size, input size, output channels and kernel size. Which values it took is not
# stated; these are 5 x 3 x 3 x 3 points and three at 48 pixels.
_SMALL_DATA = Recipe(epochs=20, lr=2e-3)
_KERNELS = {
    "data.image_size": (32, 64, 90, 110, 128),
    "model.kernel_size": (3, 4, 5),
    "model.channels": (8, 16, 32),
    "recipe.batch_size": (8, 16, 32),
}
_AT_48 = tuple(
    {"data.image_size": 48, "model.kernel_size": k, "model.channels": 16, "recipe.batch_size": 16} for k in (3, 4, 5)
)

_ALL_SEARCHES = (
    Search(
        name="14-hyperparameter-search",
        model="kernels", options={}, space=_KERNELS, also=_AT_48,
        # few images to judge on, too: of 138 networks that are trained on 100 images, judging them is most of the cost
        quick=Budget(
            _SMALL, Recipe(epochs=2, lr=2e-3), seeds=1, train_per_class=10, val_per_class=10, test_per_class=20,
        ),
        full=Budget(
            "cifar10", replace(_SMALL_DATA, epochs=15, precision="auto"), seeds=1, train_per_class=65,
            val_per_class=100,
        ),
    ),
    Search(
        name="14-lr-momentum",
        model="netconv", options={},
        space={"recipe.lr": (0.005, 0.001, 0.0005, 0.0001, 0.1), "recipe.momentum": (0.0, 0.5, 0.9, 0.99)},
        quick=Budget(
            _SMALL, Recipe(epochs=2, batch_size=10, optimizer="sgd"), seeds=1, train_per_class=30, val_per_class=50,
        ),
        full=Budget("cifar10", Recipe(epochs=5, batch_size=10, optimizer="sgd"), seeds=1),
    ),
)  # fmt: skip
_GRID, _RATES = _ALL_SEARCHES


def _is_cheap(point: dict) -> bool:
    """Tell whether a point is one of the three that the quick run of lab 14 trains."""
    return (point["data.image_size"], point["model.channels"], point["recipe.batch_size"]) == (32, 16, 16)


def _best_at(size: int):
    """Return what reads the best validation accuracy of the third source's grid at one input size."""

    def read(budget: str) -> list[float]:
        at = [run for run in recorded(_GRID, budget) if run.data["image_size"] == size]
        return [run.value("val_acc") for run in best(at, _GRID)]

    return read


def _number_of_runs(budget: str) -> list[float]:
    return [found] if (found := len(list(recorded(_GRID, budget)))) else []


def _best_of_rates(value):
    """Return what reads a number of the best point of learning rate by momentum."""

    def read(budget: str) -> list[float]:
        return [value(run) for run in best(recorded(_RATES, budget), _RATES)]

    return read


def _sizes(says: str, metric: str, size: int, against: int, *how) -> ValueClaim:
    """Return a claim of the third source about two input sizes."""
    arms = f"image_size={size}", f"image_size={against}"
    return ValueClaim(says, metric, *arms, *how, source="itba", search=_GRID, dimension="data.image_size")


def _kernel_4(says: str, against: int) -> ValueClaim:
    """Return a claim of the third source that kernels of 4 are better than others."""
    arms = "kernel_size=4", f"kernel_size={against}"
    return ValueClaim(says, "val_acc", *arms, "higher", source="itba", search=_GRID, dimension="model.kernel_size")


_ITS_OWN_IMAGES = "cannot be judged: other images"
_NOT_A_RESNET = "cannot be judged: another network"


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
            Figure("uam.simple_cnn", ("params",), "simple", "params"),
            Figure("uam.simple_cnn", ("val_acc_best_10_epochs",), "simple", "val_acc_best", epoch=10),
            Figure("uam.simple_cnn", ("best_epoch_10",), "simple", "best_epoch", epoch=10),
            Figure("uam.simple_cnn", ("val_acc_best_20_epochs",), "simple", "val_acc_best"),
            Figure("uam.simple_cnn", ("best_epoch_20",), "simple", "best_epoch"),
            Figure("uam.simple_cnn", ("errors_of_10000",), "simple", "errors_of_10000"),
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
            Figure("uam.alexnet", ("params",), "alexnet", "params"),
            Figure("uam.alexnet", ("val_acc_best",), "alexnet", "val_acc_best"),
            Figure("uam.alexnet", ("best_epoch",), "alexnet", "best_epoch"),
            Figure("uam.alexnet", ("overfits_from_epoch",), "alexnet", "overfits_from"),
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
            Arm("zero-shot", "backbone", _PRETRAINED, {"head": "imagenet", "epochs": 1}, full_only=True),
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
            Figure("uam.transfer", (route,), route, "test_acc", why_not=_OTHER_PHOTOGRAPHS)
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
    Lab(
        name="11-architectures",
        title="Architectures: which network is worth its cost?",
        sections=("udesa.convnets", "udesa.best"),
        arms=_ARCHITECTURES,
        quick=Budget(
            _SMALL, replace(_ONE_CYCLE, batch_size=40), seeds=1, train_per_class=40, val_per_class=40,
            image_size=32,
        ),
        full=Budget("cifar10", _ONE_CYCLE, seeds=3, train_per_class=300, val_per_class=200),
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
            *(Claim(f"ResNet has the best accuracy (better than {other})", "val_acc", "resnet", other, "higher",
                    source="udesa")
              for other in ("inception", "vgg16", "netconv")),
            *_dearer("VGG-16 takes more time", "seconds_per_image", "vgg16", "inception", "resnet"),
            *_dearer("VGG-16 takes more energy", "joules_per_image", "vgg16", "inception", "resnet"),
            *_dearer("Inception takes more memory", "memory", "inception", "vgg16", "resnet"),
            *(CostClaim(f"ResNet is faster than {other}", "11-architectures", "seconds_per_image", "resnet at 224 px",
                        f"{other} at 224 px", "lower", "udesa")
              for other in ("vgg16", "inception")),
            # what the fourth source says of the network that it dropped; here beside the second's small CNN
            Claim("ResNet gives poor results (worse than netconv)", "val_acc", "resnet", "netconv", "lower",
                  source="urjc"),
            Claim("ResNet is slow to learn (seconds per epoch, more than netconv)",
                  "seconds_per_epoch", "resnet", "netconv", "higher", source="urjc"),
        ),
    ),
    Lab(
        name="12-training-choices",
        title="Training choices: which of them matter, and which only seemed to?",
        sections=("udesa.claims",),
        arms=_CHOICES,
        quick=Budget(_SMALL, Recipe(epochs=8, batch_size=50), seeds=1, train_per_class=80, val_per_class=50),
        full=Budget("cifar10", Recipe(epochs=12), seeds=3),
        claims=(
            Claim("Adam gives about 10 % validation accuracy (below 0.2, at its usual learning rate)",
                  _below_02, "adam", "", "higher", 0.5, "udesa"),
            Claim("Adam gives about 10 % (below 0.2, at a learning rate of 0.1)",
                  _below_02, "adam, lr 0.1", "", "higher", 0.5, "udesa"),
            Claim("StepLR drops the model far below no schedule (by 0.1 or more)",
                  "val_acc", "step", "momentum", "lower", 0.1, "udesa"),
            Claim("StepLR that is moved each batch does (by 0.1 or more)",
                  "val_acc", "step, each batch", "momentum", "lower", 0.1, "udesa"),
            Claim("A cosine schedule is not better than none",
                  "val_acc", "cosine", "momentum", "not higher", 0.0, "udesa"),
            *(Claim(f"LeakyReLU is better than {name} in the CNN",
                    "val_acc", "momentum", name, "higher", source="udesa")
              for name in ("relu", "elu", "gelu", "silu", "sigmoid")),
            Claim("Sigmoid is worst in the CNN (worse than ReLU)",
                  "val_acc", "sigmoid", "relu", "lower", source="udesa"),
            Claim("LeakyReLU is better than ReLU in the MLP", "val_acc", "mlp", "mlp, relu", "higher", source="udesa"),
            Claim("Sigmoid is worst in the MLP", "val_acc", "mlp, sigmoid", "mlp, relu", "lower", source="udesa"),
            Claim("Dropout helps the CNN", "val_acc", "dropout", "momentum", "higher", source="udesa"),
            Claim("Dropout does not help the MLP", "val_acc", "mlp, dropout", "mlp", "not higher", 0.0, "udesa"),
            Claim("Batch norm helps the CNN", "val_acc", "batch norm", "momentum", "higher", source="udesa"),
            Claim("Batch norm helps the MLP", "val_acc", "mlp, batch norm", "mlp", "higher", source="udesa"),
            Claim("Weight decay gains nothing (here on the small CNN)",
                  "val_acc", "weight decay", "momentum", "not higher", 0.0, "udesa"),
        ),
    ),
    Lab(
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
        quick=Budget(_SMALL, Recipe(epochs=4, batch_size=50, augment=_COMPETITION), seeds=1, train_per_class=50),
        full=Budget(
            "cifar10", Recipe(epochs=10, schedule="cosine", augment=_COMPETITION, precision="auto"), seeds=3,
        ),
        figures=(
            Figure("urjc.models", ("cnn1", "test_acc"), "cnn1", "test_acc", why_not=_NOT_TO_BE_HAD),
            Figure("urjc.models", ("can1", "test_acc"), "can1", "test_acc", why_not=_NOT_TO_BE_HAD),
        ),
        claims=(
            Claim("ReXNet reaches EfficientNet's accuracy (within 0.02)",
                  "val_acc", "rex1", "efficientnet", "equal", 0.02, "urjc"),
            Claim("ReXNet costs less compute than EfficientNet (multiply-adds)",
                  "multiply_adds", "rex1", "efficientnet", "lower", source="urjc"),
        ),
    ),
    Lab(
        name="14-hyperparameter-search",
        title="Search: how far can the best of 138 runs be trusted?",
        sections=("itba.search", "udesa.grid"),
        arms=_GRID.arms(quick=_is_cheap),
        quick=_GRID.quick,
        full=_GRID.full,
        figures=(
            *(Figure("itba.search", ("best_val_acc_by_input_size", str(size)), f"best at {size} px", "val_acc",
                     why_not=_ITS_OWN_IMAGES, of=_best_at(size)) for size in (32, 64, 128)),
            Figure("itba.search", ("runs",), "all", "runs", of=_number_of_runs),
            *(Figure("udesa.grid", ("best", name), "best lr and momentum", name, why_not=_NOT_A_RESNET,
                     of=_best_of_rates(value))
              for name, value in (
                  ("learning_rate", lambda run: run.recipe["lr"]), ("momentum", lambda run: run.recipe["momentum"]),
                  ("train_acc", lambda run: run.value("train_acc")), ("val_acc", lambda run: run.value("val_acc")),
              )),
        ),
        claims=(
            _sizes("Larger inputs are better: 64 px than 32", "val_acc", 64, 32, "higher"),
            _sizes("Larger inputs are better: 90 px than 64", "val_acc", 90, 64, "higher"),
            _sizes("Above about 100 px nothing is gained: 110 px than 90", "val_acc", 110, 90, "not higher"),
            _sizes("Above about 100 px nothing is gained: 128 px than 90", "val_acc", 128, 90, "not higher"),
            _sizes("Above about 100 px the cost grows: minutes at 128 px and 90", "minutes", 128, 90, "higher"),
            _kernel_4("Kernels of 4 are best: better than 3", 3),
            _kernel_4("Kernels of 4 are best: better than 5", 5),
        ),
    ),
    Lab(
        name="15-dilation",
        title="Dilation: is it the gaps, or what they let the network see?",
        sections=("itba.dilation",),
        arms=(
            Arm("kernel 3x3", "kernels", {"kernel_size": 3}),
            Arm("kernel 2x2", "kernels", {"kernel_size": 2}),
            Arm("kernel 2x2 dilated", "kernels", {"kernel_size": 2, "dilation": 2}),
            Arm("kernel 3x3 dilated", "kernels", {"kernel_size": 3, "dilation": 2}),
            # sees as far as "kernel 3x3 dilated"; the second with about as many parameters
            Arm("kernel 5x5", "kernels", {"kernel_size": 5}),
            Arm("kernel 5x5, narrow", "kernels", {"kernel_size": 5, "channels": 10}),
            # as many parameters, to 1 %, as "kernel 3x3" and "kernel 3x3 dilated"
            Arm("kernel 2x2, wide", "kernels", {"kernel_size": 2, "channels": 24}),
            Arm("kernel 2x2 dilated, wide", "kernels", {"kernel_size": 2, "dilation": 2, "channels": 24}),
        ),
        quick=Budget(_SMALL, Recipe(epochs=6, batch_size=16, lr=2e-3), seeds=1, train_per_class=40, val_per_class=50),
        full=Budget("cifar10", replace(_SMALL_DATA, batch_size=16), seeds=5, train_per_class=65),
        figures=tuple(
            Figure("itba.dilation", (arm, "val_acc"), arm, "val_acc", why_not=_ITS_OWN_IMAGES)
            for arm in ("kernel 2x2 dilated", "kernel 3x3 dilated")
        ),
        claims=(
            Claim("Dilation helps 2×2 kernels", "val_acc", "kernel 2x2 dilated", "kernel 2x2", "higher", source="itba"),
            Claim("Dilation helps 3×3 kernels", "val_acc", "kernel 3x3 dilated", "kernel 3x3", "higher", source="itba"),
            Claim("Dilated 2×2 kernels are better than dilated 3×3 ones",
                  "val_acc", "kernel 2x2 dilated", "kernel 3x3 dilated", "higher", source="itba"),
            Claim("The gain is not the small kernel: 2×2 is not better than 3×3, both plain",
                  "val_acc", "kernel 2x2", "kernel 3x3", "not higher", 0.0, "itba"),
            Claim("The gain is the dilation: better than the plain kernel that sees as far (2×2 dilated, 3×3)",
                  "val_acc", "kernel 2x2 dilated", "kernel 3x3", "higher", source="itba"),
            Claim("The gain is the dilation: better than the plain kernel that sees as far (3×3 dilated, 5×5)",
                  "val_acc", "kernel 3x3 dilated", "kernel 5x5", "higher", source="itba"),
        ),
    ),
)  # fmt: skip
LABS = {entry.name: entry for entry in _ALL}
SEARCHES = {entry.name: entry for entry in _ALL_SEARCHES}


def search(name: str) -> Search:
    """Return a search by name. Introduced in lab 14.

    >>> len(search("14-hyperparameter-search").points())
    138
    """
    if name not in SEARCHES:
        raise unknown("search", name, SEARCHES)
    return SEARCHES[name]

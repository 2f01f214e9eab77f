"""Lab 12: the second source's training choices: one network, one thing changed at a time."""

from labkit.catalogue.common import A_HUNDREDTH, SMALL
from labkit.data.augment import Crop, Flip
from labkit.data.chosen import Images
from labkit.experiments.design import Arm, Budget, Lab
from labkit.records.claims import Claim, Difference, Value
from labkit.training.recipe import Recipe
from labkit.training.schedules import SCHEDULES, Schedule, step_schedule

# "momentum" is what all others are compared with.
_MOMENTUM = {"optimizer": "sgd", "lr": 0.01, "momentum": 0.9}


def _choice(name: str, changes: dict | None = None, options: dict | None = None, model: str = "netconv", **more) -> Arm:
    """Return an arm of lab 12: SGD with momentum on the small network of the second source, and what is changed."""
    changed = changes or {}
    base = {} if "optimizer" in changed else _MOMENTUM
    return Arm(name, model, options or {}, base | changed, **more)


# A mistake that is often made: a schedule of epochs that is moved every step.
SCHEDULES["step, each batch"] = Schedule(step_schedule, moves="step")

_MLP_128 = {"hidden": [128, 128]}
_LEAKY_MLP = _MLP_128 | {"activations": ["leaky_relu"]}
_MLP_DROPOUT = {"dropout": 0.2, "dropout_after": [1, 2]}
_ACTIVATIONS = ("relu", "elu", "gelu", "silu", "sigmoid")
_COSTLY = ("elu", "gelu", "silu")  # left out of the quick run

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
    *(_choice(name, options={"activation": name}, full_only=name in _COSTLY) for name in _ACTIVATIONS),
    _choice("mlp", options=_LEAKY_MLP, model="mlp", full_only=True),
    _choice("mlp, relu", options=_MLP_128, model="mlp", full_only=True),
    _choice("mlp, sigmoid", options=_MLP_128 | {"activations": ["sigmoid"]}, model="mlp", full_only=True),
    # regularisers
    _choice("dropout", options={"dropout": 0.2}),
    _choice("batch norm", options={"batch_norm": True}),
    _choice("weight decay", {"weight_decay": 5e-4}, full_only=True),
    _choice("label smoothing", {"label_smoothing": 0.1}, full_only=True),
    _choice("flip + crop", {"augment": (Flip(), Crop(4))}, full_only=True),
    _choice("early stopping", {"epochs": 60, "early_stop": "val_loss", "patience": 4}, full_only=True),
    _choice("mlp, dropout", options=_LEAKY_MLP | _MLP_DROPOUT, model="mlp", full_only=True),
    _choice("mlp, batch norm", options=_LEAKY_MLP | {"batch_norm": True}, model="mlp", full_only=True),
)


def _claim(says: str, arm: str, against: str, expect: str, margin: dict = A_HUNDREDTH) -> Claim:
    """Return a claim of the second source about the validation accuracies of two arms."""
    return Claim("udesa", says, Difference("val_acc", arm, against), expect, **margin)


_CHANCE = {"margin": 0.1, "why": "Ten classes guessed give 0.1; twice that is still next to nothing."}

_FAR = {"margin": 0.1, "why": "The source speaks of a fall from about 0.85 to 0.14; a tenth is the least of that kind."}


LAB = Lab(
    name="12-training-choices",
    title="Training choices: which of them matter, and which only seemed to?",
    sections=("udesa.claims",),
    arms=_CHOICES,
    quick=Budget(Images(SMALL, train_per_class=80, val_per_class=50), Recipe(epochs=8, batch_size=50), seeds=1),
    full=Budget(Images("cifar10"), Recipe(epochs=12), seeds=3),
    claims=(
        Claim(
            "udesa",
            "Adam gives about 10 % validation accuracy (below 0.2, at its usual learning rate)",
            Value("val_acc", "adam", than=0.1),
            "not higher",
            **_CHANCE,
        ),
        Claim(
            "udesa",
            "Adam gives about 10 % (below 0.2, at a learning rate of 0.1)",
            Value("val_acc", "adam, lr 0.1", than=0.1),
            "not higher",
            **_CHANCE,
        ),
        _claim("StepLR drops the model far below no schedule (by 0.1 or more)", "step", "momentum", "lower", _FAR),
        _claim("StepLR that is moved each batch does (by 0.1 or more)", "step, each batch", "momentum", "lower", _FAR),
        _claim("A cosine schedule is not better than none", "cosine", "momentum", "not higher"),
        *(_claim(f"LeakyReLU is better than {name} in the CNN", "momentum", name, "higher") for name in _ACTIVATIONS),
        _claim("Sigmoid is worst in the CNN (worse than ReLU)", "sigmoid", "relu", "lower"),
        _claim("LeakyReLU is better than ReLU in the MLP", "mlp", "mlp, relu", "higher"),
        _claim("Sigmoid is worst in the MLP", "mlp, sigmoid", "mlp, relu", "lower"),
        _claim("Dropout helps the CNN", "dropout", "momentum", "higher"),
        _claim("Dropout does not help the MLP", "mlp, dropout", "mlp", "not higher"),
        _claim("Batch norm helps the CNN", "batch norm", "momentum", "higher"),
        _claim("Batch norm helps the MLP", "mlp, batch norm", "mlp", "higher"),
        _claim("Weight decay gains nothing (here on the small CNN)", "weight decay", "momentum", "not higher"),
    ),
)

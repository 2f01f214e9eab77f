"""Lab 05: MLPs of the first and the second source beside a CNN, and both on shuffled pixels."""

from labkit.catalogue.common import A_HUNDREDTH, CIFAR10, SMALL, TWO_DIGITS
from labkit.data.chosen import Images
from labkit.experiments.design import Arm, Budget, Lab
from labkit.records.claims import Claim, Difference
from labkit.training.recipe import Recipe


def _mlp(hidden: int, activations: list[str], dropout_after: list[int], **others) -> dict:
    """Return the options of a network of the second source: its layers are all 128 wide, with batch norm."""
    return dict(hidden=[128] * hidden, activations=activations, dropout_after=dropout_after, batch_norm=True, **others)


# "1 input, 8 hidden, 1 output layer" is read as ten linear layers, nine of them with an activation.
_NET1 = _mlp(9, ["relu", "leaky_relu"], [3, 6], dropout=0.2)

_NET2 = _mlp(10, ["leaky_relu"], [2, 4, 6, 8, 10], dropout=0.4, output="log_softmax")

_NET3 = _mlp(6, ["relu", "elu", "leaky_relu"], [2, 4], dropout=0.2, output="log_softmax")

LAB = Lab(
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
    quick=Budget(Images(SMALL, train_per_class=100), Recipe(epochs=10, batch_size=50), seeds=1),
    full=CIFAR10,
    claims=(
        Claim(
            "uchile",
            "Training times cannot be told apart (within 1 minute)",
            Difference("minutes", "mlp-100", "3 conv"),
            "equal",
            margin=1.0,
            why="The source gives 2 to 3 minutes for all: what it read off a clock is good to a minute.",
        ),
        Claim(
            "uchile",
            "The CNN classifies better: higher validation accuracy",
            Difference("val_acc", "3 conv", "mlp-100"),
            "higher",
            **TWO_DIGITS,
        ),
        Claim(
            "uchile",
            "The CNN generalises better: training accuracy (dropout off) less above validation accuracy",
            Difference("acc_gap", "3 conv", "mlp-100"),
            "lower",
            **TWO_DIGITS,
        ),
        Claim(
            "udesa",
            "net1 does not beat the baseline on validation (by 0.01)",
            Difference("val_acc", "net1", "base"),
            "not higher",
            **A_HUNDREDTH,
        ),
        Claim(
            "udesa",
            "net2 does not beat the baseline on validation (by 0.01)",
            Difference("val_acc", "net2", "base"),
            "not higher",
            **A_HUNDREDTH,
        ),
        Claim(
            "udesa",
            "net3 does not beat the baseline on validation (by 0.01)",
            Difference("val_acc", "net3", "base"),
            "not higher",
            **A_HUNDREDTH,
        ),
        Claim(
            "udesa",
            "net1 comes close to the baseline (within 0.02)",
            Difference("val_acc", "net1", "base"),
            "equal",
            margin=0.02,
            why="The source says very near, without a number; two images in a hundred are the most it can mean.",
        ),
        Claim("udesa", "net2 is worse than net1", Difference("val_acc", "net2", "net1"), "lower", **A_HUNDREDTH),
        Claim("udesa", "net2 is worse than net3", Difference("val_acc", "net2", "net3"), "lower", **A_HUNDREDTH),
    ),
)

"""Lab 15: the third source's kernels of several sizes, dilated and plain."""

from labkit.catalogue.common import A_HUNDREDTH, ITS_OWN_IMAGES, SMALL
from labkit.data.chosen import Images
from labkit.experiments.design import Arm, Budget, Figure, Lab
from labkit.records.claims import Claim, Difference
from labkit.training.recipe import Recipe


def _claim(says: str, arm: str, against: str, expect: str = "higher") -> Claim:
    """Return a claim of the third source about the validation accuracies of two kernels."""
    return Claim("itba", says, Difference("val_acc", arm, against), expect, **A_HUNDREDTH)


LAB = Lab(
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
    quick=Budget(
        Images(SMALL, train_per_class=40, val_per_class=50), Recipe(epochs=6, batch_size=16, lr=2e-3), seeds=1
    ),
    full=Budget(Images("cifar10", train_per_class=65), Recipe(epochs=20, batch_size=16, lr=2e-3), seeds=5),
    figures=tuple(
        Figure("itba.dilation", (arm, "val_acc"), arm, "val_acc", why_not=ITS_OWN_IMAGES)
        for arm in ("kernel 2x2 dilated", "kernel 3x3 dilated")
    ),
    claims=(
        _claim("Dilation helps 2×2 kernels", "kernel 2x2 dilated", "kernel 2x2"),
        _claim("Dilation helps 3×3 kernels", "kernel 3x3 dilated", "kernel 3x3"),
        _claim("Dilated 2×2 kernels are better than dilated 3×3 ones", "kernel 2x2 dilated", "kernel 3x3 dilated"),
        _claim(
            "The gain is not the small kernel: 2×2 is not better than 3×3, both plain",
            "kernel 2x2",
            "kernel 3x3",
            "not higher",
        ),
        _claim(
            "The gain is the dilation: better than the plain kernel that sees as far (2×2 dilated, 3×3)",
            "kernel 2x2 dilated",
            "kernel 3x3",
        ),
        _claim(
            "The gain is the dilation: better than the plain kernel that sees as far (3×3 dilated, 5×5)",
            "kernel 3x3 dilated",
            "kernel 5x5",
        ),
    ),
)

"""Lab 15: its pairs differ in what the page says, and the page's sentences follow from its records."""

from labkit.arithmetic.counting import count
from labkit.catalogue.index import lab
from labkit.models import build

LAB = lab("15-dilation")
RUNS = LAB.recorded()


def test_the_wide_kernels_have_as_many_parameters_as_the_larger_ones():
    options = {arm.name: arm.options for arm in LAB.arms}
    params = {name: count(build("kernels", image_size=32, **options[name])).total for name in options}
    for small in ("kernel 2x2, wide", "kernel 2x2 dilated, wide"):
        assert abs(params[small] / params["kernel 3x3"] - 1) < 0.01
    assert abs(params["kernel 5x5, narrow"] / params["kernel 3x3 dilated"] - 1) < 0.09


def test_five_seeds_of_every_kernel():
    assert sorted((run.arm, run.seed) for run in RUNS) == sorted((arm.name, s) for arm in LAB.arms for s in range(5))
    for run in RUNS:
        assert run.data["train"]["images"] == 650
        assert run.data["val"]["images"] == 10_000
        assert len(run.history) == 20


def test_every_claim_is_decided():
    assert LAB.verdicts()["verdict"].to_dict() == {
        "Dilation helps 2×2 kernels": "no power: 34 runs an arm (9 min) would decide",
        "Dilation helps 3×3 kernels": "does not hold",
        "Dilated 2×2 kernels are better than dilated 3×3 ones": "does not hold",
        "The gain is not the small kernel: 2×2 is not better than 3×3, both plain": "holds",
        "The gain is the dilation: better than the plain kernel that sees as far (2×2 dilated, 3×3)": "does not hold",
        "The gain is the dilation: better than the plain kernel that sees as far (3×3 dilated, 5×5)": "no power: 74 runs an arm (35 min) would decide",
    }


def seen(one: str, other: str) -> str:
    return LAB.difference("val_acc", one, other).seen


def test_dilation_helps_the_kernel_that_sees_15_pixels_and_hurts_the_one_that_sees_22():
    assert seen("kernel 2x2 dilated", "kernel 2x2") == "better"
    assert seen("kernel 2x2 dilated, wide", "kernel 2x2, wide") == "better"
    assert seen("kernel 3x3 dilated", "kernel 3x3") == "worse"


def test_nothing_is_seen_of_dilation_at_equal_receptive_field_and_equal_parameters():
    assert seen("kernel 2x2 dilated, wide", "kernel 3x3") == "cannot tell"
    assert seen("kernel 3x3 dilated", "kernel 5x5, narrow") == "cannot tell"


def test_more_channels_are_better_so_the_gain_is_not_that_of_fewer_parameters():
    assert seen("kernel 2x2, wide", "kernel 2x2") == "better"
    assert seen("kernel 2x2 dilated, wide", "kernel 2x2 dilated") == "better"


def test_the_means_at_equal_parameters_lie_as_the_page_orders_their_receptive_fields():
    by_field = {
        15: ["kernel 2x2, wide"],
        22: ["kernel 3x3", "kernel 2x2 dilated, wide"],
        36: ["kernel 3x3 dilated", "kernel 5x5, narrow"],
    }
    means = {field: [LAB.mean("val_acc", arm).mean for arm in arms] for field, arms in by_field.items()}
    assert min(means[22]) > max(means[15] + means[36])

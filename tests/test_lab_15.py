"""Lab 15: its pairs differ in what the page says."""

from labkit.counting import count
from labkit.experiments import lab
from labkit.models import build

LAB = lab("15-dilation")


def test_the_wide_kernels_have_as_many_parameters_as_the_larger_ones():
    options = {arm.name: arm.options for arm in LAB.arms}
    params = {name: count(build("kernels", image_size=32, **options[name])).total for name in options}
    for small in ("kernel 2x2, wide", "kernel 2x2 dilated, wide"):
        assert abs(params[small] / params["kernel 3x3"] - 1) < 0.01
    assert abs(params["kernel 5x5, narrow"] / params["kernel 3x3 dilated"] - 1) < 0.09

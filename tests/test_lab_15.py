"""Lab 15: what its records must hold, and that its pairs differ in what the page says."""

from labkit.counting import count
from labkit.experiments import lab
from labkit.models import build

LAB = lab("15-dilation")
RUNS = LAB.recorded()


def test_five_seeds_of_every_kernel():
    assert sorted((run.arm, run.seed) for run in RUNS) == sorted((arm.name, s) for arm in LAB.arms for s in range(5))
    for run in RUNS:
        assert run.data["train"]["images"] == 650
        assert len(run.history) == 20


def test_the_wide_kernels_have_as_many_parameters_as_the_larger_ones():
    options = {arm.name: arm.options for arm in LAB.arms}
    params = {name: count(build("kernels", image_size=32, **options[name])).total for name in options}
    for small in ("kernel 2x2, wide", "kernel 2x2 dilated, wide"):
        assert abs(params[small] / params["kernel 3x3"] - 1) < 0.01
    assert abs(params["kernel 5x5, narrow"] / params["kernel 3x3 dilated"] - 1) < 0.09


def test_every_figure_and_claim_has_a_verdict():
    assert LAB.compare()["verdict"].str.startswith("cannot be judged").all()
    assert len(LAB.verdicts()) == 6
    assert set(LAB.verdicts()["verdict"]) <= {"holds", "does not hold", "unclear"}

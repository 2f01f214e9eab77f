"""Lab 13: what its records must hold, and that the page's sentences follow from them."""

from labkit.catalogue.index import lab

LAB = lab("13-competition")
RUNS = LAB.recorded()
SMALL = ("rex1", "can1", "efficientnet")


def test_three_seeds_of_every_network():
    assert sorted((run.arm, run.seed) for run in RUNS) == sorted((arm.name, s) for arm in LAB.arms for s in range(3))
    for run in RUNS:
        assert run.data["train"]["images"] == (2_500 if run.arm in SMALL else 40_000)
        assert run.data["val"]["images"] == (1_000 if run.arm in SMALL else 10_000)
        assert len(run.history) == 10


def test_every_network_learned():
    for run in RUNS:
        assert run.value("val_acc") > (0.25 if run.arm in SMALL else 0.65)


def test_both_claims_are_decided_and_no_figure_of_other_images_is_judged():
    assert LAB.verdicts()["verdict"].to_dict() == {
        "ReXNet reaches EfficientNet's accuracy (within 0.02)": "unclear",
        "ReXNet costs less compute than EfficientNet (multiply-adds)": "does not hold",
    }
    assert set(LAB.compare()["verdict"]) == {"cannot be judged: other images"}

"""Lab 11: what its records must hold, and that the source's best result is beaten."""

import numpy as np

from labkit import stepcost
from labkit.experiments import lab
from labkit.ledger import interval, paired

LAB = lab("11-architectures")
RUNS = LAB.recorded()
PARAMS = {
    "netconv": 62_006, "3 conv": 36_944, "vgg16": 15_253_578, "inception": 9_996_542, "resnet": 11_173_962,
    "resnet, best": 701_466,
}  # fmt: skip


def test_three_seeds_of_every_arm_but_the_sources_own():
    arms = [arm.name for arm in LAB.arms if arm.name != "resnet, source"]
    assert sorted((run.arm, run.seed) for run in RUNS) == sorted((arm, seed) for arm in arms for seed in range(3))
    for run in RUNS:
        assert run.data["name"] == "cifar10"
        assert run.data["train"]["images"] == (40_000 if run.arm == "resnet, best" else 5_000)
        assert len(run.history) == (12 if run.arm == "resnet, best" else 6)
        assert np.sum(run.final["test"]["confusion"]) == 10_000
        if run.arm in PARAMS:
            assert run.model["params"] == PARAMS[run.arm]


def test_the_best_recipe_beats_the_source_with_every_seed():
    best = [run for run in RUNS if run.arm == "resnet, best"]
    assert len(best) == 3
    assert all(run.value("val_acc") > 0.8581 and run.value("test_acc") > 0.85 for run in best)


def test_34_layers_learn_only_with_one_of_the_two_remedies():
    neither = paired(RUNS, "val_acc", "34 layers, neither", "34 layers")
    assert interval(neither)[1] < 0
    assert all(run.value("val_acc") < 0.12 for run in RUNS if run.arm == "34 layers, neither")


def test_every_step_was_measured_five_times():
    costs = stepcost.recorded(LAB.name)
    assert {name: sum(cost.name == name for cost in costs) for name in (step.name for step in LAB.steps)} == {
        step.name: 5 for step in LAB.steps
    }


def test_every_figure_and_claim_has_a_verdict_with_its_reason():
    assert LAB.compare()["verdict"].str.startswith("not trained here: 12 epochs would take").all()
    decided = LAB.verdicts()
    energy = decided.index.str.contains("energy")
    assert set(decided["verdict"][~energy]) <= {"holds", "does not hold", "unclear"}
    assert (decided["verdict"][energy] != "").all()

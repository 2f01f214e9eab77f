"""Lab 09: what its records must hold, and that its network is the source's."""

import numpy as np

from labkit.catalogue.index import lab

LAB = lab("09-alexnet")
RUNS = LAB.recorded()
ARMS = ("alexnet", "augmented", "smaller lr")


def test_three_seeds_of_each_recipe_on_cifar10():
    assert sorted((run.arm, run.seed) for run in RUNS) == sorted((arm, seed) for arm in ARMS for seed in range(3))
    for run in RUNS:
        assert run.model["params"] == 6_199_498
        assert run.data["name"] == "cifar10"
        assert len(run.history) == 15
        assert run.recipe["precision"] == "auto"
        assert np.sum(run.final["test"]["confusion"]) == 10_000
    assert len({run.device for run in RUNS}) == 1  # no recipe was given more digits than another


def test_the_plane_of_the_source_is_kept():
    for run in (run for run in RUNS if run.arm == "alexnet"):
        assert list(run.final["embedding"]["layers"]) == ["features", "hidden"]


def test_every_figure_and_claim_of_the_source_is_decided():
    table = LAB.compare()
    assert len(table) == 4
    assert table["verdict"].str.match("exact|reproduced|cannot tell: ").all()
    assert LAB.verdicts()["verdict"].to_dict() == {
        "cat-dog, horse-deer and automobile-truck are confused most (in most runs two of the three worst pairs)": "no power",
        "Augmentation helps: higher validation accuracy": "no power: 29 runs an arm (29.3 h) would decide",
        "Another learning rate helps: higher validation accuracy": "no power: 4 runs an arm (1.3 h) would decide",
    }

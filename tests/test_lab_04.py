"""Lab 04: what its records must hold."""

import pytest

from labkit.experiments import lab
from labkit.models import build
from labkit.tracing import trace

LAB = lab("04-depth")
RUNS = LAB.recorded()
SEEDS = {"1 conv": 5, "2 conv": 5, "3 conv": 5, "4 conv, padded": 3, "3 conv, longer": 3}


def test_all_seeds_of_four_depths_on_cifar10():
    planned = {(arm, seed) for arm, n in SEEDS.items() for seed in range(n)}
    usual = {(arm, seed) for arm, seed in planned if arm != "3 conv, longer"}
    assert usual <= {(run.arm, run.seed) for run in RUNS} <= planned
    for run in RUNS:
        assert run.data["name"] == "cifar10"
        assert [run.data[part]["images"] for part in ("train", "val", "test")] == [40_000, 10_000, 10_000]
        assert len(run.history) == (90 if run.arm == "3 conv, longer" else 30)
        assert run.recipe["augment"] == [] if "augment" in run.recipe else not run.recipe["flip"]
    assert len({run.data["train"]["fingerprint"] for run in RUNS}) == 1
    assert len({tuple(row["train_loss"] for row in run.history) for run in RUNS}) == len(RUNS)


def test_parameters_and_fields_are_those_on_the_page():
    expected = {"1 conv": (181_008, 4), "2 conv": (63_248, 10), "3 conv": (36_944, 22), "4 conv, padded": (123_600, 46)}
    for blocks, arm in enumerate(LAB.arms[:4], 1):
        traced = trace(build("cnn", **arm.options), 32)
        assert (traced.parameters, traced.rows[3 * blocks - 1].receptive_field[0]) == expected[arm.name]
        assert {run.model["params"] for run in RUNS if run.arm == arm.name} == {expected[arm.name][0]}


def test_every_reported_figure_has_a_verdict():
    table = LAB.compare()
    assert len(table) == 12
    assert table["verdict"].str.match("reproduced|not reproduced: ours is").all()
    assert table.iloc[:, 1].str.endswith("(5)").all()


@pytest.mark.parametrize("metric", ["val_acc", "val_loss"])
def test_differences_have_intervals(metric):
    table = LAB.differences(metric, "2 conv")
    assert list(table.index) == list(SEEDS)
    assert set(table["seen"]) <= {"better", "worse", "no difference seen", "–", "not run"}

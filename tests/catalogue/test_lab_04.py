"""Lab 04: what its records must hold."""

import pytest

from labkit.arithmetic.tracing import trace
from labkit.catalogue.index import lab
from labkit.models import build
from labkit.records.reports import reported

LAB = lab("04-depth")
RUNS = LAB.recorded()
SEEDS = {"1 conv": 5, "2 conv": 5, "3 conv": 5, "4 conv, padded": 3, "3 conv, longer": 3}


def test_all_seeds_of_four_depths_on_cifar10():
    assert sorted((run.arm, run.seed) for run in RUNS) == sorted((a, s) for a, n in SEEDS.items() for s in range(n))
    for run in RUNS:
        assert run.data["name"] == "cifar10"
        assert [run.data[part]["images"] for part in ("train", "val", "test")] == [40_000, 10_000, 10_000]
        assert len(run.history) == (90 if run.arm == "3 conv, longer" else 30)
        assert run.recipe["augment"] == [] if "augment" in run.recipe else not run.recipe["flip"]
    assert len({run.data["train"]["fingerprint"] for run in RUNS}) == 1
    assert len({tuple(row["train_loss"] for row in run.history) for run in RUNS}) == sum(SEEDS.values())


def test_parameters_and_fields_are_those_on_the_page():
    expected = {"1 conv": (181_008, 4), "2 conv": (63_248, 10), "3 conv": (36_944, 22), "4 conv, padded": (123_600, 46)}
    for blocks, arm in enumerate(LAB.arms[:4], 1):
        traced = trace(build("cnn", **arm.options), 32)
        assert (traced.parameters, traced.rows[3 * blocks - 1].receptive_field[0]) == expected[arm.name]
        assert {run.model["params"] for run in RUNS if run.arm == arm.name} == {expected[arm.name][0]}


def test_every_reported_figure_has_a_verdict():
    table = LAB.compare()
    other = table.index.get_level_values("figure").str.endswith("with dropout off")
    assert table[other]["verdict"].to_list() == ["would explain it"] * 4 + ["no: ours is 0.17 higher"]
    table = table[~other]
    assert len(table) == 12
    assert table["verdict"].str.match("reproduced|not reproduced: ours is|cannot tell: ").all()
    assert table.iloc[:, 1].str.endswith("(5)").all()


@pytest.mark.parametrize(
    ("metric", "seen"),
    [
        ("val_acc", ["worse", "–", "better", "better", "better"]),
        ("val_loss", ["worse", "–", "cannot tell", "worse", "worse"]),
    ],
)
def test_differences_from_two_convolutions(metric, seen):
    table = LAB.differences(metric, "2 conv")
    assert list(table.index) == list(SEEDS)
    assert table["seen"].tolist() == seen


def test_the_source_lies_between_30_and_90_epochs_with_dropout_off():
    said = reported("uchile", "depth")["3 conv"]
    usual, longer = "3 conv", "3 conv, longer"
    assert LAB.first_epoch("train_acc", longer, said["train_acc"]) is None
    assert LAB.mean("train_acc_eval", usual).mean < said["train_acc"] < LAB.mean("train_acc_eval", longer).mean
    assert LAB.mean("val_loss", usual).mean < said["val_loss"] < LAB.mean("val_loss", longer).mean
    for arm in (usual, longer):
        assert abs(LAB.mean("val_acc", arm).mean - said["val_acc"]) < 0.01

"""Lab 16: what its records must hold, and that the page's sentences follow from them."""

import numpy as np
import pytest

from labkit.catalogue.index import lab
from labkit.experiments.read import right
from labkit.records.spread import summarise

LAB = lab("16-luck")
RUNS = LAB.recorded()
SEEDS = {"all": 138, "weights": 50, "order": 50, "images": 50, "nothing": 2, "mlp": 100, "mlp, shuffled": 100}


def values(arm: str, metric: str = "val_acc") -> list[float]:
    return [run.value(metric) for run in RUNS if run.arm == arm]


def test_all_seeds_of_all_arms():
    assert sorted((run.arm, run.seed) for run in RUNS) == sorted((arm, s) for arm, n in SEEDS.items() for s in range(n))
    for run in RUNS:
        assert [run.data[part]["images"] for part in ("train", "val", "test")] == [1_000, 1_000, 2_000]
        assert len(run.history) == 6


@pytest.mark.parametrize(
    ("arm", "prints"), [("all", 138), ("weights", 1), ("order", 1), ("images", 50), ("nothing", 1), ("mlp", 100)]
)
def test_images_follow_the_seed_only_where_they_are_drawn(arm, prints):
    assert len({run.data["train"]["fingerprint"] for run in RUNS if run.arm == arm}) == prints
    assert len({run.data["val"]["fingerprint"] for run in RUNS if not run.arm.endswith("shuffled")}) == 1


def test_nothing_moves_where_nothing_follows_the_seed():
    one, other = (run for run in RUNS if run.arm == "nothing")
    assert [row["val_loss"] for row in one.history] == [row["val_loss"] for row in other.history]
    for arm in ("weights", "order", "images"):
        assert len({run.history[-1]["val_loss"] for run in RUNS if run.arm == arm}) == 50
        first = next(run for run in RUNS if run.arm == arm and run.seed == 0)
        assert first.history[-1]["val_loss"] == one.history[-1]["val_loss"]  # seed 0 draws the same in all of them


def test_the_answers_one_by_one_give_the_accuracy():
    for run in RUNS[:20]:
        answers = right(run, "val")
        assert answers.shape == (1_000,)
        assert answers.mean() == pytest.approx(run.final["val"]["acc"])
        assert "right" not in run.final["test"]  # of 2,000 images


def test_the_chosen_is_luckier_on_the_images_that_chose_it():
    val, test = np.array(values("all")), np.array(values("all", "test_acc"))
    best = val.argmax()
    assert val[best] - val.mean() > 2 * val.std()
    assert test[best] - test.mean() < val[best] - val.mean()


def test_one_run_after_the_other_lies_further_apart_than_a_hundredth():
    assert max(values("all")) - min(values("all")) > 0.03
    assert summarise(values("all")).sd > max(summarise(values(arm)).sd for arm in ("weights", "order")) * 0.8

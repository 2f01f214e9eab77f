"""Lab 14: all points of both grids have a record, the best ones have more seeds, and every figure a verdict."""

from labkit import search
from labkit.experiments import lab
from labkit.experiments import search as find
from labkit.ledger import paired

LAB = lab("14-hyperparameter-search")
GRID, RATES = find(LAB.name), find("14-lr-momentum")
POINTS = list(search.recorded(GRID, "full"))


def test_all_138_points_were_trained_once():
    assert len(POINTS) == len({run.arm for run in POINTS}) == 138
    assert sorted(run.trial for run in POINTS) == sorted({run.trial for run in POINTS})
    for run in POINTS:
        assert [run.data[part]["images"] for part in ("train", "val", "test")] == [650, 1_000, 10_000]
        assert len(run.history) == 20


def test_all_20_rates_were_trained():
    assert len(list(search.recorded(RATES, "full"))) == 20


def test_the_three_best_points_have_five_more_seeds():
    top = [run.arm for run in search.best(POINTS, GRID, 3)]
    again = LAB.recorded("full", top)
    assert sorted((run.arm, run.seed) for run in again if run.seed) == sorted((a, s) for a in top for s in range(1, 6))


def test_input_sizes_are_compared_at_27_settings_of_the_rest():
    sizes = search.by_value(POINTS, GRID, "data.image_size")
    assert len(paired(sizes, "val_acc", "image_size=64", "image_size=32")) == 27


def test_every_figure_and_claim_has_a_verdict():
    assert not LAB.compare()["verdict"].str.contains("not run").any()
    assert set(LAB.verdicts()["verdict"]) <= {"holds", "does not hold", "unclear"}

"""Lab 14: what the records of its two searches must hold, and that the page's sentences follow from them."""

from labkit import search
from labkit.experiments import lab
from labkit.experiments import search as find

LAB = lab("14-hyperparameter-search")
GRID, RATES = find("14-hyperparameter-search"), find("14-lr-momentum")
POINTS, CELLS = list(search.recorded(GRID)), list(search.recorded(RATES))


def test_every_point_of_both_grids_was_trained_once():
    for grid, runs, count in ((GRID, POINTS, 138), (RATES, CELLS, 20)):
        assert sorted(run.arm for run in runs) == sorted(search.point_name(point) for point in grid.points())
        assert len(runs) == count
        assert sorted(run.trial for run in runs) == sorted({run.trial for run in runs})


def test_the_points_learned_from_small_data():
    for run in POINTS:
        assert run.data["train"]["images"] == 650
        assert run.data["val"]["images"] == 1_000
        assert len(run.history) == 15


def test_every_claim_is_decided():
    assert len(LAB.verdicts()) == 7
    assert set(LAB.verdicts()["verdict"]) <= {"holds", "does not hold", "unclear"}


def test_the_number_of_runs_is_the_source_s():
    table = LAB.compare()
    assert table.loc[("all", "runs"), "verdict"] == "reproduced"

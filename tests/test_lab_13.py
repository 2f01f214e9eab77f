"""Lab 13: what its records must hold."""

from labkit.experiments import lab

LAB = lab("13-competition")
RUNS = LAB.recorded()


def test_three_seeds_of_every_network():
    assert sorted((run.arm, run.seed) for run in RUNS) == sorted((arm.name, s) for arm in LAB.arms for s in range(3))
    for run in RUNS:
        small = run.arm not in ("cnn1", "alex1")
        assert run.data["train"]["images"] == (2_500 if small else 40_000)
        assert run.data["train"]["shape"] == ([3, 64, 64] if small else [3, 32, 32])
        assert len(run.history) == 10


def test_figures_of_other_images_are_not_judged_and_claims_are_decided():
    table = LAB.compare()
    assert table["verdict"].str.startswith("cannot be judged: other images").all()
    assert (table.iloc[:, 1] != "not run").all()
    assert set(LAB.verdicts()["verdict"]) <= {"holds", "does not hold", "unclear"}

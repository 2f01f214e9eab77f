"""Lab 12: what its records must hold, and that the page's explanations follow from them."""

from labkit.catalogue.index import lab

LAB = lab("12-training-choices")
RUNS = LAB.recorded()


def test_three_seeds_of_every_choice():
    assert sorted((run.arm, run.seed) for run in RUNS) == sorted((arm.name, s) for arm in LAB.arms for s in range(3))
    for run in RUNS:
        assert run.data["name"] == "cifar10"
        assert run.data["train"]["images"] == 40_000
        assert len(run.history) == 12 or run.arm == "early stopping"


def accuracy(arm: str) -> float:
    return LAB.mean("val_acc", arm).mean


def test_adam_guesses_at_a_learning_rate_of_a_tenth_and_learns_at_its_usual_one():
    assert accuracy("adam") > 0.5
    assert accuracy("adam, lr 0.1") < 0.2


def test_a_schedule_moved_each_batch_learns_next_to_nothing():
    assert accuracy("step, each batch") < accuracy("step") - 0.2
    broken = next(run for run in RUNS if run.arm == "step, each batch")
    assert broken.history[1]["lr"] < 1e-6


def test_early_stopping_ended_before_its_sixty_epochs():
    assert all(len(run.history) < 60 for run in RUNS if run.arm == "early stopping")


def test_every_claim_is_decided():
    decided = LAB.verdicts()["verdict"].str.partition(":")[0].to_dict()  # without the number of runs that would decide
    assert decided == {
        "Adam gives about 10 % validation accuracy (below 0.2, at its usual learning rate)": "does not hold",
        "Adam gives about 10 % (below 0.2, at a learning rate of 0.1)": "no power",
        "StepLR drops the model far below no schedule (by 0.1 or more)": "does not hold",
        "StepLR that is moved each batch does (by 0.1 or more)": "holds",
        "A cosine schedule is not better than none": "no power",
        "LeakyReLU is better than relu in the CNN": "no power",
        "LeakyReLU is better than elu in the CNN": "does not hold",
        "LeakyReLU is better than gelu in the CNN": "no power",
        "LeakyReLU is better than silu in the CNN": "no power",
        "LeakyReLU is better than sigmoid in the CNN": "holds",
        "Sigmoid is worst in the CNN (worse than ReLU)": "holds",
        "LeakyReLU is better than ReLU in the MLP": "no power",
        "Sigmoid is worst in the MLP": "holds",
        "Dropout helps the CNN": "no power",
        "Dropout does not help the MLP": "no power",
        "Batch norm helps the CNN": "no power",
        "Batch norm helps the MLP": "no power",
        "Weight decay gains nothing (here on the small CNN)": "no power",
    }

"""Lab 11: what its records must hold, and that the page's sentences follow from them."""

from labkit.catalogue.index import lab
from labkit.experiments import cost, read
from labkit.records import reports

LAB = lab("11-architectures")
RUNS = LAB.recorded()
TRAINED = [arm.name for arm in LAB.arms if arm.name != "resnet, source"]


def accuracies(arm: str, metric: str = "val_acc") -> list[float]:
    return [run.value(metric) for run in RUNS if run.arm == arm]


def test_three_seeds_of_every_architecture_but_the_source_s_own():
    assert sorted((run.arm, run.seed) for run in RUNS) == sorted((arm, seed) for arm in TRAINED for seed in range(3))
    for run in RUNS:
        all_images = run.arm == "resnet, best"
        assert run.data["train"]["images"] == (40_000 if all_images else 3_000)
        assert run.data["val"]["images"] == (10_000 if all_images else 2_000)
        assert len(run.history) == (15 if all_images else 5)


def test_one_precision_in_one_lab():
    assert len({run.device for run in RUNS}) == 1


def test_the_source_s_best_result_is_beaten_by_every_seed():
    best = reports.reported("udesa", "best")
    assert (best["val_acc_end"], best["test_acc"]) == (0.8581, 0.85)
    assert min(accuracies("resnet, best", "val_acc")) > best["val_acc_end"]
    assert min(accuracies("resnet, best", "test_acc")) > best["test_acc"]


def test_without_skip_connections_and_batch_norm_34_layers_guess():
    assert max(accuracies("34 layers, neither")) < 0.15
    assert min(accuracies("34 layers")) > 0.2


def test_cats_are_the_hardest_class_for_the_source_and_for_us():
    reported = reports.reported("udesa", "best")["test_per_class"]
    assert min(reported, key=reported.get) == "cat"
    for run in RUNS:
        if run.arm == "resnet, best":
            shares = read.per_class(read.recorded_confusion([run]))
            assert list(reported)[int(shares.argmin())] == "cat"


def test_each_of_the_two_remedies_matters_and_no_use_of_the_heads_is_seen():
    seen = LAB.differences("val_acc", against="34 layers")["seen"]
    assert {seen[f"34 layers, {without}"] for without in ("no skip", "no batch norm", "neither")} == {"worse"}
    assert LAB.differences("val_acc", against="inception").loc["inception, no heads", "seen"] == "cannot tell"


def test_resnet_takes_about_a_hundred_times_the_seconds_of_a_small_cnn():
    seconds = {arm: LAB.mean("seconds_per_epoch", arm).mean for arm in ("resnet", "netconv", "3 conv")}
    assert 70 < seconds["resnet"] / seconds["netconv"] < 140
    assert 70 < seconds["resnet"] / seconds["3 conv"] < 140


def test_every_step_was_measured_five_times():
    for step in LAB.steps:
        assert len(cost.values(LAB.name, step.name, "seconds_per_image")) == 5
        assert len(cost.values(LAB.name, step.name, "memory")) == 5


def test_every_claim_is_decided_or_says_why_not():
    assert LAB.verdicts()["verdict"].to_dict() == {
        "ResNet has the best accuracy (better than inception)": "no power: 19 runs an arm (2.7 h) would decide",
        "ResNet has the best accuracy (better than vgg16)": "holds",
        "ResNet has the best accuracy (better than netconv)": "holds",
        "VGG-16 takes more time than inception": "holds",
        "VGG-16 takes more time than resnet": "holds",
        "VGG-16 takes more energy than inception": "not measured: it cannot be read here",
        "VGG-16 takes more energy than resnet": "not measured: it cannot be read here",
        "Inception takes more memory than vgg16": "does not hold",
        "Inception takes more memory than resnet": "holds",
        "ResNet is faster than vgg16": "holds",
        "ResNet is faster than inception": "does not hold",
        "ResNet gives poor results (worse than netconv)": "does not hold",
        "ResNet is slow to learn (seconds per epoch, more than netconv)": "holds",
    }


def test_what_was_not_trained_says_what_it_would_cost():
    table = LAB.compare()
    assert len(table) == 14
    assert all(said.startswith("not trained here: ") for said in table["verdict"])

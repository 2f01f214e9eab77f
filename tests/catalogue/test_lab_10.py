"""Lab 10: what its records must hold."""

from labkit.catalogue.index import lab

LAB = lab("10-transfer-learning")
RUNS = LAB.recorded()
ROUTES = ("scratch", "pretrained_svm", "fine_tuned", "fine_tuned_augmented")
CLOTHES = ("clothes, svm", "clothes, fine-tuned")


def test_five_seeds_of_each_route_and_of_the_learning_curve():
    curve = [f"{name}, {count} a class" for name in ("svm", "fine-tuned") for count in (5, 10, 20, 50)]
    arms = (*ROUTES, "zero-shot", *curve, *CLOTHES)
    assert sorted((run.arm, run.seed) for run in RUNS) == sorted((arm, seed) for arm in arms for seed in range(5))
    assert {(run.data["name"], run.data["test"]["images"]) for run in RUNS if run.arm not in CLOTHES} == {
        ("hymenoptera", 153)
    }
    assert {(run.data["name"], run.data["test"]["images"]) for run in RUNS if run.arm in CLOTHES} == {
        ("fashion-mnist-small", 400)
    }


def test_fine_tuning_gains_on_images_unlike_imagenets_and_not_on_its_own_classes():
    gains = {
        tuned: LAB.difference("test_acc", tuned, frozen).interval()
        for tuned, frozen in (("fine_tuned", "pretrained_svm"), ("clothes, fine-tuned", "clothes, svm"))
    }
    assert gains["fine_tuned"][1] < 0.005 < gains["clothes, fine-tuned"][0]  # what the page says of both


def test_a_route_trains_what_it_says():
    trained = {run.arm: run.value("trainable") for run in RUNS}
    assert trained["zero-shot"] == 0
    assert trained["pretrained_svm"] == trained["svm, 5 a class"] == (1280 + 1) * 2
    assert trained["scratch"] == trained["fine_tuned"] == trained["fine_tuned_augmented"] > 3_000_000


def test_every_seed_draws_a_split_of_its_own_and_the_test_images_stay():
    runs = [run for run in RUNS if run.arm == "fine_tuned"]
    assert len({run.data["train"]["fingerprint"] for run in runs}) == 5
    assert len({run.data["test"]["fingerprint"] for run in runs}) == 1


def test_the_errors_of_the_line_are_kept_for_every_seed():
    for run in (run for run in RUNS if run.arm in ROUTES):
        assert 0 <= run.value("line_errors") <= 70


def test_the_figures_of_other_photographs_are_not_judged_and_the_claims_are_decided():
    table = LAB.compare()
    assert len(table) == 4
    assert table["verdict"].str.startswith("cannot be judged: other photographs").all()
    assert (table.iloc[:, 1] != "not run").all()
    assert LAB.verdicts()["verdict"].to_dict() == {
        "From scratch overlaps: more errors of the line than with pretrained features": "holds",
        "Fine-tuning separates better than pretrained features (errors of the line)": "does not hold",
        "Augmentation separates better than fine-tuning alone (errors of the line)": "no power: 41 runs an arm (4.8 h) would decide",
    }

"""Lab 06: what its records must hold."""

from labkit.catalogue.index import lab
from labkit.records.spread import summarise

LAB = lab("06-augmentation")
RUNS = LAB.recorded()
EPOCHS = {"long, none": 50, "long, augmented": 50}


def test_all_seeds_of_eleven_arms_on_cifar10():
    expected = [(a.name, s) for a in LAB.arms for s in range(5 if a.name in ("none", "augmented") else 3)]
    assert sorted((run.arm, run.seed) for run in RUNS) == sorted(expected)
    for run in RUNS:
        assert run.data["name"] == "cifar10"
        assert run.model["params"] == 36_944
        assert len(run.history) == EPOCHS.get(run.arm, 30)
        assert run.model.get("dropout", 0.5) == (0.0 if run.arm.startswith("long") else 0.5)


def test_each_transform_stands_alone_and_together():
    used = {arm.name: tuple(t.name for t in (arm.changes or {}).get("augment", ())) for arm in LAB.arms}
    assert used["none"] == used["long, none"] == ()
    assert used["augmented"] == used["long, augmented"] == ("flip", "crop")
    for name in ("flip", "crop", "rotate", "perspective", "color jitter", "cutout"):
        assert used[name] == (name.replace(" ", "_"),)
    assert used["together"] == ("flip", "rotate", "perspective", "color_jitter")  # what the second source blames


def test_figures_are_read_at_the_epoch_of_the_source():
    table = LAB.compare()
    assert len(table) == 4
    assert table.index.get_level_values("figure").str.endswith("(epoch 29)").all()
    assert table["verdict"].str.match("reproduced|not reproduced: ours is|cannot tell: ").all()
    augmented = [run.history[28]["val_acc"] for run in RUNS if run.arm == "augmented"]
    shown = table.loc[("augmented", "val_acc (epoch 29)")].iloc[1]
    assert shown.replace("\N{NO-BREAK SPACE}", " ") == str(summarise(augmented))


def test_every_claim_of_both_sources_is_decided():
    assert LAB.verdicts()["verdict"].to_dict() == {
        "The validation accuracy stays the same (within 0.02)": "unclear",
        "The training accuracy is lower: less memorisation": "holds",
        "Flip makes the validation accuracy worse": "does not hold",
        "Rotation makes it worse": "unclear",
        "Perspective makes it worse": "does not hold",
        "Colour noise makes it worse": "does not hold",
        "The four together make it worse": "no power: 9 runs an arm (1.9 h) would decide",
    }

"""The catalogue and its runner, on the real quick budget cut short, and in real processes that are stopped."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from scipy import stats

from labkit.base.errors import ConfigError
from labkit.catalogue.index import lab, labs
from labkit.data.chosen import Images
from labkit.data.images import Splits
from labkit.experiments import design, execute
from labkit.experiments.cost import QUANTITIES, CostRatio
from labkit.experiments.design import Arm
from labkit.experiments.execute import Settings, same_training
from labkit.models import build
from labkit.records import ledger, reports
from labkit.records.claims import Share
from labkit.records.metrics import METRICS
from labkit.search.grid import GridDifference
from labkit.training.recipe import Recipe
from tests.making import make_run, make_set, write_cifar10


@pytest.fixture
def short(monkeypatch, tmp_path):
    """The dropout lab with two epochs, its records in a folder of the test."""
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    whole = lab("03-dropout")
    images = replace(whole.quick.images, train_per_class=20)
    quick = replace(whole.quick, images=images, recipe=Recipe(epochs=2, batch_size=100))
    return replace(whole, quick=quick)


def test_every_lab_matches_what_its_source_reports():
    for entry in labs():
        assert entry.title.endswith("?")
        declared = {figure.section for figure in entry.figures}
        for section in entry.sections:
            figures = reports.reported(*section.split("."))
            arms = {name for name, value in figures.items() if isinstance(value, dict)} - set(reports.ABOUT_FIGURES)
            if section not in declared:
                assert arms <= {arm.name for arm in entry.arms}, entry.name
                for name in arms:
                    assert set(figures[name]) <= {*METRICS, "epochs"}


@pytest.mark.parametrize(("seconds", "said"), [(3600, "4.0 h of training"), (60, "4 min of training")])
def test_the_cost_of_the_full_budget_is_that_of_all_its_runs(monkeypatch, seconds, said):
    done = [make_run("p=0.5", seed) for seed in range(2)]  # two epochs each
    for run in done:
        run.history, run.device = [row | {"seconds": seconds} for row in run.history], "1 CPU thread"
    monkeypatch.setattr(design.Lab, "recorded", lambda self, budget: done)
    assert f"Full: 2 runs of 2 epochs on cifar10, {said} on 1 CPU thread." in lab("03-dropout").cost()


def test_every_claim_speaks_of_what_its_lab_has():
    sources = {section.partition(".")[0] for entry in labs() for section in entry.sections}
    for entry in labs():
        arms, steps = {arm.name for arm in entry.arms}, {step.name for step in entry.steps}
        for claim in entry.claims:
            assert claim.source in sources  # a lab may also judge what another lab's source says of its networks
            about = claim.about
            if isinstance(about, CostRatio):
                assert {about.step, about.against} <= steps
                assert about.lab == entry.name
                assert about.quantity in QUANTITIES
                continue
            what = about.is_so if isinstance(about, Share) else about.metric
            assert callable(what) or what in METRICS
            compared = {about.arm, getattr(about, "against", about.arm)}
            if isinstance(about, GridDifference):  # of all runs with one value of a dimension
                name = about.dimension.partition(".")[2]
                assert compared <= {f"{name}={value}" for value in about.search.space[about.dimension]}
            else:
                assert compared <= arms


def numbers(figures: dict, above: tuple = ()) -> set[tuple]:
    """Return the way to each number in a section of reported.toml."""
    found = set()
    for name, value in figures.items():
        if name in reports.ABOUT_FIGURES:
            continue
        if isinstance(value, dict):
            found |= numbers(value, (*above, name))
        elif isinstance(value, int | float):
            found.add((*above, name))
    return found


def test_every_section_exists_and_its_numbers_belong_to_one_lab():
    sections = [section for entry in labs() for section in entry.sections]
    with_numbers = [section for section in sections if numbers(reports.reported(*section.split(".")))]
    assert len(with_numbers) == len(set(with_numbers))
    assert len(set(sections)) >= sum(bool(entry.sections) for entry in labs())


def test_what_is_said_of_figures_speaks_of_figures():
    """Of each section: how many images its figures were read on, and which differences it reads something into."""
    for entry in labs():
        for section in entry.sections:
            said = reports.reported(*section.split("."))
            read = {name for f in entry.reported_figures() if f.section == section for name in (f.metric, *f.key)}
            for table in reports.ABOUT_FIGURES:
                assert set(said.get(table, {})) <= read, section
            assert all(value > 0 for table in ("discussed", "images") for value in said.get(table, {}).values())
            arms = {arm.name for arm in entry.arms}
            for name, other in said.get("explained", {}).items():
                assert other.keys() - {"says"} <= {"metric", "arm"}, name
                assert other["says"], name
                assert other.get("metric", name) in METRICS, name
                assert other.get("arm", entry.arms[0].name) in arms, name


def test_every_figure_is_one_of_its_source_and_can_be_read_off_a_run():
    for entry in labs():
        names = {arm.name for arm in entry.arms}
        for figure in entry.reported_figures():
            assert figure.section in entry.sections
            assert isinstance(figure.value, int | float)
            if figure.of:  # about many runs
                assert figure.of("full") == [] or isinstance(figure.of("full")[0], int | float)
                continue
            assert figure.arm in names
            assert callable(figure.metric) or figure.metric in METRICS
            if not callable(figure.metric) and METRICS[figure.metric].whole:  # a count is shown and judged as one
                assert isinstance(figure.value, int)


def test_a_figure_is_read_early_only_where_the_schedule_looks_no_further():
    for entry in labs():
        for figure in (figure for figure in entry.figures if figure.epoch):
            (arm,) = (arm for arm in entry.arms if arm.name == figure.arm)
            recipe = arm.recipe(entry.full.recipe)
            assert recipe.schedule == "constant"
            assert 1 <= figure.epoch < recipe.epochs


@pytest.mark.parametrize("source", ["udesa", "itba", "urjc", "uam"])
def test_all_numbers_of_a_source_have_a_figure(source):
    settings = {"epochs", "batch", "batch_size", "learning_rate", "momentum", "runs"}  # not what came out
    for entry in labs():
        for section in (s for s in entry.sections if s.startswith(f"{source}.") and entry.arms):
            told = {keys for keys in numbers(reports.reported(*section.split("."))) if keys[-1] not in settings}
            assert told <= {figure.key for figure in entry.reported_figures() if figure.section == section}, section


def test_planes_are_of_layers_that_the_networks_have():
    """Asked for by every full run whose arm names layers, and by quick ones only where they are cheap."""
    for entry in labs():
        for arm in entry.arms:
            (full,) = entry.plan("full", seeds=1, arms=[arm.name])
            assert full.embed == list(arm.embed)
            if arm.embed and "pretrained" not in arm.options:
                options = {"in_channels": 1 if entry.full.images.name == "mnist" else 3, "image_size": 32}
                assert set(arm.embed) <= dict(build(arm.model, **options, **arm.options).named_modules()).keys()
        if entry.arms:
            named = {arm.name: list(arm.embed) for arm in entry.arms}
            for run in entry.plan("quick"):
                assert run.embed == (named[run.arm] if entry.quick.planes else [])
    assert [entry.name for entry in labs() if any(arm.embed for arm in entry.arms)] == [
        "08-simple-cnn-mnist",
        "09-alexnet",
        "10-transfer-learning",
    ]
    assert [entry.name for entry in labs() if entry.quick and any(run.embed for run in entry.plan("quick"))] == [
        "10-transfer-learning"
    ]


def test_transfer_runs_train_what_their_names_say():
    """From scratch with one rate for all; the curve of few labels with about as many steps everywhere."""
    plan = lab("10-transfer-learning").plan("full", seeds=1)
    runs = {run.arm: run for run in plan if not run.arm.startswith("clothes")}
    assert runs["scratch"].recipe["body_lr"] is None
    assert not runs["scratch"].model.get("pretrained")
    assert runs["fine_tuned"].recipe["body_lr"] == 1e-4
    assert runs["pretrained_svm"].recipe["head"] == "svm"
    assert {run.data["draw_split"] for run in runs.values()} == {True}
    for arm, run in runs.items():
        if count := run.data.get("draw_per_class"):
            assert f"{count} a class" in arm
            if arm.startswith("fine-tuned"):
                assert 70 <= run.recipe["epochs"] * -(-2 * count // run.recipe["batch_size"]) <= 90
            else:
                assert run.recipe["epochs"] == 1


def test_an_arm_that_another_lab_records_is_the_very_same_training():
    shared = [(entry, arm) for entry in labs() for arm in entry.arms if arm.same_as]
    assert len(shared) == 4
    for entry, arm in shared:
        other, name = arm.same_as
        for ours, theirs in zip(entry.plan("full", arms=[arm.name]), lab(other).plan("full", arms=[name]), strict=True):
            assert same_training(ours, theirs)
            assert ours.seed == theirs.seed
        known = {run.seed: run for run in lab(other).recorded() if run.arm == name}
        for run in entry.recorded():
            if run.arm == arm.name:
                assert run.lab == entry.name
                assert run.history == known[run.seed].history


def test_run_records_and_does_not_repeat(short, monkeypatch):
    seen = []
    runs = short.run(progress=False, report=lambda run: seen.append((run.arm, len(run.history))))
    assert seen == [("p=0.5", 1), ("p=0.5", 2), ("p=0.0", 1), ("p=0.0", 2)]
    for run in runs:
        record = ledger.read(ledger.record_path(run.lab, run.arm, "quick", 0))
        assert record == run
        assert record.finished
        assert record.model["params"] == 45_360
        assert record.data["train"]["images"] == 200
        assert set(record.final) == {"train", "val", "test"}
        assert sum(map(sum, record.final["test"]["confusion"])) == 2000
        assert record.history[-1]["val_acc"] == pytest.approx(record.final["val"]["acc"])
        assert record.seconds > 0
        assert record.images_per_second > 0
        assert record.versions["torch"]
    monkeypatch.setattr(execute, "train_run", lambda *_: pytest.fail("trained twice"))
    assert short.run(progress=False) == runs
    assert short.recorded("quick") == runs


def test_another_recipe_is_trained_anew(short):
    short.run(arms=["p=0.0"], progress=False)
    other = replace(short, quick=replace(short.quick, recipe=Recipe(epochs=1, batch_size=100)))
    assert other.recorded("quick") == []
    assert len(other.run(arms=["p=0.0"], progress=False)[0].history) == 1


def test_arms_share_images_and_order_but_not_seeds(short):
    runs = short.run(seeds=2, progress=False)
    assert [(r.seed, r.arm) for r in runs] == [(0, "p=0.5"), (0, "p=0.0"), (1, "p=0.5"), (1, "p=0.0")]
    assert len({r.data["train"]["fingerprint"] for r in runs}) == 1
    assert runs[1].history != runs[3].history


def test_plan_refuses_what_is_unknown(short, monkeypatch):
    for arguments, says in (
        ({"budget": "ful"}, "Did you mean 'full'"),
        ({"arms": ["p=0.4"]}, "There is no arm"),
        ({"seeds": 0}, "at least 1"),
    ):
        with pytest.raises(ConfigError, match=says):
            short.plan(**arguments)
    monkeypatch.setenv("LABKIT_BUDGET", "fast")
    with pytest.raises(ConfigError, match="There is no budget 'fast'"):
        short.run()
    with pytest.raises(ConfigError, match="Did you mean '03-dropout'"):
        lab("03-dropouts")
    with pytest.raises(ConfigError, match="There is no arm of 03-dropout 'p=1'"):
        short.mean("val_acc", "p=1", "quick")
    assert str(short.mean("val_acc", "p=0.5", "quick")) == "not run"


def test_tables_say_not_run_where_nothing_was_run(short, records):
    table = short.compare()
    assert (table["verdict"] == "not run").all()
    assert (short.verdicts()["verdict"] == "not run").all()
    short.run(progress=False)
    assert "(1)" in short.compare().iloc[0, -1]


def test_the_first_epoch_that_reaches_a_value_is_read_off_the_mean_over_seeds(short):
    def first(value):
        return short.first_epoch("train_acc", "p=0.0", value, "quick")

    assert first(0.0) is None
    runs = short.run(seeds=2, arms=["p=0.0"], progress=False)
    one, two = (sum(run.history[epoch]["train_acc"] for run in runs) / 2 for epoch in (0, 1))
    assert one < two
    assert [first(0.0), first(one - 1e-6), first((one + two) / 2), first(two + 1e-6)] == [1, 1, 2, None]
    assert {run.arm for run in short.recorded("quick", ["p=0.0"])} == {"p=0.0"}
    assert short.recorded("quick", ["p=0.5"]) == []


def test_differences_are_those_of_the_runs(short):
    runs = short.run(seeds=2, progress=False)
    table = short.differences("val_acc", "p=0.0", "quick")
    gaps = [a.value("val_acc") - b.value("val_acc") for a, b in zip(runs[::2], runs[1::2], strict=True)]
    assert table.loc["p=0.5"].iloc[1].startswith(f"{sum(gaps) / 2:+.3f} [")
    assert table.loc["p=0.0"].tolist()[1:] == ["–", "–"]
    arms = ([run.value("val_acc") for run in runs if run.arm == arm] for arm in ("p=0.5", "p=0.0"))
    low, high = stats.ttest_ind(*arms, equal_var=False).confidence_interval()
    assert table.loc["p=0.5", "seen"] == ("better" if low > 0 else "worse" if high < 0 else "cannot tell")
    with pytest.raises(ConfigError, match="There is no arm"):
        short.differences("val_acc", "p=1")


def test_seeds_of_an_arm_are_the_budgets_its_own_or_those_asked_for():
    augmentation = lab("06-augmentation")

    def count(arm, **asked):
        return len(augmentation.plan(arms=[arm], **asked))

    assert count("augmented", budget="full") == 5
    assert count("flip", budget="full") == 3
    assert count("flip", budget="full", seeds=7) == 7
    assert count("flip", budget="quick") == count("augmented", budget="quick") == 1


def test_an_arm_may_train_longer_and_only_in_full():
    depth = lab("04-depth")
    (longer, *_), (usual, *_) = (depth.plan("full", arms=[arm]) for arm in ("3 conv, longer", "3 conv"))
    assert longer.recipe == usual.recipe | {"epochs": 90}
    assert "3 conv, longer" not in {run.arm for run in depth.plan("quick")}


def test_prepared_images_are_what_a_run_asked_for():
    plain = Images("fashion-mnist-small").load()
    asked = {
        "name": "fashion-mnist-small",
        "train_per_class": 7,
        "val_per_class": 9,
        "image_size": 20,
        "shuffle_pixels": 5,
    }
    few, fewer = Images.of(asked).load(), Images.of(asked | {"test_per_class": 11}).load()
    assert [len(few.train), len(few.val), len(few.test)] == [70, 90, len(plain.test)]
    assert [len(fewer.train), len(fewer.val), len(fewer.test)] == [70, 90, 110]
    assert {part.image_size for part in few} == {20}
    assert torch.equal(few.test.images, plain.test.resized(20).shuffled(5).images)
    assert torch.equal(fewer.test.images, plain.test.per_class(11).resized(20).shuffled(5).images)


def test_classes_are_kept_and_few_images_of_them_drawn_from_the_seed_of_the_run():
    asked = {"name": "fashion-mnist-small", "classes": ["pullover", "coat"], "draw_per_class": 7}
    one, same, other = (Images.of(asked).load(seed) for seed in (0, 0, 1))
    for part in one:
        assert part.classes == ("pullover", "coat")
    assert [len(part) for part in one] == [14, 200, 400]
    assert one.train.fingerprint == same.train.fingerprint != other.train.fingerprint
    assert one.test.fingerprint == other.test.fingerprint
    assert one.val.fingerprint == other.val.fingerprint


def test_a_split_is_drawn_from_the_seed_of_the_run_only_where_asked_for(tmp_path, monkeypatch):
    write_cifar10(tmp_path, monkeypatch)
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    drawn = [Images("cifar10", draw_split=True).load(seed) for seed in (0, 0, 1)]
    fixed = [Images("cifar10").load(seed) for seed in (0, 1)]
    val = [part.val.fingerprint for part in drawn]
    assert val[0] == val[1] != val[2]
    assert val[0] == fixed[0].val.fingerprint == fixed[1].val.fingerprint
    assert len({part.test.fingerprint for part in drawn + fixed}) == 1


def test_images_say_in_words_and_in_a_record_what_they_take():
    images = Images("made", train_per_class=40, image_size=64, classes=("coat", "pullover"))
    record = {"name": "made", "train_per_class": 40, "image_size": 64, "classes": ["coat", "pullover"]}
    assert str(images) == "made (coat, pullover), 40 a class, 64 px"
    assert images.as_record() == record
    assert Images.of(record | {"train": {"fingerprint": "of a record"}}) == images
    assert Images("made", draw_split=True).as_record()["draw_split"] is True


def made_splits(size):
    train, val, test = (make_set(count, size=size, seed=seed, classes=2) for seed, count in enumerate((12, 6, 20)))
    return Splits(train, replace(val, split="val"), replace(test, split="test"))


@pytest.mark.parametrize(
    ("model", "recipe", "layers"),
    [
        ({"name": "simple", "hidden": 4}, Recipe(epochs=2, batch_size=6), ["features", "hidden"]),
        ({"name": "backbone", "pretrained": True}, Recipe(epochs=1, head="svm"), ["body"]),
    ],
)
def test_planes_and_trained_parameters_are_recorded(monkeypatch, tmp_path, model, recipe, layers):
    """By gradients or without them: the record has the same parts, and its scores are of the finished network."""
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(Images, "load", lambda self, seed: made_splits(32))
    planned = ledger.Run("x", "a", "quick", 0, model, {"name": "made"}, recipe.as_record(), embed=layers)
    seen = []
    settings = Settings(progress=False, report=lambda run: seen.append(len(run.history)))
    run = execute.train_run(planned, tmp_path / "r.json", settings)
    assert seen == list(range(1, recipe.epochs + 1))
    assert ledger.read(tmp_path / "r.json") == run
    assert run.finished
    assert run.value("trainable") == (2562 if recipe.head == "svm" else run.value("params"))
    assert list(run.final) == ["train", "val", "test", "embedding"]
    assert list(run.final["embedding"]["layers"]) == layers
    assert len(run.final["embedding"]["layers"][layers[-1]]["points"]) == 20
    assert 0 <= run.value("line_errors") <= 10
    assert run.value("val_acc") == pytest.approx(run.final["val"]["acc"])
    assert run.history[-1]["val_loss"] == pytest.approx(run.final["val"]["loss"], rel=1e-3)
    assert run.value("seconds") > 0
    assert not list(tmp_path.glob("checkpoints/**/*.pt"))


def test_figures_that_stand_alone_are_compared_as_counts_or_to_their_last_digit(monkeypatch, tmp_path, records):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    entry = lab("08-simple-cnn-mnist")
    for run in entry.plan("full", arms=["simple"]):
        for epoch in range(1, 21):
            best = {10: 0.9890, 19: 0.9911}.get(epoch, 0.95)
            losses = {"train_acc": 0.9, "train_loss": 0.3, "val_loss": 0.2, "seconds": 60.0, "lr": 1e-3}
            run.history.append({"epoch": epoch, "val_acc": best + 0.0002 * run.seed, **losses})
        run.final = {"test": {"acc": 0.9899 + 0.0005 * run.seed, "loss": 0.04}}
        run.model |= {"params": 813_802}
        run.finished = True
        run.save(ledger.record_path(run.lab, run.arm, "full", run.seed))
    table = entry.compare()
    table.index = table.index.get_level_values("figure")
    assert table["reported"].to_dict() == {
        "params": "813,802",
        "val_acc_best (epoch 10)": "0.9894",
        "best_epoch (epoch 10)": "10",
        "val_acc_best": "0.991",
        "best_epoch": "19",
        "errors_of_10000": "106",
    }
    ours = table["recorded (mnist)"].str.replace("\N{NO-BREAK SPACE}", " ").to_dict()
    assert ours == {
        "params": "813,802",
        "val_acc_best (epoch 10)": "0.9892 ± 0.0002 (3)",
        "best_epoch (epoch 10)": "10",
        "val_acc_best": "0.9913 ± 0.0002 (3)",
        "best_epoch": "19",
        "errors_of_10000": "96 ± 5 (3)",
    }
    said = table["verdict"].to_dict()
    assert said.pop("params") == "exact"
    assert said.pop("best_epoch (epoch 10)") == said.pop("best_epoch") == "cannot tell: all runs are equal: no interval"
    assert said.pop("errors_of_10000") == "cannot tell: wider than the 16 discussed"
    assert set(said.values()) == {"cannot tell: wider than the 0.0016 discussed"}
    assert entry.compare("uchile").empty


def test_a_setting_that_may_explain_a_figure_stands_under_it_where_the_figure_is_not_reproduced():
    table = lab("03-dropout").compare().loc["p=0.5"]
    said = table["verdict"].to_dict()
    assert said["train_acc"] == "not reproduced: ours is 0.14 lower"
    assert said["train_acc with dropout off"] == "would explain it"
    assert table.loc["train_acc with dropout off", "reported"] == "0.78"
    assert not [name for name in said if name.startswith("val_") and "dropout" in name]
    said = lab("03-dropout").compare().loc["p=0.0"]["verdict"].to_dict()
    assert said["train_loss with dropout off"] == "no: ours is 0.19 higher"
    assert "train_acc with dropout off" not in said, "there is nothing to explain"


def test_a_draw_that_there_is_not_cannot_be_held_fixed():
    with pytest.raises(ConfigError, match=r"There is no draw to hold fixed 'weigths'. Did you mean 'weights'\?"):
        Arm("a", "cnn", {}, fixed=("weigths",))


COMMAND = [sys.executable, "-u", "-m", "labkit", "run", "03-dropout", "--arm", "p=0.0"]


def start(cache):
    """Start the command as a terminal would: a test run in the background of a shell ignores Ctrl-C, and passes that on."""
    heed = (lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if os.name == "posix" else None
    env = os.environ | {"LABKIT_CACHE": str(cache)}
    return subprocess.Popen(
        COMMAND, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed
    )


def wait_for_epoch(process, number):
    for line in process.stdout:
        if f"epoch {number:3}/" in line:
            return
    pytest.fail(process.stderr.read())


def rows(cache):
    record = json.loads((cache / "results/03-dropout/quick/p-0.0-seed-0.json").read_text())
    return record, [(r["epoch"], r["train_loss"], r["val_loss"]) for r in record["history"]]


def test_stopped_and_killed_runs_go_on_and_end_alike(tmp_path):
    """Ctrl-C, then kill -9, then to the end: the same history as a run that was left alone."""
    one, other = tmp_path / "one", tmp_path / "other"
    process = start(one)
    wait_for_epoch(process, 3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "stopped. What was finished is kept" in said
    assert "Traceback" not in said
    record, history = rows(one)
    assert not record["finished"]
    assert len(history) >= 3
    process = start(one)
    wait_for_epoch(process, len(history) + 2)  # it did not begin again at epoch 1
    process.kill()
    process.communicate()
    for cache in (one, other):
        process = start(cache)
        out, said = process.communicate()
        assert process.returncode == 0, said
        assert "finished: test accuracy" in out
    assert rows(one)[1] == rows(other)[1]
    assert rows(one)[0]["final"] == rows(other)[0]["final"]
    assert not list(one.glob("checkpoints/**/*.pt"))


def test_two_processes_that_want_one_run_train_it_once(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_PROGRESS", "1")
    first = start(tmp_path)
    wait_for_epoch(first, 1)
    second = start(tmp_path)
    (_, fault), (out, said) = first.communicate(), second.communicate()
    assert (first.returncode, second.returncode) == (0, 0), fault + said
    assert "another process trains this run; waiting for its record." in said
    assert "epoch   1/" not in out
    assert "finished: test accuracy" in out


def test_a_full_disk_is_said_and_nothing_is_lost(small_disk):
    process = start(small_disk.folder)
    wait_for_epoch(process, 2)
    small_disk.fill()
    _, said = process.communicate()
    assert process.returncode == 1
    assert "the disk is full" in said
    assert "Traceback" not in said
    small_disk.free()
    kept = len(rows(small_disk.folder)[1])
    assert kept >= 2
    out, said = start(small_disk.folder).communicate()
    assert "finished: test accuracy" in out, said
    assert [r[0] for r in rows(small_disk.folder)[1]] == list(range(1, 31))

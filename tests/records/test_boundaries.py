"""Statistics, verdicts and metrics at their boundaries, where one sign or one number more or less decides."""

import math
import re
from dataclasses import asdict, replace

import pytest

from labkit.base.errors import DataError
from labkit.records import metrics
from labkit.records.ledger import DRAWS, read, record_path
from labkit.records.metrics import METRICS
from labkit.records.spread import Summary, digits_for, summarise
from labkit.records.whole import disagreements, faults, misplaced, sums
from tests.making import make_run


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([0.5, 0.5], "0.500 ± 0.000 (2)"),
        ([1, 1], "1.000 ± 0.000 (2)"),  # an accuracy of 1, not a count
        ([2, 2], "2 ± 0 (2)"),
        ([2.5, 2.5], "2.500 ± 0.000 (2)"),
        ([2, 3], "2.50 ± 0.71 (2)"),
        ([2], "2 (1)"),
        ([], "not run"),
    ],
)
def test_a_summary_is_printed_in_the_digits_that_it_supports(values, says):
    assert str(summarise(values)) == says


def test_no_values_have_no_mean():
    none = summarise([])
    assert math.isnan(none.mean)
    assert (none.sd, none.n) == (0.0, 0)
    assert isinstance(none, Summary)


@pytest.mark.parametrize(("sd", "digits"), [(1.0, 0), (1.5, 0), (0.999, 2), (0.01, 2), (0.00999, 3), (1e-9, 4), (0, 3)])
def test_decimals_end_at_one_and_at_four(sd, digits):
    assert digits_for(sd) == digits


# -- verdicts on figures -----------------------------------------------------------------------------------------------


# -- verdicts on claims ------------------------------------------------------------------------------------------------


# -- metrics -----------------------------------------------------------------------------------------------------------

ROWS = [  # epoch, train_acc, val_acc, train_loss, val_loss, seconds
    (1, 0.11, 0.21, 1.1, 1.9, 30.0),
    (2, 0.12, 0.42, 1.2, 0.8, 10.0),
    (3, 0.13, 0.23, 1.3, 1.5, 20.0),
]
EXPECTED = {
    "train_acc": 0.13,
    "val_acc": 0.23,
    "train_loss": 1.3,
    "val_loss": 1.5,
    "test_acc": 0.61,
    "test_loss": 2.1,
    "train_acc_eval": 0.71,
    "train_loss_eval": 2.2,
    "val_acc_best": 0.42,
    "val_loss_best": 0.8,
    "val_loss_rise": 0.7,
    "acc_gap": 0.48,
    "seconds_per_epoch": 20.0,
    "minutes": 1.0,
    "seconds": 77.0,
    "best_epoch": 2,
    "overfits_from": 3,
    "errors_of_10000": 3900,
    "silhouette": 0.5,
    "silhouette_gain": 0.2,
    "line_errors": 4,
    "trainable": 5,
    "multiply_adds": 9,
    "params": 7,
    "params_about": 7,
    "bytes_about": 28,
}


@pytest.mark.parametrize("name", METRICS)
def test_each_metric_is_read_where_it_stands(name):
    layers = {"features": {"silhouette": 0.3, "line_errors": 8}, "hidden": {"silhouette": 0.5, "line_errors": 4}}
    names = ("epoch", "train_acc", "val_acc", "train_loss", "val_loss", "seconds")
    run = replace(
        make_run(),
        history=[dict(zip(names, row, strict=True)) for row in ROWS],
        final={
            "train": {"acc": 0.71, "loss": 2.2},
            "test": {"acc": 0.61, "loss": 2.1},
            "embedding": {"layers": layers},
        },
        model={"name": "cnn", "params": 7, "trainable": 5, "multiply_adds": 9},
        embed=["features", "hidden"],
        seconds=77.0,
    )
    assert run.value(name) == pytest.approx(EXPECTED[name])


def test_a_metric_is_known_by_its_name_alone():
    assert metrics.named("val_acc") is METRICS["val_acc"]
    assert metrics.named(lambda run: 1.0) is None
    assert metrics.named("val_accuracy") is None


def test_the_functions_that_make_metrics_read_what_they_are_told():
    run = make_run()
    run.history = [{"epoch": i, "val_acc": acc} for i, acc in enumerate((0.3, 0.5, 0.4), 1)]
    run.final = {"test": {"acc": 0.6}}
    assert metrics._last("val_acc")(run) == 0.4
    assert metrics._final("test", "acc")(run) == 0.6
    assert metrics._best(max, "val_acc")(run) == 0.5
    assert metrics._best(min, "val_acc")(run) == 0.3


# -- whole records -----------------------------------------------------------------------------------------------------


def whole_run(**changed):
    run = make_run()
    run.final = {"test": {"acc": 0.5, "loss": 1.0}}
    return replace(run, **changed)


@pytest.mark.parametrize(
    "final",
    [
        {"test": {"acc": 0.0, "loss": 0.0}},
        {"test": {"acc": 1.0, "loss": 1.0}},
        {"test": {"acc": 0.5, "loss": 1.0, "confusion": [[1, 1], [0, 0]]}},
        {"train": None, "test": {"acc": 1 / 3 + 1e-8, "loss": 1.0}},
    ],
)
def test_scores_at_their_ends_agree(final):
    run = whole_run(
        final=final, data={"name": "made", "test": {"images": 3 if 0.3 < final["test"]["acc"] < 0.4 else 2}}
    )
    assert list(disagreements(run)) == []


@pytest.mark.parametrize(
    ("final", "says"),
    [
        ({"test": {"acc": 1.1, "loss": 1.0}}, "the scores on test are 1.0 and 1.1"),
        ({"test": {"acc": -0.1, "loss": 1.0}}, "the scores on test are 1.0 and -0.1"),
        ({"test": {"acc": 0.5, "loss": -0.1}}, "the scores on test are -0.1 and 0.5"),
        ({"val": {"acc": 0.25, "loss": 1.0}}, "acc on val is 0.25, which is no number of 2 images"),
        ({"train": {"acc": 0.3, "loss": 1.0}, "test": {"acc": 0.5, "loss": 1.0}}, "acc on train is 0.3"),
        ({"test": {"acc": 0.5, "loss": 1.0, "confusion": [[1, 1], [1, 0]]}}, "its confusion counts 3 of 2 images"),
        ({"test": {"acc": 0.5001, "loss": 1.0, "confusion": [[1, 1], [0, 0]]}}, "its confusion has 1 of 2 right"),
    ],
)
def test_scores_that_cannot_be_are_told(final, says):
    data = {"name": "made", **{split: {"images": 2} for split in ("train", "val", "test")}}
    assert any(fault.startswith(says) for fault in disagreements(whole_run(final=final, data=data, history=[])))


@pytest.mark.parametrize(("bits", "acc", "fits"), [("a0", 0.5, True), ("80", 0.5, False), ("f0", 1.0, True)])
def test_the_images_that_are_right_are_as_many_as_the_accuracy_says(bits, acc, fits):
    run = whole_run(final={"test": {"acc": acc, "loss": 1.0, "right": bits}}, history=[])
    run.data = {"name": "made", "test": {"images": 4}}
    said = [] if fits else ["test has 1 images right, and acc is 0.5"]
    assert list(disagreements(run)) == said


def test_a_draw_that_is_fixed_comes_from_seed_0():
    run = replace(make_run(seed=3), fixed=["weights", "images"])
    assert [run.seed_of(draw) for draw in DRAWS] == [0, 3, 0]


@pytest.mark.parametrize(("value", "right"), [(0, True), (1, True), (0.0, True), (-0.1, False), (1.01, False)])
def test_a_share_of_an_epoch_lies_in_zero_to_one(value, right):
    run = whole_run()
    run.history[1]["val_acc"] = value
    found = list(disagreements(run))
    assert found == ([] if right else [f"val_acc of epoch 2 is {value!r}, and a share lies in 0 to 1"])


@pytest.mark.parametrize("name", ["lab", "arm", "budget", "seed", "model", "data", "recipe"])
def test_a_record_needs_what_says_which_run_it_is(name):
    content = asdict(make_run())
    assert list(faults(content, type(make_run()))) == []
    del content[name]
    assert list(faults(content, type(make_run()))) == [f"{name} is missing"]


def test_rows_and_losses_that_cannot_be_are_told():
    run = whole_run()
    run.history[1]["epoch"] = 3
    assert list(disagreements(run)) == ["its rows are not those of epochs 1, 2, 3 ..."]
    run = whole_run()
    run.history[0]["val_loss"] = math.inf  # of a training that nearly diverged
    assert list(disagreements(run)) == []
    run.history[0]["train_loss"] = math.inf
    assert list(disagreements(run)) == ["train_loss of epoch 1 is inf"]
    run.final = {}
    assert list(disagreements(run)) == []


@pytest.mark.parametrize("budget", ["quick", "full"])
def test_a_record_under_the_name_of_another_run_is_told(tmp_path, budget):
    run = replace(make_run("b", 3), budget=budget)
    right = record_path("x", "b", budget, 3)
    wrong = tmp_path / "x" / budget / "a-seed-3.json"
    assert list(misplaced(run, wrong, right)) == [f"it is the record of x, {budget}, b seed 3"]
    assert list(misplaced(run, tmp_path / "x" / budget / right.name, right)) == []
    assert list(misplaced(run, tmp_path / "elsewhere" / "a.json", right)) == []


def test_names_of_files_keep_letters_digits_and_dots():
    assert record_path("x", "-Net1, p=0.5 (A/b)-", "quick", 0).name == "Net1-p-0.5-A-b-seed-0.json"
    assert record_path("x", "X, -1 X-", "quick", 0).name == "X-1-X-seed-0.json"


def test_what_is_no_record_is_named_by_its_kind():
    assert list(faults([1], type(make_run()))) == ["it holds a list and not the fields of a run"]


def test_sums_do_not_depend_on_the_ends_of_lines_nor_on_the_order_of_the_disk(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one.json").write_bytes(b"{\r\n}\r\n")
    (tmp_path / "a.json").write_bytes(b"{\n}\n")
    lines = sums(tmp_path).splitlines()
    assert [line[66:] for line in lines] == ["a.json", "b/one.json"]
    assert lines[0][:64] == lines[1][:64]


def test_sums_stand_in_the_order_of_the_whole_names(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a/x.json", "a-b.json"):
        (tmp_path / name).write_text("{}")
    assert [line[66:] for line in sums(tmp_path).splitlines()] == ["a-b.json", "a/x.json"]


def test_a_confusion_may_differ_from_its_accuracy_by_what_floats_leave():
    scores = {"acc": 0.5 * (1 + 1e-7), "loss": 1.0, "confusion": [[1, 1], [0, 0]]}
    assert list(disagreements(whole_run(final={"test": scores}))) == []
    scores["acc"] = 0.5 * (1 + 1e-5)
    assert len(list(disagreements(whole_run(final={"test": scores})))) == 1


def test_a_record_is_text_that_a_difference_can_be_read_in(tmp_path):
    make_run().save(tmp_path / "r.json")
    assert (tmp_path / "r.json").read_text().startswith('{\n "lab": "x",\n "arm": "a",')


def test_records_of_the_quick_budget_lie_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LABKIT_RECORDS", str(tmp_path / "records"))
    assert record_path("x", "p=0.5", "quick", 3) == tmp_path / "cache/results/x/quick/p-0.5-seed-3.json"
    assert record_path("x", "p=0.5", "full", 3) == tmp_path / "records/x/full/p-0.5-seed-3.json"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is no whole record of a run: Expecting property name"),
        ("[]", "it holds a list and not the fields of a run"),
        (
            '{"a": 1, "b": 2, "c": 3, "d": 4}',
            "unknown field 'a'; it has an unknown field 'b'; it has an unknown field 'c'. D",
        ),
        ("form", r"a part of it has another form \(TypeError: "),
    ],
)
def test_a_damaged_record_is_named_with_its_first_three_faults(tmp_path, text, says):
    path = tmp_path / "r.json"
    if text == "form":
        run = make_run()
        run.final = {"test": {"acc": "high", "loss": 1.0}}
        run.save(path)
    else:
        path.write_text(text)
    with pytest.raises(DataError, match=f"^{path} is no whole record of a run: ") as told:
        read(path)
    assert re.search(says, str(told.value))
    assert str(told.value).endswith("Delete it and run that lab again, or restore it from git.")

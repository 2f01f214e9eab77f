"""Records, reported figures, statistics and verdicts."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from labkit.base.errors import ConfigError, DataError
from labkit.records.claims import Claim, Difference, Value, verdict, verdict_about
from labkit.records.ledger import read, record_path
from labkit.records.reports import decimals, reported
from labkit.records.statistics import interval, judge, paired, summarise
from tests.making import make_run

numbers = st.lists(st.floats(-100, 100), min_size=2, max_size=12)


@given(numbers)
def test_summary_is_numpys(values):
    found = summarise(values)
    assert found.mean == pytest.approx(np.mean(values), abs=1e-9)
    assert found.sd == pytest.approx(np.std(values, ddof=1), abs=1e-9)
    assert found.n == len(values)


@given(numbers.filter(lambda v: np.std(v) > 1e-6))
def test_interval_is_scipys(values):
    low, high = interval(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_one_value_has_no_interval():
    assert interval([1.0]) == (-math.inf, math.inf)
    assert str(summarise([0.5])) == "0.500 (1)"


def test_verdict_is_a_prediction_interval():
    """A figure drawn from the same distribution is called reproduced 95 times in 100."""
    rng = np.random.default_rng(0)
    draws = rng.normal(10, 3, (2000, 6))  # so wide that the widening for rounding does not matter
    share = np.mean([verdict(row[0], list(row[1:])) == "reproduced" for row in draws])
    assert 0.935 < share < 0.965
    assert verdict(0.5, []) == "not run"
    assert verdict(0.5, [0.5]).startswith("unclear")
    assert verdict(0.9, [0.5, 0.51, 0.49]) == "not reproduced: ours is 0.40 lower"


@pytest.mark.parametrize(
    ("value", "digits"), [(106, 0), (813_802, 0), (0.6, 2), (0.65, 2), (0.905, 3), (0.9894, 4), (14.0, 2), (1e-5, 2)]
)
def test_decimals_are_those_that_a_source_prints(value, digits):
    assert decimals(value) == digits


@pytest.mark.parametrize(
    ("value", "ours", "says"),
    [
        (813_802, [813_802, 813_802], "reproduced"),
        (813_802, [813_803, 813_803], "not reproduced: ours is 1 higher"),
        (25_000, [24_234, 24_234], "not reproduced: ours is 766 lower"),
        (250_000, [24_234, 24_234], "not reproduced: ours is 225,766 lower"),
        (106, [100, 111, 105], "reproduced"),
        (106, [80, 81, 82], "not reproduced: ours is 25 lower"),
        (14, [14, 14, 14], "reproduced"),
        (14, [15, 15, 15], "not reproduced: ours is 1 higher"),
        (0.9894, [0.9912, 0.9913, 0.9911], "not reproduced: ours is 0.0018 higher"),
        (0.99, [0.9912, 0.9913, 0.9911], "reproduced"),  # it may have been 0.9912
        (0.9894, [0.98944, 0.98944], "reproduced"),  # it may have been 0.98944
        (0.9894, [0.98946, 0.98946], "not reproduced: ours is 0.0001 higher"),
        (0.905, [0.93, 0.931, 0.929], "not reproduced: ours is 0.025 higher"),
    ],
)
def test_a_verdict_is_as_exact_as_the_printed_figure(value, ours, says):
    assert verdict(value, ours) == says


def test_a_count_is_not_widened_by_rounding():
    assert verdict(100, [100.4, 100.4]).startswith("not reproduced")
    assert verdict(100.0, [100.004, 100.004]) == "reproduced"


@pytest.mark.parametrize(
    ("metric", "values", "says"),
    [
        ("val_acc", [0.02, 0.03, 0.025], "better"),
        ("val_acc", [-0.02, -0.03, -0.025], "worse"),
        ("val_loss", [0.02, 0.03, 0.025], "worse"),
        ("test_loss", [-0.02, -0.03, -0.025], "better"),
        ("acc_gap", [0.02, 0.03, 0.025], "higher"),
        ("seconds_per_epoch", [-2, -3, -2.5], "lower"),
        ("val_acc", [0.02, -0.03, 0.025], "no difference seen"),
        ("val_acc", [0.0, 0.0, 0.0], "no difference seen"),
        ("val_acc", [0.5], "unclear: one run has no interval"),
    ],
)
def test_better_needs_an_interval_that_leaves_out_zero(metric, values, says):
    assert judge(metric, values) == says


def test_round_figures_may_be_off_by_a_twentieth():
    assert verdict_about(100, [95]) == "reproduced: about the same"
    assert verdict_about(100, [94]) == "not reproduced: ours is 6% lower"
    assert verdict_about(100, [106]) == "not reproduced: ours is 6% higher"
    assert verdict_about(100, []) == "not run"


def test_a_run_as_it_stood_after_an_epoch():
    run = make_run(val_loss=1.0, low=0.8)
    assert run.until(1).value("val_loss") == 0.8
    assert run.until(2).value("val_loss") == run.value("val_loss") == 1.0
    assert run.until(1).final == {}  # its scores are of the end
    for epoch in (0, 3):
        with pytest.raises(ConfigError, match=f"has epochs 1 to 2, asked for {epoch}"):
            run.until(epoch)


@pytest.mark.parametrize(
    ("differences", "margin", "says"),
    [
        ([-0.1, -0.11, -0.12], 0, "holds"),
        ([0.1, 0.11, 0.12], 0, "does not hold"),
        ([0.1, 0.11, 0.12], 0.2, "holds"),
        ([0.1, -0.1, 0.05], 0, "unclear"),
    ],
)
def test_not_higher(differences, margin, says):
    runs = [make_run("a", s, val_acc=0.5 + d) for s, d in enumerate(differences)]
    runs += [make_run("b", s, val_acc=0.5) for s in range(len(differences))]
    assert Claim("", "", Difference("val_acc", "a", "b"), "not higher", margin).decide(runs) == says


def test_claims_are_decided_by_the_interval():
    runs = [make_run("a", s, val_loss=0.80 + 0.01 * s) for s in range(4)]
    runs += [make_run("b", s, val_loss=1.00 + 0.01 * s + 0.001 * (s % 2)) for s in range(4)]

    def decide(expect, margin=0.0, metric="val_loss"):
        return Claim("", "", Difference(metric, "a", "b"), expect, margin).decide(runs)

    assert decide("lower") == decide("lower", 0.1) == "holds"
    assert decide("higher") == decide("lower", 0.3) == decide("equal", 0.1) == "does not hold"
    assert decide("lower", 0.2005) == "unclear"
    assert decide("equal", 0.3) == "holds"
    assert Claim("", "", Difference("val_loss", "a", "b"), "lower").measured(runs).startswith("-0.2")


def test_claims_are_paired_by_seed_and_leave_out_unfinished_runs():
    runs = [make_run("a", 0), make_run("a", 1), make_run("b", 1, val_loss=3.0), make_run("b", 0, finished=False)]
    claim = Claim("", "", Difference("val_loss", "a", "b"), "lower")
    assert claim.about.values(runs) == [-2.0]
    assert claim.decide(runs) == "unclear"
    assert claim.measured(runs) == "-2.000 (n = 1: no interval)"
    assert claim.decide([]) == claim.measured([]) == "not run"
    rise = Claim("", "", Value("val_loss_rise", "c"), "higher", 0.1)
    assert rise.about.values([make_run("c", s, val_loss=1.5, low=1.2) for s in range(2)]) == pytest.approx([0.3, 0.3])


def test_record_round_trip(tmp_path):
    run = make_run()
    run.save(tmp_path / "r.json")
    assert read(tmp_path / "r.json") == run
    assert json.loads((tmp_path / "r.json").read_text())["arm"] == "a"


@pytest.mark.parametrize("content", ["", "{", '{"unknown": 1}', "[]"])
def test_damaged_record_is_named(tmp_path, content):
    path = tmp_path / "r.json"
    path.write_text(content)
    with pytest.raises(DataError, match="r.json is no whole record of a run"):
        read(path)


def test_record_names_work_on_every_system(monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    name = record_path("03-dropout", "p=0.5 / a:b*", "quick", 3).name
    assert name == "p-0.5-a-b-seed-3.json"


def test_epochs_and_errors_are_counted_from_a_run():
    rows = [(0.5, 1.0), (0.7, 0.6), (0.8, 0.7), (0.8, 0.9)]  # validation accuracy and loss of epochs 1 to 4
    run = make_run()
    run.history = [{**run.history[0], "epoch": i, "val_acc": a, "val_loss": x} for i, (a, x) in enumerate(rows, 1)]
    assert run.value("val_acc_best") == 0.8
    assert run.value("best_epoch") == 3  # the first of equal ones
    assert run.value("overfits_from") == 3  # the lowest loss is that of epoch 2
    assert run.until(2).value("best_epoch") == 2
    assert run.until(2).value("overfits_from") == 3  # not yet
    assert run.value("errors_of_10000") == pytest.approx(6000)
    run.model = {"name": "cnn", "params": 7, "trainable": 5}
    assert (run.value("params"), run.value("trainable")) == (7, 5)


def test_planes_are_read_in_the_order_of_the_layers():
    run = make_run()
    run.embed = ["features", "hidden"]
    run.final["embedding"] = {
        "layers": {"hidden": {"silhouette": 0.5, "line_errors": 4}, "features": {"silhouette": 0.2, "line_errors": 9}}
    }
    assert run.value("silhouette") == 0.5
    assert run.value("silhouette_gain") == pytest.approx(0.3)
    assert run.value("line_errors") == 4
    run.embed = ["features"]
    assert run.value("silhouette") == 0.2
    assert run.value("silhouette_gain") == 0


def test_records_of_before_there_were_planes_are_read(tmp_path):
    make_run().save(tmp_path / "r.json")
    old = json.loads((tmp_path / "r.json").read_text())
    del old["embed"]
    (tmp_path / "r.json").write_text(json.dumps(old))
    assert read(tmp_path / "r.json") == make_run()


def test_a_metric_may_be_a_function_of_a_run():
    def doubled(run):
        return 2 * run.value("val_acc")

    runs = [make_run("a", s, val_acc=0.5 + 0.01 * s) for s in range(3)]
    runs += [make_run("b", s, val_acc=0.4) for s in range(3)]
    assert runs[0].value(doubled) == 1.0
    assert paired(runs, doubled, "a", "b") == pytest.approx([0.2, 0.22, 0.24])
    assert Claim("", "", Difference(doubled, "a", "b"), "higher", 0.1).decide(runs) == "holds"
    assert Claim("", "", Value(doubled, "a"), "higher", 1.5).decide(runs) == "does not hold"
    assert Claim("", "", Value(doubled, "a"), "higher").about.values(runs) == pytest.approx([1.0, 1.02, 1.04])


def test_metrics_and_reported_are_checked():
    assert make_run().value("val_acc") == 0.5
    assert make_run().value("train_acc_eval") == 0.7
    with pytest.raises(ConfigError, match="There is no metric"):
        make_run().value("accuracy")
    assert set(reported()) == {"uchile", "udesa", "itba", "urjc", "uam"}
    assert reported("uchile", "vgg_d")["total"] == 139708288
    for arguments in (("chile",), ("uchile", "drop")):
        with pytest.raises(ConfigError, match="Did you mean"):
            reported(*arguments)

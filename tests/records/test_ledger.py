"""Records, reported figures, statistics and verdicts."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.base.errors import ConfigError, DataError
from labkit.records.estimates import difference, of_arm
from labkit.records.ledger import read, record_path
from labkit.records.reports import decimals, reported
from labkit.records.spread import summarise
from tests.making import make_run

numbers = st.lists(st.floats(-100, 100), min_size=2, max_size=12)


def test_one_run_has_no_spread():
    assert (summarise([0.5]).mean, summarise([0.5]).sd, summarise([0.5]).n) == (0.5, 0.0, 1)


@given(numbers)
def test_summary_is_numpys(values):
    found = summarise(values)
    assert found.mean == pytest.approx(np.mean(values), abs=1e-9)
    assert found.sd == pytest.approx(np.std(values, ddof=1), abs=1e-9)
    assert found.n == len(values)


@pytest.mark.parametrize(
    ("value", "digits"), [(106, 0), (813_802, 0), (0.6, 2), (0.65, 2), (0.905, 3), (0.9894, 4), (14.0, 2), (1e-5, 2)]
)
def test_decimals_are_those_that_a_source_prints(value, digits):
    assert decimals(value) == digits


def test_a_run_as_it_stood_after_an_epoch():
    run = make_run(val_loss=1.0, low=0.8)
    assert run.until(1).value("val_loss") == 0.8
    assert run.until(2).value("val_loss") == run.value("val_loss") == 1.0
    assert run.until(1).final == {}  # its scores are of the end
    for epoch in (0, 3):
        with pytest.raises(ConfigError, match=f"has epochs 1 to 2, asked for {epoch}"):
            run.until(epoch)


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
    found = difference(runs, doubled, "a", "b")
    assert found.a == pytest.approx((1.0, 1.02, 1.04))
    assert (found.b, found.better) == ((0.8,) * 3, "")
    assert of_arm(runs, doubled, "a").values == found.a


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

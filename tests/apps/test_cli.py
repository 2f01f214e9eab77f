"""The command line: what it prints, its exit codes, and no traceback unless asked for."""

import pytest

from labkit import __main__ as entry
from labkit.base.errors import DataError
from labkit.data import download
from tests.reading import call


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["run", "03-dropot"], "Did you mean '03-dropout'"),
        (["run", "03-dropout", "--budget", "ful"], "Did you mean 'full'"),
        (["run", "03-dropout", "--device", "gpu"], "There is no device 'gpu'"),
        (["run", "03-dropout", "--arm", "p=0.4"], "There is no arm"),
        (["run", "03-dropout", "--seeds", "0"], "seeds must be at least 1"),
        (["run", "03-dropout", "--track", "mlflow"], "There is no tracker"),
        (["search", "14-hyperparameter-search", "--track", "mlflow"], "There is no tracker"),
        (["search", "14-hyperparameter-search", "--sampler", "tpe"], "The sampler tpe draws without end"),
        (["search", "14-hyperparameter-search", "--pruner", "median"], "A grid trains each point to its end"),
        (["compare", "nothing"], "There is no lab"),
        (["data", "fetch", "cifar"], "Did you mean 'cifar10'"),
        (["book", "now"], "`book` takes no arguments"),
        (["fly"], "No such command 'fly'"),
        (["run"], "Missing argument 'NAME'"),
    ],
)
def test_mistakes_end_in_one_sentence(capsys, monkeypatch, tmp_path, args, says):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    code, _, err = call(capsys, *args)
    assert code
    assert says in err
    assert "Traceback" not in err


def test_traceback_only_when_asked_for():
    with pytest.raises(Exception, match="There is no lab"):
        entry.main(["compare", "nothing", "--traceback"])


def test_full_budget_without_data_says_how_to_get_it(capsys, monkeypatch, tmp_path, records):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    code, _, err = call(capsys, "run", "03-dropout", "--budget", "full", "--seeds", "1")
    assert code == 1
    assert "labkit data fetch cifar10" in err
    assert "c58f30108f718f92721af3b95e74349a" in err


def test_ctrl_c_has_its_own_exit_code(capsys, monkeypatch):
    def stop(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("labkit.catalogue.index.labs", stop)
    code, _, err = call(capsys, "list")
    assert code == 130
    assert "the same command goes on from there" in err


def test_list_and_compare_print_the_records(capsys):
    code, out, _ = call(capsys, "list")
    assert not code
    assert "03-dropout" in out
    assert "Dropout: does turning units off help?" in out
    code, out, _ = call(capsys, "compare", "03-dropout")
    assert not code
    for part in ("0.65", "recorded (cifar10)", "(5)", "verdict", "holds", "95 % interval"):
        assert part in out


def test_data_status_and_doctor(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    code, out, _ = call(capsys, "data", "status")
    assert not code
    assert out.count("not ready") == len(download.SOURCES)
    code, out, _ = call(capsys, "doctor")
    assert not code
    assert "5,000 images" in out


def test_doctor_finds_a_damaged_bundle(capsys, monkeypatch):
    def damaged(_):
        raise DataError("it is damaged")

    monkeypatch.setattr("labkit.data.images._load_bundled", damaged)
    code, out, _ = call(capsys, "doctor")
    assert code == 1
    assert "it is damaged" in out


def test_tracking_switch_writes_event_files(capsys, monkeypatch, tmp_path):
    from dataclasses import replace

    from labkit.catalogue import index
    from labkit.training.recipe import Recipe

    whole = index.lab("03-dropout")
    few = replace(whole.quick.images, train_per_class=5)
    short = replace(whole, quick=replace(whole.quick, images=few, recipe=Recipe(epochs=1)))
    monkeypatch.setitem(index.LABS, "03-dropout", short)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    code, out, _ = call(capsys, "run", "03-dropout", "--track", "tensorboard")
    assert not code
    assert out.count("epoch   1/1") == 2
    assert f"tensorboard --logdir {tmp_path / 'tracking'}" in out
    assert len(list(tmp_path.glob("tracking/**/events.*"))) == 2


def test_a_search_is_tracked_and_says_how_to_open_the_dashboard(capsys, monkeypatch, tmp_path):
    from labkit.catalogue import index
    from tests.search_worker import GRID

    monkeypatch.setitem(index.SEARCHES, "test-grid", GRID)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    code, out, _ = call(capsys, "search", "test-grid", "--device", "cpu", "--track", "tensorboard")
    assert not code
    assert len(list(tmp_path.glob("tracking/test-grid/**/events.*"))) == 12
    assert out.splitlines()[-1].endswith(f"then optuna-dashboard sqlite:///{tmp_path}/searches/studies.db")


def test_a_sampler_ends_with_the_table_of_what_it_drew(capsys, monkeypatch, tmp_path):
    from labkit.catalogue import index
    from tests.search_worker import GRID

    monkeypatch.setitem(index.SEARCHES, "test-grid", GRID)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    code, out, _ = call(
        capsys, "search", "test-grid", "--device", "cpu", "--sampler", "random", "--trials", "3", "--pruner", "median"
    )
    assert not code
    assert "val_acc" in out
    assert [line.split()[0] for line in out.splitlines()[-4:]] == ["0", "1", "2", "Look"]

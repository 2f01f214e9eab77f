"""Records are believed only when they are whole; those of the project are, to the last digit."""

import json
import shutil

import pytest

from labkit.base.errors import DataError
from labkit.base.files import records_dir
from labkit.records.ledger import read, record_path
from labkit.records.whole import sums

RECORDS = sorted(path for path in records_dir().rglob("*/full/*.json") if path.name not in ("cost.json", "steps.json"))
ONE = next(path for path in RECORDS if path.parts[-3] == "08-simple-cnn-mnist")


def test_every_record_is_whole_and_agrees_with_itself():
    assert len(RECORDS) > 500
    for path in RECORDS:
        run = read(path)
        assert path == record_path(run.lab, run.arm, run.budget, run.seed)
        assert run.finished


def test_no_record_was_changed_by_anything_but_a_training():
    """Whoever adds records stores the sums anew: python -m labkit notebooks."""
    assert (records_dir() / "SHA256SUMS").read_text("utf-8") == sums(records_dir())


def test_a_record_that_is_changed_by_a_hundredth_changes_its_sum(tmp_path):
    shutil.copy(ONE, tmp_path / ONE.name)
    before = sums(tmp_path)
    content = json.loads(ONE.read_text("utf-8"))
    content["history"][0]["train_loss"] += 0.01
    (tmp_path / ONE.name).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    assert sums(tmp_path) != before


def change(key, value):
    def apply(content):
        *way, last = key.split(".")
        for name in way:
            content = content[int(name) if name.isdigit() else name]
        last = int(last) if last.isdigit() else last
        if value is None:
            del content[last]
        else:
            content[last] = value

    return apply


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (change("seed", "0"), "seed is '0'"),
        (change("seed", True), "seed is True"),
        (change("finished", 1), "finished is 1"),
        (change("history", {}), r"history is \{\}"),
        (change("more", 1), "unknown field 'more'"),
        (change("recipe", None), "recipe is missing"),
        (change("arm", "another"), "it is the record of 08-simple-cnn-mnist, full, another seed 0"),
        (change("seed", 7), "it is the record of"),
        (change("seconds", -1.0), "cannot be"),
        (change("history.1.epoch", 7), "its rows are not those of epochs"),
        (change("history.1.train_loss", float("nan")), "train_loss of epoch 2 is nan"),
        (change("history.1.val_acc", 1.01), "a share lies in 0 to 1"),
        (change("history.1.val_acc", "0.9"), "val_acc of epoch 2 is '0.9'"),
        (change("final.test.acc", 0.5), "its confusion has"),
        (change("final.test.loss", -1.0), "the scores on test are -1.0"),
        (change("final.val.acc", 0.5), "val_acc of the last epoch is"),
        (change("final.val.acc", 0.98765432), "which is no number of"),
        (change("final.test.confusion.0.0", 7), "its confusion counts"),
        (change("final.test.loss", None), "a part of it has another form"),
    ],
)
def test_a_record_that_is_not_whole_is_refused(tmp_path, changed, words):
    content = json.loads(ONE.read_text("utf-8"))
    place = tmp_path / "08-simple-cnn-mnist" / "full" / ONE.name
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(content), "utf-8")
    assert read(place).seed == content["seed"]  # as it is, it is believed, in another folder too
    changed(content)
    place.write_text(json.dumps(content), "utf-8")
    with pytest.raises(DataError, match=words):
        read(place)


def test_what_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    (tmp_path / "r.json").mkdir()
    with pytest.raises(DataError, match="is a folder, and a record is a file. Nothing in it was changed.") as refused:
        read(tmp_path / "r.json")
    assert "Delete" not in str(refused.value)
    shutil.copy(ONE, tmp_path / "s.json")
    monkeypatch.setattr(
        "pathlib.Path.read_text", lambda self, **more: (_ for _ in ()).throw(OSError(5, "Input/output"))
    )
    with pytest.raises(DataError, match="cannot be read: Input/output") as refused:
        read(tmp_path / "s.json")
    assert "Delete" not in str(refused.value)

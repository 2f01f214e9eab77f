"""The last steps of a competition: the mean over views of each image, and the file to hand in."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from labkit.analysis.predictions import predict
from labkit.apps.competition import Sample, check_submission, predict_views, read_sample, write_submission
from labkit.base.errors import ConfigError, DataError
from labkit.data.augment import Cutout, Flip, Rotate, apply_all
from labkit.data.images import ImageSet
from tests.making import make_model, make_set

AS_THEY_ARE = torch.zeros(1), torch.ones(1)  # a mean and an sd that leave the pixels as shares of 255
SAMPLE = Sample(("id", "label"), ("a", "b", "c", "d"))


class Sides(nn.Module):
    """Gives class 0 three times the chance of class 1 where the left half is white and the right one black."""

    def __init__(self):
        super().__init__()
        self.sharp = nn.Parameter(torch.tensor(math.log(3)))

    def forward(self, X):
        half = X.shape[3] // 2
        sides = torch.stack([X[..., :half].mean(dim=(1, 2, 3)), X[..., half:].mean(dim=(1, 2, 3))], dim=1)
        return self.sharp * sides  # (B, 2)


def halves() -> ImageSet:
    """One image that is white on its left side, and one that is white on its right side."""
    images = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    images[0, :, :, :2] = images[1, :, :, 2:] = 255
    return ImageSet("halves", "test", images, torch.tensor([0, 0]), ("left", "right"))


def test_the_chances_are_the_mean_over_the_views():
    found = predict_views(Sides(), halves(), [(), (), (Flip(p=1.0),)], mean_std=AS_THEY_ARE)
    assert found.chances == pytest.approx(np.array([[7 / 12, 5 / 12], [5 / 12, 7 / 12]]))  # (3/4 + 3/4 + 1/4) / 3
    assert found.labels.tolist() == [0, 0]
    assert found.classes == ("left", "right")
    assert found.acc == 0.5


def test_the_one_view_of_the_images_as_they_are_is_a_plain_prediction():
    model, data = make_model(), make_set(10, size=12)
    assert np.array_equal(predict_views(model, data, [()]).chances, predict(model, data).chances)
    still = predict_views(model, data, [(Rotate(0.0),)])  # calculates in floats, and turns nothing
    assert still.chances == pytest.approx(predict(model, data).chances, abs=1e-6)


def test_views_are_normalised_by_the_figures_of_the_images_as_they_are():
    model, data, views = make_model(), make_set(10, size=12), [(Cutout(9, fill=1.0),)]
    images = apply_all(views[0], data.images, torch.Generator().manual_seed(3))
    covered = ImageSet("covered", "test", images, data.labels, data.classes)
    assert np.array_equal(
        predict_views(model, data, views, seed=3).chances, predict(model, covered, data.mean_std).chances
    )
    model.mean_std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.4, 0.5, 0.6])  # those that a network brings along
    assert np.array_equal(
        predict_views(model, data, views, seed=3).chances, predict(model, covered, model.mean_std).chances
    )
    assert not np.allclose(predict_views(model, data, views, seed=4).chances, predict(model, covered).chances)


def test_no_views_are_refused():
    with pytest.raises(ConfigError, match=r"at least one view; \(\) is the image as it is"):
        predict_views(Sides(), halves(), [])


def test_a_sample_is_read_with_its_ids_in_their_order(tmp_path):
    path = tmp_path / "sample.csv"
    path.write_bytes(b'\xef\xbb\xbfid,label\r\nb.png,0\r\n\r\n"a, 2.png",0\r\n')  # with a mark and an empty line
    assert read_sample(path) == Sample(("id", "label"), ("b.png", "a, 2.png"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must have a header and two columns in every row, separated by a comma"),
        ("id;label\na;0\n", "must have a header and two columns in every row"),
        ("id,label\na,0,1\n", "must have a header and two columns in every row"),
        ("id,label\na,0\nb,0\nb,0\n", "has the id 'b' more than once"),
    ],
)
def test_a_sample_that_is_none_is_refused(tmp_path, text, says):
    (tmp_path / "sample.csv").write_text(text)
    with pytest.raises(DataError, match=says):
        read_sample(tmp_path / "sample.csv")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataError, match=r"There is no file .*none\.csv\."):
        read_sample(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"There is no file .*none\.csv\."):
        check_submission(tmp_path / "none.csv", SAMPLE, 4)


def test_a_file_to_hand_in_has_a_row_for_each_id_of_the_sample(tmp_path):
    path = tmp_path / "mine.csv"
    write_submission(path, Sample(("id", "label"), ("b.png", "a, 2.png")), np.array([3, 0]))
    assert path.read_bytes() == b'id,label\nb.png,3\n"a, 2.png",0\n'
    assert read_sample(path).ids == ("b.png", "a, 2.png")
    with pytest.raises(ConfigError, match="The sample has 4 ids and there are 2 labels"):
        write_submission(path, SAMPLE, [1, 2])
    assert path.read_bytes().startswith(b"id,label\nb.png,3\n")  # the file of before stands


def test_a_file_as_it_should_be_has_no_faults(tmp_path):
    write_submission(tmp_path / "mine.csv", SAMPLE, [0, 1, 2, 3])
    assert check_submission(tmp_path / "mine.csv", SAMPLE, 4) == []


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("Id,label\na,0\nb,0\nc,0\nd,0\n", ["The header is Id,label, expected id,label."]),
        ("id,label\na,0\nc,0\n", ["2 ids are missing: b, d."]),
        ("id,label\n", ["4 ids are missing: a, b, c, ...."]),
        ("id,label\na,0\nb,0\nc,0\nd,0\ne,0\n", ["1 ids are not in the sample: e."]),
        ("id,label\na,0\nb,0\nc,0\nc,0\nd,0\nc,0\n", ["1 ids are there more than once: c."]),
        ("id,label\na,4\nb,-1\nc,1.0\nd,\n", ["4 labels are no class from 0 to 3, such as '4'."]),
        ("id,label\na,3\nb,cat\nc,0\nd,0\n", ["1 labels are no class from 0 to 3, such as 'cat'."]),
        ("id,label\na,0\nc,0\nb,0\nd,0\n", ["The ids are not in the order of the sample, from row 3 on."]),
        (
            "a,0\nc,0\nb,9\n",
            [
                "The header is a,0, expected id,label.",
                "2 ids are missing: a, d.",
                "1 labels are no class from 0 to 3, such as '9'.",
            ],
        ),
    ],
)
def test_each_fault_is_one_sentence(tmp_path, text, faults):
    (tmp_path / "mine.csv").write_text(text)
    assert check_submission(tmp_path / "mine.csv", SAMPLE, 4) == faults


def test_fewer_than_two_classes_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="num_classes must be a whole number of at least 2, got 1"):
        check_submission(tmp_path / "mine.csv", SAMPLE, 1)


def test_labels_may_be_a_tensor(tmp_path):
    write_submission(tmp_path / "s.csv", Sample(("id", "label"), ("a", "b")), torch.tensor([1, 0]))
    assert (tmp_path / "s.csv").read_text() == "id,label\na,1\nb,0\n"


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "s.csv").write_bytes("id,größe\n".encode("latin-1"))
    with pytest.raises(DataError, match="is no text in UTF-8"):
        read_sample(tmp_path / "s.csv")


def test_a_label_of_thousands_of_digits_is_no_class(tmp_path):
    (tmp_path / "s.csv").write_text(f"id,label\na,{'1' * 5000}\n")
    assert check_submission(tmp_path / "s.csv", Sample(("id", "label"), ("a",)), 10)[0].startswith(
        "1 labels are no class"
    )


@pytest.mark.parametrize("label", [float("nan"), 1.0, -1, None, True])
def test_a_label_that_is_no_class_is_not_written(tmp_path, label):
    with pytest.raises(ConfigError, match="A label must be a whole number of at least 0"):
        write_submission(tmp_path / "s.csv", Sample(("id", "label"), ("a", "b")), [0, label])
    assert not list(tmp_path.iterdir())


def test_labels_may_be_tensors_and_numbers_of_numpy(tmp_path):
    sample = Sample(("id", "label"), ("a", "b"))
    for labels in (torch.tensor([3, 1]), [torch.tensor(3), torch.tensor(1)], np.array([3, 1], dtype=np.uint8)):
        write_submission(tmp_path / "s.csv", sample, labels)
        assert (tmp_path / "s.csv").read_text() == "id,label\na,3\nb,1\n"
    write_submission(tmp_path / "s.csv", sample, np.array(["cat", "dog"]))
    assert (tmp_path / "s.csv").read_text() == "id,label\na,cat\nb,dog\n"

"""Figures of what a network answers: the words are made from the numbers, and wrong input is refused."""

import io
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from PIL import Image

from labkit import plots
from labkit.base.errors import ConfigError
from labkit.data.images import ImageSet
from labkit.plots.answers import COLOURS, MOST_CLASSES, SHAPES, medians, spread

CLASSES = ("ant", "bee", "cat")


@dataclass
class Answers:
    """Stands for what a network says of images."""

    chances: np.ndarray
    labels: np.ndarray
    classes: tuple
    chosen: np.ndarray


@dataclass
class Line:
    weights: np.ndarray
    bias: float
    errors: int


def shape(picture):
    """Return width and height of the figure, and check that it stands on white."""
    image = Image.open(io.BytesIO(picture.png)).convert("RGBA")
    assert (np.asarray(image)[[0, -1], [0, -1]] == 255).all()
    return image.size


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")).reshape(-1, 3)


def clouds(count=20, classes=3, seed=0):
    """Draw points around far centres on a line: class 0 at 0, class 1 at 100, class 2 at 140, and so on."""
    draw = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), count)
    centres = np.stack([np.array([0, *range(100, 100 + 40 * (classes - 1), 40)]), np.zeros(classes)], axis=1)
    return centres[labels] + draw.normal(0, 2, (len(labels), 2)), labels


def images(count=20, classes=CLASSES):
    pixels = torch.arange(count).view(-1, 1, 1, 1).expand(count, 1, 8, 8).to(torch.uint8)
    return ImageSet("made", "val", pixels, torch.arange(count) % len(classes), tuple(classes))


def answers(data, chosen):
    chosen = np.asarray(chosen)
    chances = np.full((len(data), len(data.classes)), 0.01)
    chances[np.arange(len(data)), chosen] = 0.98
    return Answers(chances, data.labels.numpy(), data.classes, chosen)


def test_confusion_counts_what_was_taken_for_what():
    picture = plots.confusion([[90, 8, 2], [0, 45, 5], [1, 0, 49]], CLASSES, "Small network")
    assert picture.alt == (
        "Table of 3 true by 3 chosen classes. Small network. 200 images, 92.0 % right. "
        "Largest confusions: ant taken for bee: 8; bee taken for cat: 5; ant taken for cat: 2."
    )
    assert shape(picture)[0] == 740


def test_confusion_colours_mistakes_by_their_share_not_their_number():
    """The largest share has the darkest ground, be it of 2 images or of 500; the diagonal is grey."""
    darkest = np.array([127, 39, 4])  # of the colour map: the largest share in the table
    few = pixels(plots.confusion([[998, 2, 0], [0, 4, 1], [0, 0, 5]], CLASSES))
    many = pixels(plots.confusion([[500, 500, 0], [0, 4, 1], [0, 0, 5]], CLASSES))
    for found in (few, many):  # in both tables the largest share is that of one cell
        assert (np.abs(found - darkest).sum(axis=1) < 6).sum() > 1000
    grey = (few == 0xE8).all(axis=1).sum()
    assert grey > 3000  # the diagonal has no colour of the scale


def test_confusion_without_mistakes_and_without_counts():
    assert "100.0 % right. No image was taken for another class." in plots.confusion(np.eye(3, dtype=int), CLASSES).alt
    for nothing in (None, np.zeros((3, 3), int)):
        assert plots.confusion(nothing, CLASSES, "Full run").alt == "Full run: not run, so there is nothing to draw."


def test_confusion_refuses_what_it_cannot_draw():
    with pytest.raises(ConfigError, match=r"a row and a column for each of the 3 classes, got shape \(2, 2\)"):
        plots.confusion(np.eye(2), CLASSES)
    with pytest.raises(ConfigError, match="at most 12 classes, got 13"):
        plots.confusion(np.eye(13), [str(i) for i in range(13)])
    names = [f"a long name {i}" for i in range(12)]
    assert shape(plots.confusion(np.eye(12), names))[0] == 740


def test_mistakes_are_listed():
    data = images(9)
    picture = plots.mistakes(data, answers(data, [1, 1, 0, 0, 0, 0, 0, 0, 0]), [0, 4], "Surest")
    assert picture.alt == (
        "2 images with true → chosen class and its chance. Surest. ant → bee, 98 %; bee → ant, 98 %."
    )
    one = shape(picture)
    two = shape(plots.mistakes(data, answers(data, [0] * 9), torch.arange(9)))
    assert one[0] == two[0] == 740
    assert two[1] > 1.6 * one[1]  # nine images stand in two rows


def test_mistakes_break_long_names():
    data = images(3, ("automobile", "motor bicycle", "x"))
    short = shape(plots.mistakes(images(3), answers(images(3), [0, 0, 0]), [1]))
    long = shape(plots.mistakes(data, answers(data, [1, 0, 0]), [0]))
    assert long[1] > short[1]


def test_no_mistakes_and_too_many():
    data = images(20)
    found = answers(data, [0] * 20)
    assert (
        plots.mistakes(data, found, [], "Mistakes of the small one").alt == "Mistakes of the small one: there is none."
    )
    assert plots.mistakes(data, found, torch.tensor([], dtype=torch.int64)).alt == "Mistakes: there is none."
    with pytest.raises(ConfigError, match="at most 16 images, got 17"):
        plots.mistakes(data, found, range(17))
    with pytest.raises(ConfigError, match="predictions are of 20 images, and made .val. has 19"):
        plots.mistakes(images(19), found, [0])


def test_plane_says_which_classes_lie_near():
    points, labels = clouds()
    alt = plots.plane(points, labels, CLASSES, "Last layer", score="silhouette 0.41").alt
    assert alt == (
        "Plane of points of ant, bee, cat. Last layer. 60 points of 3 classes. "
        "The medians of bee and cat lie nearest to each other. silhouette 0.41."
    )
    torch_alt = plots.plane(torch.tensor(points), torch.tensor(labels), CLASSES, "Last layer").alt
    assert torch_alt == alt.removesuffix(" silhouette 0.41.")


@pytest.mark.parametrize("several", [False, True])
def test_each_point_has_the_colour_of_its_own_label(monkeypatch, several):
    points, labels = clouds()
    order = np.random.default_rng(1).permutation(len(labels))
    points, labels, kept = points[order], labels[order], []
    monkeypatch.setattr("matplotlib.pyplot.close", kept.append)
    if several:
        plots.planes([{"points": points, "labels": labels}], CLASSES)
    else:
        plots.plane(points, labels, CLASSES)
    drawn = kept[0].axes[0].collections
    for number, centre in enumerate((0, 100, 140)):
        assert len(drawn[number].get_offsets()) == 20
        assert np.abs(np.asarray(drawn[number].get_offsets()) - (centre, 0)).max() < 10
        assert to_hex(drawn[number].get_facecolor()[0]).lower() == COLOURS[number].lower()


def test_plane_names_only_classes_that_occur():
    points, labels = clouds(classes=2)
    alt = plots.plane(points, labels * 2, CLASSES).alt
    assert alt == "Plane of points of ant, cat. 40 points of 2 classes."


@pytest.mark.parametrize("weights", [[1.0, 0.0], [0.0, 1.0], [3.0, -1.0], [[1e-3, 2e-3]]])
def test_a_line_is_drawn_where_it_is(weights):
    """A line through the middle of the points changes the figure, one far from them does not, nor moves the points."""
    points, labels = clouds(classes=2)
    weights = np.array(weights)
    middle = points.mean(axis=0)
    through = Line(weights, -float(np.squeeze(weights) @ middle), 3)
    picture = plots.plane(points, labels, CLASSES, line=through)
    assert "A straight line has 3 of 40 on the wrong side." in picture.alt
    far = plots.plane(points, labels, CLASSES, line=Line(weights, 1e6, 3))
    dark = [(pixels(one).max(axis=1) < 0xA0).sum() for one in (picture, far)]
    assert dark[0] > dark[1] + 100
    farther = plots.plane(points, labels, CLASSES, line=Line(weights, 2e6, 3))
    assert np.array_equal(pixels(far), pixels(farther))


def test_plane_refuses_what_it_cannot_draw():
    points, labels = clouds()
    for wrong in (points[:, :1], points[:0], np.where(points > 100, np.nan, points)):
        with pytest.raises(ConfigError, match="finite numbers of shape"):
            plots.plane(wrong, labels[: len(wrong)], CLASSES)
    with pytest.raises(ConfigError, match="60 points need one label each, got labels of shape"):
        plots.plane(points, labels[1:], CLASSES)
    with pytest.raises(ConfigError, match="labels run from 0 to 2, but there are 2 classes"):
        plots.plane(points, labels, CLASSES[:2])
    with pytest.raises(ConfigError, match="two weights that are not both 0"):
        plots.plane(points, labels, CLASSES, line=Line(np.zeros(2), 1.0, 0))


def test_drawing_writes_nothing_to_the_screen(capfd):
    points, labels = clouds()
    plots.plane(points, labels, CLASSES, line=Line(np.ones(2), 0.0, 1))
    plots.planes([{"points": points, "labels": labels, "line": Line(np.ones(2), 0.0, 1)}] * 4, ("0", "1", "2"))
    assert capfd.readouterr() == ("", "")


def test_planes_describe_each_plane():
    points, labels = clouds()
    parts = [
        {"points": points, "labels": labels, "title": "Pixels"},
        {"points": points[:40], "labels": labels[:40], "line": Line(np.ones(2), -50.0, 7), "score": "score 0.2"},
    ]
    alt = plots.planes(parts, CLASSES, "Two layers").alt
    assert alt == (
        "2 planes of points of ant, bee, cat. Two layers. Plane 1: Pixels. 60 points of 3 classes. The medians of bee "
        "and cat lie nearest to each other. Plane 2: 40 points of 2 classes. A straight line has 7 of 40 on the wrong "
        "side. score 0.2."
    )
    heights = [shape(plots.planes(parts[:1] * count, CLASSES))[1] for count in (1, 2, 3, 4)]
    assert heights[0] == heights[1] < heights[2] == heights[3]
    for count in (0, 5):
        with pytest.raises(ConfigError, match=f"one to four planes, got {count}"):
            plots.planes(parts[:1] * count, CLASSES)


def test_classes_differ_without_colour_too():
    assert len(set(COLOURS)) == len(set(SHAPES)) == MOST_CLASSES == 12


def test_medians_and_labels_that_do_not_overlap():
    found = medians(np.array([[0.0, 0], [2, 2], [4, 40], [9, 9]]), np.array([0, 0, 0, 2]))
    assert {label: place.tolist() for label, place in found.items()} == {0: [2, 2], 2: [9, 9]}
    places = [(0.0, 0.0), (1.0, 0.5), (0.5, 1.0), (50.0, 0.2)]
    moved = spread(places, ["long name"] * 3 + ["x"], 1.0)
    assert [tuple(place) for place in moved] == [(0, 0), (1, 2), (0.5, 4), (50, 0.2)]


def test_learning_curve_says_its_numbers():
    accuracies = {"pretrained": {10: [0.70, 0.74], 100: [0.80, 0.82]}, "from the start": {10: [0.5], 100: []}}
    alt = plots.learning_curve([10, 100], accuracies, "Few labels").alt
    assert alt == (
        "Line chart of accuracy (share of images) over labelled images a class. Few labels. "
        "pretrained: 0.72 ± 0.03 at 10, 0.81 ± 0.01 at 100. from the start: 0.500 at 10."
    )
    assert shape(plots.learning_curve([10, 100], accuracies)) == (740, 420)


def test_learning_curve_refuses_what_it_cannot_draw():
    for nothing in ({}, {"a": {}}, {"a": {10: []}}):
        assert plots.learning_curve([10], nothing, "Few").alt == "Few: not run, so there is nothing to draw."
    with pytest.raises(ConfigError, match=r"accuracies for \[20\] images a class, which counts does not name"):
        plots.learning_curve([10], {"a": {20: [0.5]}})
    with pytest.raises(ConfigError, match="at most 8 methods, got 9"):
        plots.learning_curve([10], {str(i): {10: [0.5]} for i in range(9)})

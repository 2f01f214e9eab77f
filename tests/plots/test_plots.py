"""Figures: an opaque picture, and an alternative text made from the data."""

import io
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from labkit import plots
from labkit.base.errors import ConfigError
from labkit.catalogue.index import lab
from labkit.data.augment import Cutout, Flip, Rotate
from labkit.data.images import ImageSet, load
from labkit.models import build
from labkit.plots import cost
from labkit.plots.base import canvas
from labkit.plots.runs import colours, label_ends
from labkit.records.estimates import Mean
from tests.making import make_run


def runs(seeds=2):
    found = []
    for seed in range(seeds):
        for arm, start in (("a", 1.0), ("b", 2.0)):
            run = make_run(arm, seed)
            run.data = {"name": "made", "train_per_class": 5}
            run.history = [
                {
                    "epoch": e,
                    "train_loss": start / e,
                    "val_loss": start + abs(e - 3) * 0.1 + seed * 0.01,
                    "train_acc": 0.1 * e,
                    "val_acc": 0.5,
                }
                for e in range(1, 6)
            ]
            found.append(run)
    return found


def test_curves_say_what_they_show():
    picture = plots.curves(runs(), "loss", title="Two arms")
    for part in (
        "Line chart of loss",
        "Two arms",
        "made, 5 training images a class",
        "mean of 2 seeds",
        "a: training ends at",
        "its best is 1.005 at epoch 3",
        "b: ",
    ):
        assert part in picture.alt
    image = Image.open(io.BytesIO(picture.png))
    assert image.size == (740, 420)
    corners = np.asarray(image.convert("RGBA"))[[0, -1], [0, -1]]
    assert (corners == 255).all()  # white and opaque
    bundle = picture._repr_mimebundle_()
    assert 'alt="Line chart' in bundle["text/html"]
    assert bundle["text/plain"].startswith("Figure: Line chart")


def test_an_axis_of_epochs_has_whole_numbers(monkeypatch):
    drawn = []
    monkeypatch.setattr("labkit.plots.runs.canvas", lambda: drawn.append(canvas()) or drawn[-1])
    plots.curves(runs(), "loss")  # five epochs: halves would fit
    assert all(tick == int(tick) for tick in drawn[0][1].get_xticks())
    brief = runs()
    for run in brief:
        run.history = [row | {"seconds": 0.1} for row in run.history]
    plots.curves(brief, "loss", over="seconds")  # half a second in all has more places than 0 and 1
    assert any(tick != int(tick) for tick in drawn[1][1].get_xticks())


def test_alternative_text_is_escaped():
    assert "&lt;b&gt; &quot;x&quot;" in plots.curves(runs(), "acc", title='<b> "x"')._repr_mimebundle_()["text/html"]


def test_one_seed_has_no_band():
    assert "one seed" in plots.curves(runs(1), "acc").alt


def test_curves_refuse_a_mix():
    mixed = runs()
    mixed[0].data = {"name": "other"}
    with pytest.raises(ConfigError, match="A figure shows runs on one data set"):
        plots.curves(mixed)
    with pytest.raises(ConfigError, match="quantity must be one of"):
        plots.curves(runs(), "accuracy")
    for options in ({"over": "minutes"}, {"parts": ["test"]}, {"parts": []}):
        with pytest.raises(ConfigError, match="over must be one of epoch, seconds and parts some of train, val"):
            plots.curves(runs(), **options)
    many = [make_run(f"arm {i}", 0) for i in range(9)]
    with pytest.raises(ConfigError, match="at most 8 arms, got 9"):
        plots.curves(many)


def test_curves_over_time_and_of_one_part():
    found = runs()
    for run in found:
        for row in run.history:
            row["seconds"] = 2.0 if run.arm == "a" else 4.0
    alt = plots.curves(found, "loss", parts=["val"], over="seconds").alt
    assert "training ends" not in alt
    assert "over the time of training (s)" in alt
    assert "after 10 s" in alt
    assert "after 20 s" in alt


def test_an_arm_has_one_colour_in_every_figure_of_its_lab():
    names = [arm.name for arm in lab("05-mlp-comparison").arms]
    made = [replace(make_run(name, 0), lab="05-mlp-comparison") for name in names]
    first, again = colours(made[:4]), colours(made[2:6])
    assert {first[arm] for arm in names[2:4]} == {again[arm] for arm in names[2:4]}
    assert len(set(colours(made[2:]).values())) == len(names[2:])  # more arms than places: still all different


def test_what_was_not_run_is_said():
    for picture in (plots.curves([], title="Full run"), plots.intervals({"a": Mean((0.1,))}, "x", title="Full run")):
        assert picture.alt == "Full run: not run, so there is nothing to draw."
        assert Image.open(io.BytesIO(picture.png)).size[0] == 740


def test_intervals_say_what_is_sure():
    alt = plots.intervals(
        {"up": Mean((0.1, 0.11, 0.12)), "none": Mean((0.1, -0.1)), "one": Mean((1.0,))}, "gain", title="Gains"
    ).alt
    assert "up +0.110 [+0.085, +0.135] (n = 3)" in alt
    assert "none +0.000 [-1.271, +1.271] (n = 2)" in alt
    assert "one" not in alt.split("Gains. ")[1].replace("none", "")


def test_versions_tell_how_many_are_unchanged():
    image = load("fashion-mnist-small").train.images[0]
    assert (
        "16 versions of it made by Flip(p=0.0); 16 of them are like the original"
        in plots.versions(image, Flip(0.0)).alt
    )
    alt = plots.versions(image, Cutout(14, fill=0.0)).alt
    assert "Cutout(size=14, fill=0.0); 0 of them are like the original" in alt
    assert "brightness is -" in alt
    assert plots.versions(image, Rotate(20), seed=1).png != plots.versions(image, Rotate(20), seed=2).png


@pytest.mark.parametrize("in_channels", [1, 3])
def test_filters_and_maps_read_the_network(in_channels):
    torch.manual_seed(0)
    model = build("cnn", in_channels=in_channels, blocks=3)
    with torch.no_grad():
        model.features[0].weight[0, 0, 0, 0] = 4.5
    assert "16 kernels of 3 x 3" in plots.filters(model).alt
    assert "to 4.50" in plots.filters(model).alt
    X = torch.rand(1, in_channels, 32, 32)
    alt = plots.feature_maps(model, X).alt
    for part in ("block 1 has 16 maps of 15 x 15", "block 2 has 32 maps of 6 x 6", "block 3 has 64 maps of 2 x 2"):
        assert part in alt
    share = float((model.features[:3](X)[0] == 0).float().mean())
    assert f"of 15 x 15, {share:.0%} of their numbers zero" in alt
    assert model.training
    with pytest.raises(ConfigError, match="MLP has none"):
        plots.filters(build("mlp"))


def sees_what_is_bright():
    """Return a network made by hand that sees class 1 where the image is bright."""
    model = build("gap", in_channels=1, num_classes=2, image_size=64, blocks=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.features[0].weight[0, 0, 1, 1] = 1.0
        model.to_maps.weight[1, 0] = 1.0
    return model


def test_class_maps_point_at_the_place():
    """A network made by hand that sees class 1 where the image is bright: the map's largest number is there."""
    model = sees_what_is_bright()
    images = torch.zeros(2, 1, 64, 64, dtype=torch.uint8)
    images[0, :, 48:52, 8:12] = 255
    images[1, :, 8:12, 40:44] = 255
    data = ImageSet("made", "val", images, torch.tensor([1, 0]), ("dark", "bright"))
    alt = plots.class_maps(model, data).alt
    assert "bright taken for bright, strongest in row 24 of 31, column 4 of 31" in alt
    assert "dark taken for bright, strongest in row 4 of 31, column 20 of 31" in alt
    with pytest.raises(ConfigError, match="CNN has no maps"):
        plots.class_maps(build("cnn"), data)
    with pytest.raises(ConfigError, match="at most 8 images, got 9"):
        plots.class_maps(model, data.take(torch.zeros(9, dtype=torch.int64)))


def test_the_drawn_map_is_bright_where_the_network_sees_its_class(monkeypatch):
    """Not the other way round, rows for columns: the brightest place of what is laid over the image is that of it."""
    model = sees_what_is_bright()
    images = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    images[0, :, 48:52, 8:12] = 255
    kept = []
    monkeypatch.setattr("matplotlib.pyplot.close", kept.append)
    plots.class_maps(model, ImageSet("made", "val", images, torch.tensor([1]), ("dark", "bright")))
    laid = kept[0].axes[1].images[1].get_array()
    row, column = np.unravel_index(np.argmax(laid), laid.shape)
    assert abs(row - 50) <= 3
    assert abs(column - 10) <= 3


def test_samples_and_bars():
    assert "ankle boot" in plots.samples(load("fashion-mnist-small").train).alt
    picture = plots.bars({"one": [1.0, 1.2], "two": [2.0]}, "seconds", title="Cost")
    assert "one 1.1 ± 0.1" in picture.alt or "one 1.10 ± 0.14" in picture.alt
    with pytest.raises(ConfigError, match="at least one value"):
        plots.bars({"one": []}, "x")


@pytest.mark.parametrize("name", ["cnn", "long, augmented validation", "an arm whose name is as long as a sentence"])
def test_no_label_is_cut_off_at_the_right(name):
    figure, axes = canvas()
    axes.plot([1, 50], [0.2, 0.7])
    label_ends(axes, [(50, 0.7, name, "#000000"), (50, 0.69, "other", "#000000")])
    figure.canvas.draw()
    ends = [label.get_window_extent().x1 for label in axes.texts]
    assert axes.get_position().x1 * figure.bbox.width < max(ends) <= figure.bbox.width
    assert axes.get_position().x1 > 0.4  # the curves keep some room, too


def with_work(found, million):
    for run in found:
        run.model = {"name": "made", "multiply_adds": million[run.arm] * 10**6}
    return found


def test_a_trade_off_says_what_each_arm_reaches_and_costs():
    found = with_work(runs(), {"a": 3, "b": 1200})
    found[0].history[-1]["val_acc"] = 0.52
    picture = plots.trade_off(found, title="Two arms")
    for part in (
        "Validation accuracy over multiply-adds",
        "made, 5 training images a class, mean of 2 seeds, whisker ± 1 sd",
        "a: 0.51 ± 0.01 at 3.0 million.",
        "b: 0.500 at 1,200.0 million.",
    ):
        assert part in picture.alt
    assert "not run, so there is nothing to draw" in plots.trade_off([], title="Two arms").alt
    found[0].data = {"name": "other"}
    with pytest.raises(ConfigError, match="on one data set"):
        plots.trade_off(found)


def test_names_of_equal_points_stand_apart():
    figure, axes = canvas()
    axes.set(xlim=(0, 10), ylim=(0, 1))
    cost.label(axes, [(5, 0.5, "inception", "k"), (5, 0.5, "resnet", "k"), (5, 0.1, "vgg16", "k")])
    boxes = [text.get_window_extent(figure.canvas.get_renderer()) for text in axes.texts]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_a_figure_without_runs_shows_its_whole_title():
    title = "Full run: pairs of kernels, cifar10, 65 images a class, paired seeds, and some more words"
    picture = plots.intervals({}, "difference", title=title)
    assert title in picture.alt
    pixels = np.asarray(Image.open(io.BytesIO(picture.png)).convert("L"))
    assert (pixels[:, -8:] == 255).all()  # nothing runs out of the picture

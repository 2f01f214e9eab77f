"""Figures: an opaque picture, and an alternative text made from the data."""

import io

import numpy as np
import pytest
from PIL import Image

from labkit import plots
from labkit.data import load
from labkit.errors import ConfigError
from tests.test_ledger import make_run


def runs(seeds=2):
    found = []
    for seed in range(seeds):
        for arm, start in (("a", 1.0), ("b", 2.0)):
            run = make_run(arm, seed)
            run.data = {"name": "made", "train_per_class": 5}
            run.history = [
                {"epoch": e, "train_loss": start / e, "val_loss": start + abs(e - 3) * 0.1 + seed * 0.01, "train_acc": 0.1 * e, "val_acc": 0.5}
                for e in range(1, 6)
            ]  # fmt: skip
            found.append(run)
    return found


def test_curves_say_what_they_show():
    picture = plots.curves(runs(), "loss", title="Two arms")
    for part in ("Line chart of loss", "Two arms", "made, 5 training images a class", "mean of 2 seeds", "a: training ends at",
                 "its best is 1.005 at epoch 3", "b: "):  # fmt: skip
        assert part in picture.alt
    image = Image.open(io.BytesIO(picture.png))
    assert image.size == (740, 420)
    corners = np.asarray(image.convert("RGBA"))[[0, -1], [0, -1]]
    assert (corners == 255).all()  # white and opaque
    bundle = picture._repr_mimebundle_()
    assert 'alt="Line chart' in bundle["text/html"]
    assert bundle["text/plain"].startswith("Figure: Line chart")


def test_alternative_text_is_escaped():
    assert "&lt;b&gt; &quot;x&quot;" in plots.curves(runs(), "acc", title='<b> "x"')._repr_mimebundle_()["text/html"]


def test_one_seed_has_no_band():
    assert "one seed" in plots.curves(runs(1), "acc").alt


def test_curves_refuse_a_mix():
    mixed = runs()
    mixed[0].data = {"name": "other"}
    with pytest.raises(ConfigError, match="A figure shows runs on one data set"):
        plots.curves(mixed)
    with pytest.raises(ConfigError, match="no runs"):
        plots.curves([])
    with pytest.raises(ConfigError, match="quantity must be one of"):
        plots.curves(runs(), "accuracy")


def test_samples_and_bars():
    assert "ankle boot" in plots.samples(load("fashion-mnist-small").train).alt
    picture = plots.bars({"one": [1.0, 1.2], "two": [2.0]}, "seconds", title="Cost")
    assert "one 1.1 ± 0.1" in picture.alt or "one 1.10 ± 0.14" in picture.alt
    with pytest.raises(ConfigError, match="at least one value"):
        plots.bars({"one": []}, "x")

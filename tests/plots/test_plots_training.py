"""Figures of a look into a training: what the alternative text says, and what is drawn."""

import io

import pytest
from PIL import Image

from labkit.base.errors import ConfigError
from labkit.plots.base import canvas
from labkit.plots.training import gradient_flow, range_test

TESTS = {"adam": [(1e-4, 2.3), (1e-3, 1.9), (1e-2, 1.25), (1e-1, 40.0)], "sgd": [(1e-3, 2.5), (1e-2, 2.0)]}
FLOWS = {"relu": [0.02, 0.01, 0.035], "sigmoid": [0.0, 1.5e-7, 0.01]}


def drawn_by(monkeypatch, draw, *args):
    """Return the axes that a figure is drawn on."""
    made = []
    monkeypatch.setattr("labkit.plots.training.canvas", lambda: made.append(canvas()) or made[-1])
    draw(*args)
    return made[0][1]


def test_a_range_test_says_the_first_the_lowest_and_the_last_loss():
    assert range_test(TESTS, title="Two optimizers").alt == (
        "Line chart of the loss over the learning rate. Two optimizers. "
        "adam: 2.30 at 0.0001, lowest 1.25 at 0.01 (marked), 40.00 at 0.1. "
        "sgd: 2.50 at 0.001, lowest 2.00 at 0.01 (marked), 2.00 at 0.01."
    )


def test_a_range_test_marks_the_lowest_loss_and_lets_what_blew_up_leave_the_figure(monkeypatch):
    axes = drawn_by(monkeypatch, range_test, TESTS)
    curve, mark, *_ = axes.lines
    assert list(curve.get_xdata()) == [1e-4, 1e-3, 1e-2, 1e-1]
    assert (list(mark.get_xdata()), list(mark.get_ydata())) == ([1e-2], [1.25])
    assert axes.get_ylim() == (0, 5.0)  # twice the highest of the first losses
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["adam", "sgd"]


def test_a_flow_says_the_gradients_of_the_first_and_the_last_layer():
    said = gradient_flow({"relu": FLOWS["relu"]}, title="Three layers").alt
    assert said == (
        "Line chart of the size of the gradient over the layers. Three layers. "
        "relu: first layer 2.0e-02, last layer 3.5e-02."
    )


def test_a_flow_is_drawn_over_the_layers_from_one_and_has_a_place_for_no_gradient(monkeypatch):
    axes = drawn_by(monkeypatch, gradient_flow, FLOWS)
    relu, sigmoid = axes.lines
    assert list(relu.get_xdata()) == [1, 2, 3]
    assert list(relu.get_ydata()) == [0.02, 0.01, 0.035]
    assert list(sigmoid.get_ydata()) == [1e-20, 1.5e-7, 0.01]
    assert axes.get_yscale() == "log"


@pytest.mark.parametrize("picture", [lambda: range_test(TESTS), lambda: gradient_flow(FLOWS)])
def test_each_figure_is_a_png_of_one_size(picture):
    image = Image.open(io.BytesIO(picture().png))
    assert (image.format, image.size) == ("PNG", (740, 420))


@pytest.mark.parametrize("tests", [{}, {"adam": []}, {"adam": TESTS["adam"], "sgd": []}])
def test_a_range_test_without_steps_is_refused(tests):
    with pytest.raises(ConfigError, match="range_test draws 1 to 8 tests with at least one step each"):
        range_test(tests)


@pytest.mark.parametrize("flows", [{}, {"relu": []}, {"relu": FLOWS["relu"], "none": []}])
def test_a_flow_without_layers_is_refused(flows):
    with pytest.raises(ConfigError, match="gradient_flow draws 1 to 8 networks with at least one layer each"):
        gradient_flow(flows)


def test_a_figure_has_no_more_lines_than_colours_and_no_title_leaves_no_gap():
    nine = {str(number): [(0.1, 2.0), (0.2, 1.0)] for number in range(9)}
    with pytest.raises(ConfigError, match="draws 1 to 8 tests"):
        range_test(nine)
    assert range_test({"adam": nine["0"]}).alt.startswith(
        "Line chart of the loss over the learning rate. adam: 2.00 at 0.1"
    )

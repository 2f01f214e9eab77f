"""What is said of a layer that does not fit, and the smallest image, at their ends."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from labkit.arithmetic.auditing import audit
from labkit.arithmetic.layers import Conv, Pool
from labkit.arithmetic.tracing import LARGEST, smallest_input, trace
from labkit.base.errors import ConfigError

REACH = (
    "does not fit: for an input of 3 × 4 × 4 it gets 3 × 4 × 4. Axis 0: A kernel that reaches over 5 pixels does not "
    "fit into 4 (size 4, padding 0). Use a larger input, more padding or a smaller kernel."
)


class EverySecond(nn.Conv2d):
    def forward(self, X):
        return super().forward(X)[:, :, ::2]


@pytest.mark.parametrize(
    ("model", "size", "channels", "says"),
    [
        (
            nn.Sequential(OrderedDict(first=nn.Conv2d(3, 4, 5))),
            4,
            3,
            f"Layer 1, Conv(4, kernel_size=5) (first), {REACH} The smallest image that the whole network takes is "
            "5 × 5 pixels.",
        ),
        (
            nn.Sequential(nn.Conv2d(3, 4, 5), EverySecond(4, 4, 3)),
            4,
            3,
            f"Layer 1, Conv(4, kernel_size=5) (0), {REACH} Which images it takes, the own forward of its layers "
            "decides.",
        ),
        (
            nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 3)),
            (),
            3,
            "Layer 2, Linear(3) (1), does not fit: for an input of 3 it gets 4. It has 5 input features and gets 4. "
            "No size of the image mends that: change the layer, or the channels that come in.",
        ),
    ],
    ids=["named", "own forward", "a row"],
)
def test_a_layer_that_does_not_fit_is_named_with_what_would_help(model, size, channels, says):
    with pytest.raises(ConfigError) as told:
        trace(model, size, channels)
    assert str(told.value) == says


def test_a_layer_of_a_list_has_no_name():
    with pytest.raises(ConfigError, match=r"^Layer 1, Conv\(4, kernel_size=5\), does not fit"):
        trace([Conv(4, 5)], 4)


def test_the_smallest_image_is_looked_for_up_to_1024_pixels():
    assert LARGEST == 1024
    assert smallest_input([Conv(4, 1024)]) == 1024
    assert smallest_input([Conv(4, 1025)]) is None


def test_the_axes_of_the_smallest_image_are_those_asked_for_or_those_of_the_layers():
    assert smallest_input([Conv(4, (3, 5))]) == 5
    assert smallest_input([Conv(4, 3), Pool(2)], 3, axes=1) == 4
    assert smallest_input(nn.Conv1d(3, 4, 5)) == 5
    with pytest.raises(ConfigError):  # a kernel of two axes and signals of one
        trace([Conv(4, (3, 5))], (8,))


def test_an_audit_that_finds_nothing_prints_one_line():
    right = audit([("conv3-64", "(3*3*3+1)*64", 1792)], 1792, [Conv(64, 3)], input_size=32)
    assert right._table() == (
        ["line", "layer", "kind", "finding"],
        [["", "", "", "Nothing is wrong."]],
        ["The lines add up to 1,792; right is 1,792."],
    )
    wrong = audit([("conv3-64", "(3*3*3+1)*64", 1792)], 1793, [Conv(64, 3)], input_size=32)
    assert [row[:3] for row in wrong._table()[1]] == [["", "total", "sum"], ["", "total", "total"]]


@pytest.mark.parametrize(
    ("written", "slip"),
    [(17_920, " (1 zero at the end lost or added)"), (7_192, " (digits changed places)"), (1_793, "")],
)
def test_a_slip_is_named(written, slip):
    found = audit([("conv3-64", "(3*3*3+1)*64", written)], written, [Conv(64, 3)], input_size=32)
    (said,) = found.of("arithmetic")
    assert said.says.startswith(f"the formula gives 1,792, the line says {written:,}{slip}.")


def test_zeros_are_lost_on_either_side():
    found = audit([("FC-10", "(9+1)*10", 10)], 10, [Conv(10, 1)], input_size=1, in_channels=9)
    assert "100, the line says 10 (1 zero at the end lost or added)" in found.of("arithmetic")[0].says


class Parts(nn.Module):
    """What labkit takes for a chain: parts with the names that torchvision gives them."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        for name, part in self.named_children():
            x = part(x.flatten(1) if name == "classifier" else x)
        return x


def test_features_and_a_classifier_are_a_chain_with_a_flatten_between():
    conv, linear = nn.Sequential(nn.Conv2d(3, 4, 3)), nn.Sequential(nn.Linear(144, 2))
    traced = trace(Parts(features=conv, classifier=linear), 8)
    assert [row.name for row in traced.rows] == ["features.0", "flatten", "classifier.0"]
    assert traced.out_shape == (2,)
    flattens = nn.Sequential(nn.Flatten(), nn.Linear(144, 2))
    traced = trace(Parts(features=conv, classifier=flattens), 8)
    assert [row.name for row in traced.rows] == ["features.0", "classifier.0", "classifier.1"]
    traced = trace(Parts(features=conv, avgpool=nn.AdaptiveAvgPool2d(2), classifier=nn.Linear(16, 2)), 8)
    assert [row.name for row in traced.rows] == ["features.0", "avgpool", "flatten", "classifier"]


@pytest.mark.parametrize(
    "parts",
    [
        {"features": nn.Conv2d(3, 4, 3), "other": nn.ReLU()},
        {"classifier": nn.Linear(2, 2)},
        {"features": nn.Conv2d(3, 4, 3), "scale": nn.Parameter(torch.ones(1))},
    ],
)
def test_other_parts_are_no_chain(parts):
    said = "is not a plain chain of layers that labkit knows, so its order cannot be read off. Use labkit.summary"
    with pytest.raises(ConfigError, match=rf"^The model \(Parts\) {said}"):
        trace(Parts(**parts), 8)
    with pytest.raises(ConfigError, match=rf"^0 \(Parts\) {said}"):
        trace(nn.Sequential(Parts(**parts)), 8)

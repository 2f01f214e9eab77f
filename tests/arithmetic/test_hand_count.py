"""Hand counts of torch modules, part by part: names, formulas, order and shapes where no plain chain is at hand."""

import torch
from torch import nn

from labkit.arithmetic.hand_count import _TABLE_1, VGG, _vgg, by_hand
from labkit.arithmetic.layers import Conv, Dropout, Flatten, Linear, LocalResponseNorm, Pool, ReLU


class Scale(nn.Module):
    """A layer without parts, with parameters of its own."""

    def __init__(self, channels):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, X):
        return X * self.scale * self.weight


class Mixed(nn.Module):
    """Own parameters beside parts, a part that is never called, a part that no formula knows."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))
        self.unused = nn.Linear(5, 2)
        self.conv = nn.Conv2d(3, 4, 3)
        self.own = Scale(4)
        self.flat = nn.Flatten()
        self.fc = nn.Linear(4 * 6 * 6, 2)

    def forward(self, X):
        return self.fc(self.flat(self.own(self.conv(X)))) + self.bias


def lines_of(model, size, channels=3):
    return [(line.name, line.formula, line.count) for line in by_hand(model, size, channels).lines]


def test_parts_stand_in_the_order_of_their_use_and_those_never_called_come_last():
    assert lines_of(Mixed(), 8) == [
        ("bias", "1", 1),
        ("conv3-4", "(3*3*3+1)*4", 112),
        ("Scale", "1+4*1*1", 5),
        ("FC-2", "(6*6*4+1)*2", 290),
        ("FC-2", "(5+1)*2", 12),
    ]
    found = by_hand(Mixed(), 8)
    assert [line.map_shape for line in found.lines] == [(3, 8, 8), (3, 8, 8), (4, 6, 6), (4, 6, 6), (4, 6, 6)]
    assert [line.layer.name for line in found.lines if line.name in ("bias", "Scale")] == ["bias", "Scale"]
    assert [line.running for line in found.lines] == [1, 113, 118, 408, 420]


class Adds(nn.Module):
    def __init__(self, shift):
        super().__init__()
        self.shift, self.act = shift, nn.ReLU()

    def forward(self, X):
        return self.act(X + self.shift)


def test_a_parameter_that_two_modules_own_is_a_line_once():
    shift = nn.Parameter(torch.zeros(3, 1, 1))
    assert lines_of(nn.Sequential(Adds(shift), nn.Conv2d(3, 3, 1), Adds(shift)), 8) == [
        ("shift", "3*1*1", 3),
        ("conv1-3", "(1*1*3+1)*3", 12),
    ]


def test_a_map_of_one_axis_is_written_out_too():
    model = nn.Sequential(nn.Conv1d(2, 4, 3), nn.Flatten(), nn.Linear(4 * 6, 3))
    assert lines_of(model, 8, 2) == [("conv3-4", "(3*2+1)*4", 28), ("FC-3", "(6*4+1)*3", 75)]


class EverySecond(nn.Conv2d):
    def forward(self, X):
        return super().forward(X)[:, :, ::2]


def test_a_layer_with_a_forward_of_its_own_keeps_its_name_and_loses_its_formula_for_sizes():
    own, plain = (by_hand(nn.Sequential(kind(3, 4, 3)), 8).lines[0] for kind in (EverySecond, nn.Conv2d))
    assert (own.name, own.formula, own.count) == (plain.name, plain.formula, plain.count)
    assert own.layer.name == "conv3-4"
    assert isinstance(plain.layer, Conv)


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.out = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 2)

    def forward(self, X):
        X = X.flatten(2).transpose(1, 2)  # (B, C, H, W) -> (B, H * W, C)
        return self.out(self.attention(X, X, X)[0].mean(dim=1))


def test_attention_is_one_line_though_it_has_parts():
    assert lines_of(Attends(), 4, 8) == [("MultiheadAttention", "(8+8+8+8+4)*8", 288), ("FC-2", "(8+1)*2", 18)]


def test_the_table_of_the_paper_is_read_entry_by_entry():
    assert _vgg("3-64 LRN|3-128 1-256") == (
        *(Conv(64, 3, padding=1), ReLU(), LocalResponseNorm(5), Pool(2)),
        *(Conv(128, 3, padding=1), ReLU(), Conv(256, 1, padding=0), ReLU(), Pool(2)),
        Flatten(),
        *(Linear(4096), ReLU(), Dropout(0.5)) * 2,
        Linear(1000),
    )
    assert {letter: _vgg(blocks) for letter, blocks in _TABLE_1.items()} == VGG

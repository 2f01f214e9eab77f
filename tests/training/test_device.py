"""Where a training runs, and how its network lies in memory."""

import subprocess
import sys

import pytest
import torch
from torch import nn

import labkit
from labkit.training.device import layout, placed

CPU, LAST, FIRST = torch.device("cpu"), torch.channels_last, torch.contiguous_format


def strided(channels, **options):
    return nn.Sequential(nn.Conv2d(channels, 32, 1, stride=2, **options))


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        (strided(4), FIRST),
        (strided(15), FIRST),
        (strided(16), LAST),
        (strided(32, groups=8), FIRST),
        (nn.Sequential(nn.Conv2d(4, 32, 1)), LAST),
        (nn.Sequential(nn.Conv2d(4, 32, 3, stride=2)), LAST),
        (nn.Linear(4, 2), LAST),
    ],
)
def test_channels_last_but_where_the_processor_would_write_beside_its_memory(model, wanted):
    assert layout(model, CPU) is wanted
    assert layout(model, torch.device("cuda")) is LAST
    assert layout(model, torch.device("mps")) is FIRST
    assert all(p.is_contiguous(memory_format=wanted) for p in placed(model, CPU).parameters() if p.dim() == 4)


def test_a_narrow_resnet_trains():
    """In a process of its own: where this fails, it is torch that ends it."""
    code = """
import labkit, torch
few = labkit.load("fashion-mnist-small").train.per_class(4).resized(32)
net = labkit.build("resnet", in_channels=1, image_size=32, width=4)
labkit.fit(net, few, None, labkit.Recipe(epochs=4, batch_size=40), device="cpu", progress=False)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_layout_changes_no_result():
    torch.manual_seed(0)
    net, X = labkit.build("cnn", blocks=2).eval(), torch.randn(4, 3, 32, 32)
    before = net(X)
    torch.testing.assert_close(placed(net, CPU)(X), before)

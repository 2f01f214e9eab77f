"""Where a training runs, and how its network lies in memory."""

import subprocess
import sys

import pytest
import torch
from torch import nn

import labkit
from labkit.base.errors import ConfigError
from labkit.training.device import autocast, layout, pick_device, pick_precision, placed

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


@pytest.fixture
def machine(monkeypatch):
    """A machine that has what is asked for; a device answers unless it is one of those that do not."""

    def have(cuda=False, mps=False, dead=()):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        real = torch.empty

        def empty(*size, device=None):
            if device in dead:
                raise RuntimeError(f"no kernel for {device}\nand more lines")
            return real(*size)

        monkeypatch.setattr(torch, "empty", empty)

    return have


@pytest.mark.parametrize(
    ("cuda", "mps", "fastest", "listed"),
    [
        (False, False, "cpu", "cpu"),
        (True, False, "cuda", "cuda, cpu"),
        (False, True, "mps", "mps, cpu"),
        (True, True, "cuda", "cuda, mps, cpu"),
    ],
)
def test_the_fastest_device_is_taken_and_never_another_than_asked_for(machine, cuda, mps, fastest, listed):
    machine(cuda, mps)
    assert pick_device() == torch.device(fastest)
    for name in listed.split(", "):
        assert pick_device(name) == torch.device(name)
    with pytest.raises(ConfigError) as told:
        pick_device("tpu")
    assert str(told.value) == f"There is no device 'tpu' here. This machine has: {listed}."
    if not cuda:
        with pytest.raises(ConfigError, match="There is no device 'cuda:1' here"):
            pick_device("cuda:1")


def test_a_device_that_does_not_answer_is_named(machine):
    machine(cuda=True, dead=("cuda:7",))
    assert pick_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(ConfigError) as told:
        pick_device("cuda:7")
    assert str(told.value) == "Device 'cuda:7' does not answer: no kernel for cuda:7."


@pytest.mark.parametrize("native", [True, False])
def test_on_cuda_bf16_is_taken_where_it_is_native(monkeypatch, native):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **how: asked.append(how) or native)
    assert pick_precision("auto", torch.device("cuda")) == ("bf16" if native else "float32")
    assert asked == [{"including_emulation": False}]
    assert pick_precision("float32", torch.device("cuda")) == "float32"


@pytest.mark.parametrize(("precision", "kind"), [("bf16", torch.bfloat16), ("float32", torch.float32)])
def test_a_forward_pass_is_in_the_numbers_of_its_precision(precision, kind):
    with autocast(CPU, precision):
        assert nn.Linear(3, 2)(torch.zeros(1, 3)).dtype is kind


def test_an_older_torch_that_cannot_say_gets_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert pick_precision("auto", CPU) == "float32"


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

"""What the first source's homework handed out, each against a few lines by hand: optimizer, weights, batches, noise."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

from labkit.arithmetic.counting import count
from labkit.base.errors import ConfigError
from labkit.data.augment import BatchFlip, make
from labkit.data.chosen import Images
from labkit.data.images import Batches, load
from labkit.models import build
from labkit.training.loop import fit
from labkit.training.recipe import Recipe
from tests.making import make_model, make_set, write_cifar10


def test_rmsprop_is_the_formula_of_keras():
    """v = 0.9 v + 0.1 g²; w = w - lr g / (√v + 1e-7)."""
    model, data = make_model(dropout=0.0), make_set(24, size=12)
    other = make_model(dropout=0.0)
    fit(model, data, None, Recipe(epochs=2, batch_size=8, optimizer="rmsprop", lr=0.01), device="cpu", progress=False)
    squares = [torch.zeros_like(p) for p in other.parameters()]
    batches = Batches(data, 8, shuffle=True)
    for epoch in (1, 2):
        batches.epoch = epoch
        for X, y in batches:
            other.zero_grad()
            F.cross_entropy(other(X), y).backward()
            with torch.no_grad():
                for p, v in zip(other.parameters(), squares, strict=True):
                    v.mul_(0.9).add_(0.1 * p.grad**2)
                    p.sub_(0.01 * p.grad / (v.sqrt() + 1e-7))
    for ours, by_hand in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(ours, by_hand, rtol=1e-3, atol=1e-5)


def test_glorots_weights_are_uniform_with_biases_of_zero():
    torch.manual_seed(0)
    net = build("cnn", blocks=3, kernel_size=5, padding="same", init="glorot", conv_bias=0.05)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            area = layer.weight[0, 0].numel()
            fan_in, fan_out = layer.weight.shape[1] * area, layer.weight.shape[0] * area
            limit = (6 / (fan_in + fan_out)) ** 0.5
            assert layer.weight.abs().max() <= limit
            assert layer.weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.1)
            assert layer.bias.tolist() == pytest.approx(
                [0.05 if isinstance(layer, nn.Conv2d) else 0.0] * len(layer.bias)
            )
    assert net.spec["init"] == "glorot"
    assert net.spec["conv_bias"] == 0.05
    assert "init" not in build("cnn").spec
    assert build(**net.spec).spec == net.spec


def test_torchs_own_weights_are_left_as_they_are():
    torch.manual_seed(0)
    plain = build("cnn")
    torch.manual_seed(0)
    same = build("cnn", init="torch", conv_bias=None)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), same.parameters(), strict=True))
    with pytest.raises(ConfigError, match="There is no init 'he'"):
        build("cnn", init="he")
    with pytest.raises(ConfigError, match="conv_bias must be a number, got 'x'"):
        build("cnn", conv_bias="x")


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [  # the starter code's network, with fully connected layers and without; the report's
        ("cnn", {"blocks": 3, "kernel_size": 5, "padding": "same"}, 117_072),
        ("gap", {"blocks": 3, "kernel_size": 5, "padding": "same"}, 65_962),
        ("cnn", {"blocks": 3}, 36_944),
        ("gap", {"blocks": 3}, 24_234),
    ],
)
def test_both_networks_have_the_counts_of_the_handout(name, options, parameters):
    assert count(build(name, **options)).total == parameters


def test_kernels_with_a_middle_alone():
    with pytest.raises(ConfigError, match="kernel_size must be odd, got 4"):
        build("cnn", kernel_size=4)
    with pytest.raises(ConfigError, match='padding must be 0, 1 or "same", got 2'):
        build("cnn", padding=2)


def test_what_fills_no_batch_is_left_out_and_not_counted():
    data, seen = make_set(22, size=12), []
    batches = Batches(data, 4, shuffle=True, drop_last=True)
    for _, y in batches:
        seen.append(len(y))
    assert seen == [4] * 5
    assert len(batches) == 5
    recipe = Recipe(epochs=1, batch_size=4, lr=1e-9, drop_last=True)
    model = make_model(dropout=0.0)
    history = fit(model, data, data, recipe, device="cpu", progress=False)
    batches.epoch, right, loss = 1, 0, 0.0
    for X, y in batches:
        logits = model(X)
        right += int((logits.argmax(1) == y).sum())
        loss += F.cross_entropy(logits, y, reduction="sum").item()
    assert history.last["train_acc"] == pytest.approx(right / 20)
    assert history.last["train_loss"] == pytest.approx(loss / 20, rel=1e-4)
    with pytest.raises(ConfigError, match="22 images fill no batch of 23"):
        Batches(data, 23, drop_last=True)


def test_norms_do_not_meet_a_last_batch_that_is_dropped():
    normed = nn.Sequential(nn.Flatten(), nn.Linear(432, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))
    recipe = Recipe(epochs=1, batch_size=4, drop_last=True)
    assert len(fit(normed, make_set(21, size=12), None, recipe, device="cpu", progress=False)) == 1


def test_all_images_of_a_batch_are_mirrored_or_none():
    X, mirrored = make_set(8).images, 0
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        out = BatchFlip()(X, generator)
        assert torch.equal(out, X) or torch.equal(out, X.flip(3))
        mirrored += torch.equal(out, X.flip(3))
    assert 70 < mirrored < 130
    assert make({"name": "batch flip", "p": 0.25}) == BatchFlip(0.25)


def noise(batches, epoch):
    """Return what was added to each image, (N, C), in the order of the set."""
    batches.epoch = epoch
    plain = Batches(batches.data, len(batches.data))
    added = next(iter(batches))[0] - next(iter(plain))[0]
    assert torch.allclose(added, added.mean(dim=(2, 3), keepdim=True).expand_as(added), atol=1e-5)  # one a channel
    return added.mean(dim=(2, 3))


def test_noise_is_drawn_anew_in_each_epoch_unless_it_stays():
    data = make_set(400, size=4)
    fresh = Batches(data, 400, color_noise=0.05)
    stays = Batches(data, 400, color_noise=0.05, noise_stays=True)
    assert noise(fresh, 1).std() == pytest.approx(0.05, rel=0.1)
    assert noise(fresh, 16).std() == pytest.approx(0.05, rel=0.1)
    assert not torch.allclose(noise(fresh, 1), noise(fresh, 2), atol=1e-3)
    steps = [noise(fresh, epoch) for epoch in range(1, 5)]
    for epoch in (1, 2, 4, 3):
        assert torch.allclose(noise(stays, epoch), sum(steps[:epoch]), atol=1e-5)
    assert noise(stays, 16).std() == pytest.approx(0.05 * 16**0.5, rel=0.1)
    again = Batches(data, 400, color_noise=0.05, noise_stays=True)  # as a training that is gone on with
    assert torch.allclose(noise(again, 16), noise(stays, 16), atol=1e-5)
    assert not torch.allclose(noise(Batches(data, 400, color_noise=0.05, seed=1), 1), noise(fresh, 1), atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"color_noise": -0.1}, "color_noise must be at least 0, got -0.1"),
        ({"noise_stays": True}, "noise_stays must be False where there is no color_noise"),
        ({"color_noise": "0.05"}, "color_noise must be a number"),
    ],
)
def test_noise_that_cannot_be_is_refused(settings, says):
    with pytest.raises(ConfigError, match=says):
        Recipe(**settings)


def test_the_split_is_that_of_scikit_learn(tmp_path, monkeypatch):
    write_cifar10(tmp_path, monkeypatch, count=20)
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    whole = load("cifar10", val_fraction=0.5)  # all 100 images, to find the order of the files
    splits = Images("cifar10", sklearn_split=1).load()
    assert [len(part) for part in splits] == [90, 10, 20]
    labels = np.tile(np.arange(20) % 10, 5)
    train, val = train_test_split(labels, test_size=0.1, random_state=1)
    assert splits.train.labels.tolist() == train.tolist()
    assert splits.val.labels.tolist() == val.tolist()
    assert not set(map(bytes, splits.train.images.numpy())) & set(map(bytes, splits.val.images.numpy()))
    assert len(whole.train) + len(whole.val) == 100
    assert Images.of(Images("cifar10", sklearn_split=1).as_record()) == Images("cifar10", sklearn_split=1)
    with pytest.raises(ConfigError, match="leave val_fraction and sklearn_split out"):
        load("fashion-mnist-small", sklearn_split=1)

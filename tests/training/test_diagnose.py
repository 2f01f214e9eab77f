"""Looks into a training before it is run: against loops and gradients by hand."""

import copy
import math
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labkit.base.errors import ConfigError
from labkit.data.augment import Flip
from labkit.data.images import Batches
from labkit.training.diagnose import gradient_norms, lr_range_test, usable_lr
from labkit.training.recipe import Recipe
from tests.making import make_model, make_set

SGD = Recipe(batch_size=20, optimizer="sgd", label_smoothing=0.2, augment=(Flip(),))


class TwoHeads(nn.Module):
    """A network with an auxiliary head, which only `with_auxiliary` uses."""

    def __init__(self):
        super().__init__()
        self.output, self.other = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
        for head in (self.output, self.other):
            nn.init.zeros_(head.weight)

    def forward(self, X):
        return self.with_auxiliary(X)[0]

    def with_auxiliary(self, X):
        return self.output(X.flatten(1)), [self.other(X.flatten(1))]


def convolving():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(400, 4))


@pytest.mark.parametrize("own", [None, (torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.1, 0.2, 0.3]))])
def test_a_range_test_is_a_training_with_a_rate_that_grows_by_a_factor(own):
    model, data = make_model(dropout=0.0), make_set(40, size=12)
    if own:
        model.mean_std = own  # as a pretrained network brings them
    found = lr_range_test(model, data, SGD, lowest=1e-4, highest=10.0, steps=6, seed=7, device="cpu")
    assert [lr for lr, _ in found] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0])

    batches, expected = Batches(data, 20, mean_std=own, shuffle=True, augment=(Flip(),), seed=7), []
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for epoch, rates in ((0, (1e-4, 1e-3)), (1, (1e-2, 1e-1)), (2, (1.0, 10.0))):  # two batches are an epoch
        batches.epoch = epoch
        for lr, (X, y) in zip(rates, batches, strict=True):
            optimizer.param_groups[0]["lr"] = lr
            optimizer.zero_grad()
            loss = F.cross_entropy(model(X), y, label_smoothing=0.2)
            loss.backward()
            optimizer.step()
            expected.append(loss.item())
    assert [loss for _, loss in found] == pytest.approx(expected, rel=1e-4)


def test_a_range_test_leaves_the_network_as_it_is_while_its_copy_learns():
    model = convolving().eval()
    before = copy.deepcopy(model.state_dict())
    found = lr_range_test(model, make_set(20, size=12), SGD, lowest=0.01, highest=0.02, steps=20, device="cpu")
    assert found[-1][1] < found[0][1]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.training
    assert all(p.grad is None for p in model.parameters())


def test_a_range_test_ends_before_the_first_loss_that_is_not_finite():
    data, recipe = make_set(40, size=12), Recipe(batch_size=20, optimizer="sgd")
    found = lr_range_test(make_model(), data, recipe, lowest=1e-3, highest=1e30, steps=12, device="cpu")
    assert 1 <= len(found) < 12
    assert all(math.isfinite(loss) for _, loss in found)


def test_a_range_test_shows_the_loss_of_the_network_without_its_auxiliary_heads():
    data = make_set(4, channels=1, size=1, classes=2)
    data = type(data)("pairs", "train", data.images.repeat(1, 1, 1, 2), data.labels, data.classes)
    found = lr_range_test(TwoHeads(), data, Recipe(optimizer="sgd"), steps=2, device="cpu")
    assert found[0][1] == pytest.approx(math.log(2))  # of zero weights; with the other head it is 1.3 times that


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"steps": 1}, "steps must be a whole number of at least 2, got 1"),
        ({"lowest": 0}, "lowest must be above 0 and below highest, got 0 and 1.0"),
        ({"lowest": 0.1, "highest": 0.1}, "lowest must be above 0 and below highest, got 0.1 and 0.1"),
    ],
)
def test_impossible_range_tests_are_refused(settings, says):
    with pytest.raises(ConfigError, match=says):
        lr_range_test(make_model(), make_set(4, size=12), SGD, device="cpu", **settings)


def test_the_norm_of_a_gradient_is_worked_out_by_hand():
    net = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    nn.init.zeros_(net[1].weight)
    nn.init.zeros_(net[1].bias)
    X, y = torch.tensor([1.0, 2.0]).view(1, 1, 1, 2), torch.tensor([0])
    net[1].weight.grad = torch.full((2, 2), 100.0)  # of something before: it does not count
    # Both chances are 1/2, so the gradient of the weights is (-1/2, 1/2) times (1, 2).
    assert gradient_norms(net, X, y) == {"1": pytest.approx(math.sqrt((0.25 + 1 + 0.25 + 1) / 4))}
    assert all(p.grad is None for p in net.parameters())


def test_norms_are_those_of_convolutions_and_linear_layers_from_the_first_to_the_last():
    net = convolving()
    X, y = next(iter(Batches(make_set(8, size=12), 8)))
    found = gradient_norms(net, X, y)
    F.cross_entropy(net(X), y).backward()
    by_hand = [net[place].weight.grad.pow(2).mean().sqrt().item() for place in (0, 4)]
    assert list(found) == ["0", "4"]
    assert list(found.values()) == pytest.approx(by_hand, rel=1e-4)


def test_a_layer_that_no_gradient_reaches_is_left_out():
    net = nn.Sequential(nn.Flatten(), nn.Linear(2, 3), nn.Linear(3, 2))
    net[1].requires_grad_(False)
    assert list(gradient_norms(net, torch.ones(1, 1, 1, 2), torch.tensor([0]))) == ["2"]


def test_auxiliary_heads_count_by_their_weight():
    found = gradient_norms(TwoHeads(), torch.ones(1, 1, 1, 2), torch.tensor([0]))
    assert found == {"output": pytest.approx(0.5), "other": pytest.approx(0.3 * 0.5)}


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([2.0, 1.0, 1.5, 2.5, 9.0], (2, 4)),  # the first one that is above 2
        ([2.0, 2.5, 1.0, 1.5], (3, 4)),  # what stands before the lowest has not blown up
        ([2.0, 1.0, 2.0], (2, 3)),  # as high as the first is not above it
        ([2.0, 1.0, 1.0, 3.0], (2, 4)),  # of two lowest the first
        ([2.0, 3.0, 4.0], (1, 2)),
        ([2.0], (1, 1)),
    ],
)
def test_usable_rates_are_those_of_the_lowest_loss_and_of_the_first_that_blew_up(losses, expected):
    assert usable_lr(list(enumerate(losses, 1))) == expected


def test_a_range_test_draws_its_order_from_the_seed():
    tests = [lr_range_test(make_model(), make_set(40, size=12), SGD, steps=2, seed=s, device="cpu") for s in (0, 0, 1)]
    assert tests[0][0] == tests[1][0] != tests[2][0]


def test_a_range_test_without_a_finite_loss_is_refused():
    with pytest.raises(ConfigError, match="The first loss of the range test was no number"):
        usable_lr([])


def test_what_a_student_froze_stays_frozen_in_a_range_test():
    class Watched(nn.BatchNorm2d):
        modes: ClassVar[set] = set()

        def forward(self, X):
            self.modes.add(self.training)
            return super().forward(X)

    model = nn.Sequential(Watched(3), nn.Flatten(), nn.Linear(3 * 8 * 8, 4))
    model[0].eval()
    lr_range_test(model, make_set(20), SGD, steps=3, device="cpu")
    assert Watched.modes == {False}

"""The loss of a batch: worked out by hand from chances, and against torch's cross-entropy."""

from functools import partial
from math import log

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labkit.models import build
from labkit.training.losses import AUXILIARY, batch_loss, with_auxiliary
from tests.making import make_model

CHANCES = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
ONE_HEAD = torch.tensor([[0.2, 0.4, 0.4], [0.3, 0.3, 0.4]])
OTHER_HEAD = torch.tensor([[0.8, 0.1, 0.1], [0.25, 0.25, 0.5]])
X, Y = torch.zeros(2, 1, 1, 1), torch.tensor([0, 2])


def answering(chances, *heads):
    """Return a forward pass that gives the same chances whatever the images are."""
    return lambda X: (chances.log(), [head.log() for head in heads])


def test_the_loss_is_the_mean_of_minus_the_log_of_the_right_chance():
    found = batch_loss(answering(CHANCES), X, Y)
    assert found.main.item() == pytest.approx(-(log(0.5) + log(0.7)) / 2)
    assert torch.equal(found.logits, CHANCES.log())
    assert found.total is found.main


def test_label_smoothing_spreads_a_share_of_the_target_over_all_classes():
    found = batch_loss(answering(CHANCES), X, Y, 0.3)
    first = 0.7 * log(0.5) + 0.1 * (log(0.5) + log(0.25) + log(0.25))
    second = 0.7 * log(0.7) + 0.1 * (log(0.1) + log(0.2) + log(0.7))
    assert found.total.item() == pytest.approx(-(first + second) / 2)


def test_auxiliary_heads_are_added_by_their_weight_and_left_out_of_what_is_shown():
    found = batch_loss(answering(CHANCES, ONE_HEAD, OTHER_HEAD), X, Y)
    main = -(log(0.5) + log(0.7)) / 2
    heads = -(log(0.2) + log(0.4)) / 2 - (log(0.8) + log(0.5)) / 2
    assert AUXILIARY == 0.3  # of the GoogLeNet paper
    assert found.main.item() == pytest.approx(main)
    assert found.total.item() == pytest.approx(main + 0.3 * heads)
    assert torch.equal(found.logits, CHANCES.log())


def test_label_smoothing_holds_for_auxiliary_heads_too():
    found = batch_loss(answering(CHANCES, ONE_HEAD), X, Y, 0.1)
    main, head = (F.cross_entropy(c.log(), Y, label_smoothing=0.1) for c in (CHANCES, ONE_HEAD))
    assert found.total.item() == pytest.approx((main + 0.3 * head).item())


def test_the_gradient_reaches_an_auxiliary_head_by_its_weight():
    logits, others = (torch.zeros(2, 3, requires_grad=True) for _ in range(2))
    batch_loss(lambda X: (logits, [others]), X, Y).total.backward()
    by_hand = (torch.full((2, 3), 1 / 3) - F.one_hot(Y, 3)) / 2  # chances minus targets, over the images
    assert torch.allclose(logits.grad, by_hand)
    assert torch.allclose(others.grad, 0.3 * by_hand)


def test_a_network_without_auxiliary_heads_gives_its_logits_alone():
    model, images = make_model().eval(), torch.rand(2, 3, 12, 12)
    logits, others = with_auxiliary(model, images)
    assert torch.equal(logits, model(images))
    assert others == []
    found = batch_loss(partial(with_auxiliary, model), images, torch.tensor([1, 3]))
    assert found.total.item() == pytest.approx(F.cross_entropy(model(images), torch.tensor([1, 3])).item())


def test_any_network_may_bring_auxiliary_heads():
    class Two(nn.Module):
        def with_auxiliary(self, X):
            return CHANCES.log(), [ONE_HEAD.log()]

    logits, (other,) = with_auxiliary(Two(), X)
    assert torch.equal(logits, CHANCES.log())
    assert torch.equal(other, ONE_HEAD.log())


def test_the_heads_of_googlenet_count_in_training_only():
    torch.manual_seed(0)
    net = build("googlenet", in_channels=1, num_classes=3, image_size=16, dropout=0.0)
    images = torch.rand(2, 1, 16, 16)
    assert len(with_auxiliary(net.train(), images)[1]) == 2
    found = batch_loss(partial(with_auxiliary, net.eval()), images, Y)
    assert found.total is found.main

"""The optimizers of a recipe: steps worked out by hand, and Muon beside AdamW against torch's own."""

import copy

import pytest
import torch
from torch import nn

from labkit.base.errors import ConfigError
from labkit.models import build
from labkit.training.optimizers import MuonAndAdamW, make_optimizer
from labkit.training.recipe import Recipe
from labkit.training.schedules import make_schedule
from tests.making import Stop, make_model, stop_after_two, train_small, weights

WEIGHTS, GRADIENT = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 0.25]])
needs_muon = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="needs torch 2.9 or newer, for Muon")


def after(steps, **settings):
    """Return two weights after some steps along one gradient."""
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data = WEIGHTS.clone()
    optimizer = make_optimizer(layer, Recipe(lr=0.1, **settings))
    for _ in range(steps):
        layer.weight.grad = GRADIENT.clone()
        optimizer.step()
    return layer.weight.detach()


def hidden_layers():
    """Return a network whose first two linear layers are Muon's."""
    torch.manual_seed(0)
    return build("mlp", in_channels=3, num_classes=4, image_size=12, hidden=[8, 6])


def with_gradients(net):
    generator = torch.Generator().manual_seed(1)
    for parameter in net.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    return net


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"optimizer": "sgd"}, WEIGHTS - 0.1 * GRADIENT),
        ({"optimizer": "sgd", "weight_decay": 0.2}, WEIGHTS - 0.1 * (GRADIENT + 0.2 * WEIGHTS)),
        ({"optimizer": "adam"}, WEIGHTS - 0.1),  # a first step as long as the rate, along the sign
        ({"optimizer": "adam", "weight_decay": 0.2}, WEIGHTS - 0.1 * torch.tensor([1, -1])),  # 0.25 - 0.4 turns it
        ({"optimizer": "adamw", "weight_decay": 0.2}, WEIGHTS * (1 - 0.1 * 0.2) - 0.1),
    ],
)
def test_the_first_step_is_the_one_by_hand(settings, expected):
    assert torch.allclose(after(1, **settings), expected, atol=1e-6)


def test_momentum_gathers_and_nesterov_takes_the_gradient_a_step_ahead():
    plain = {"optimizer": "sgd", "momentum": 0.9}
    assert torch.allclose(after(2, **plain), WEIGHTS - 0.1 * (1 + 1.9) * GRADIENT)
    ahead = (1 + 0.9) + (1 + 0.9 * 1.9)  # gradient and momentum of both steps
    assert torch.allclose(after(2, nesterov=True, **plain), WEIGHTS - 0.1 * ahead * GRADIENT)


def test_weight_decay_is_none_where_the_recipe_has_none():
    assert torch.allclose(after(1, optimizer="adamw"), WEIGHTS - 0.1, atol=1e-6)  # torch's own default is 0.01


@needs_muon
def test_muon_steps_the_hidden_layers_and_adamw_all_the_rest():
    net, hand = with_gradients(hidden_layers()), with_gradients(hidden_layers())
    first, second, last = (layer for layer in hand if isinstance(layer, nn.Linear))
    settings = {"lr": 0.01, "weight_decay": 0.1}
    muon = torch.optim.Muon([first.weight, second.weight], adjust_lr_fn="match_rms_adamw", **settings)
    adamw = torch.optim.AdamW([first.bias, second.bias, *last.parameters()], **settings)
    optimizer = make_optimizer(net, Recipe(optimizer="muon", **settings))
    for _ in range(3):
        for one in (optimizer, muon, adamw):
            one.step()
    assert torch.equal(weights(net), weights(hand))
    assert not torch.equal(weights(net), weights(hidden_layers()))


@needs_muon
def test_muon_makes_the_singular_values_of_an_update_equal():
    net = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 2))
    before = net[0].weight.detach().clone()
    net[0].weight.grad = torch.diag(torch.tensor([100.0, 10.0, 5.0]))
    MuonAndAdamW(net, lr=0.1, weight_decay=0.0).step()
    values = torch.linalg.svdvals((before - net[0].weight.detach()).double())
    assert values.max() / values.min() < 2  # of the gradient they differ twentyfold


@needs_muon
def test_a_schedule_moves_both_parts_of_muon():
    net, recipe = with_gradients(hidden_layers()), Recipe(optimizer="muon", lr=0.5, schedule="step", step_epochs=1)
    optimizer = make_optimizer(net, recipe)
    schedule = make_schedule(optimizer, recipe, 1)
    optimizer.step()
    schedule.step()
    assert [part.param_groups[0]["lr"] for part in optimizer.parts] == pytest.approx([0.05, 0.05])
    optimizer.zero_grad()
    assert all(p.grad is None for p in net.parameters())


@needs_muon
def test_muon_goes_on_from_its_state_as_if_it_had_not_stopped():
    net, recipe = with_gradients(hidden_layers()), Recipe(optimizer="muon", lr=0.01)
    optimizer = make_optimizer(net, recipe)
    optimizer.step()
    other = with_gradients(hidden_layers())
    other.load_state_dict(net.state_dict())
    resumed = make_optimizer(other, recipe)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for one in (optimizer, resumed):
        one.param_groups[0]["lr"] = 0.002  # of the part, after the state was loaded too
        one.step()
    assert torch.equal(weights(net), weights(other))
    assert resumed.parts[0].param_groups[0]["lr"] == 0.002


@needs_muon
@pytest.mark.parametrize("schedule", ["step", "one-cycle"])
def test_a_training_with_muon_resumes_to_the_same_weights(tmp_path, schedule):
    recipe = Recipe(epochs=3, batch_size=40, optimizer="muon", lr=0.01, schedule=schedule, step_epochs=1)
    whole, expected = train_small(recipe, hidden_layers())
    with pytest.raises(Stop):
        train_small(recipe, hidden_layers(), checkpoint=tmp_path / "run.pt", callbacks=[stop_after_two])
    resumed, history = train_small(recipe, hidden_layers(), checkpoint=tmp_path / "run.pt")
    assert torch.equal(weights(resumed), weights(whole))
    assert history["lr"] == expected["lr"]


@needs_muon
def test_muon_is_refused_where_no_hidden_layer_is_linear():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(ConfigError, match="Muon is for hidden linear layers, and Sequential has none. Use adamw"):
        make_optimizer(net, Recipe(optimizer="muon"))


def test_a_torch_without_muon_is_told(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    with pytest.raises(ConfigError, match=r"Muon needs torch 2.9 or newer, this is .*\. Use adamw"):
        make_optimizer(make_model(), Recipe(optimizer="muon"))


@pytest.mark.parametrize(
    ("name", "kind", "more"),
    [
        ("sgd", torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "fused": True}),
        ("adam", torch.optim.Adam, {"fused": True}),
        ("adamw", torch.optim.AdamW, {"fused": True}),
        ("rmsprop", torch.optim.RMSprop, {"alpha": 0.9, "eps": 1e-7}),
    ],
)
def test_an_optimizer_has_the_settings_of_its_recipe(name, kind, more):
    momentum = {"momentum": 0.9, "nesterov": True} if name == "sgd" else {}
    made = make_optimizer(make_model(), Recipe(optimizer=name, lr=0.07, weight_decay=0.03, **momentum))
    assert isinstance(made, kind)
    (group,) = made.param_groups
    assert {key: group[key] for key in more} == more
    assert (group["lr"], group["weight_decay"]) == (0.07, 0.03)
    assert len(group["params"]) == len(list(make_model().parameters()))


def test_the_body_may_have_a_rate_of_its_own():
    net = nn.Sequential()
    net.body, net.output, net.outputs = nn.Linear(2, 3), nn.Linear(3, 2), nn.Linear(1, 1)
    head, body = make_optimizer(net, Recipe(lr=0.1, body_lr=0.01)).param_groups
    assert (head["lr"], body["lr"]) == (0.1, 0.01)
    assert list(map(id, head["params"])) == list(map(id, net.output.parameters()))
    assert list(map(id, body["params"])) == [id(p) for part in (net.body, net.outputs) for p in part.parameters()]

"""labkit.arithmetic.counting, .memory and .hand_count against torch, torchvision and the published numbers."""

import random

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torchvision.models import regnet

import labkit
from labkit.arithmetic.counting import (
    attention_params,
    batch_norm_params,
    conv_params,
    conv_transpose_params,
    count,
    embedding_params,
    group_norm_params,
    gru_params,
    layer_norm_params,
    linear_params,
    lstm_params,
    multiply_adds_of,
)
from labkit.arithmetic.formulas import evaluate
from labkit.arithmetic.hand_count import MILLIONS, VGG, by_hand
from labkit.arithmetic.layers import BatchNorm, Conv, ConvTranspose, Flatten, GroupNorm, Linear, ReLU, as_layers
from labkit.arithmetic.memory import training_memory
from labkit.arithmetic.tracing import trace
from labkit.base.errors import ConfigError

CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def draw_conv(rng, classes, closed):
    dims, groups, bias = rng.randint(1, 3), rng.choice([1, 1, 2, 3]), rng.random() < 0.5
    ins, outs = groups * rng.randint(1, 4), groups * rng.randint(1, 4)
    if rng.random() < 0.2:
        groups, outs = ins, ins * rng.randint(1, 2)  # depthwise
    kernel = rng.randint(1, 5) if rng.random() < 0.5 else tuple(rng.randint(1, 5) for _ in range(dims))
    module = classes[dims - 1](ins, outs, kernel, groups=groups, bias=bias)
    return module, closed(ins, outs, kernel, dims=dims, groups=groups, bias=bias)


def draw_linear(rng):
    ins, outs, bias = rng.randint(1, 50), rng.randint(1, 50), rng.random() < 0.5
    return nn.Linear(ins, outs, bias), linear_params(ins, outs, bias)


def draw_batch_norm(rng):
    n, affine, stats = rng.randint(1, 50), rng.random() < 0.5, rng.random() < 0.5
    module = rng.choice(NORMS)(n, affine=affine, track_running_stats=stats)
    return module, batch_norm_params(n, affine, stats)


def draw_group_norm(rng):
    groups, affine = rng.randint(1, 5), rng.random() < 0.5
    n = groups * rng.randint(1, 5)
    return nn.GroupNorm(groups, n, affine=affine), group_norm_params(n, affine)


def draw_layer_norm(rng):
    shape = rng.choice([rng.randint(1, 9), (rng.randint(1, 9), rng.randint(1, 9))])
    affine, bias = rng.random() < 0.5, rng.random() < 0.5
    module = nn.LayerNorm(shape, elementwise_affine=affine, bias=bias)
    return module, layer_norm_params(shape, affine, bias)


def draw_embedding(rng):
    n, dim = rng.randint(1, 50), rng.randint(1, 20)
    return nn.Embedding(n, dim), embedding_params(n, dim)


def draw_recurrent(rng, cls, closed):
    ins, hidden, layers = rng.randint(1, 9), rng.randint(2, 9), rng.randint(1, 3)
    options = {"bias": rng.random() < 0.5, "bidirectional": rng.random() < 0.5}
    if cls is nn.LSTM:
        options["proj_size"] = rng.choice([0, rng.randint(1, hidden - 1)])
    return cls(ins, hidden, layers, **options), closed(ins, hidden, layers, **options)


def draw_attention(rng):
    heads, bias = rng.randint(1, 4), rng.random() < 0.5
    dim = heads * rng.randint(1, 5)
    kdim, vdim = rng.choice([(None, None), (rng.randint(1, 9), rng.randint(1, 9))])
    module = nn.MultiheadAttention(dim, heads, bias=bias, kdim=kdim, vdim=vdim)
    return module, attention_params(dim, kdim, vdim, bias)


FAMILIES = {
    "conv": lambda rng: draw_conv(rng, CONVS, conv_params),
    "conv transpose": lambda rng: draw_conv(rng, TRANSPOSED, conv_transpose_params),
    "linear": draw_linear,
    "batch norm": draw_batch_norm,
    "group norm": draw_group_norm,
    "layer norm": draw_layer_norm,
    "embedding": draw_embedding,
    "lstm": lambda rng: draw_recurrent(rng, nn.LSTM, lstm_params),
    "gru": lambda rng: draw_recurrent(rng, nn.GRU, gru_params),
    "attention": draw_attention,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_closed_forms_are_torchs_counts(family):
    rng = random.Random(family)
    with torch.device("meta"):
        for _ in range(150):
            module, found = FAMILIES[family](rng)
            assert found.total == sum(p.numel() for p in module.parameters()), module
            assert found.buffers == sum(b.numel() for b in module.buffers()), module
            assert found.biases == sum(p.numel() for n, p in module.named_parameters() if "bias" in n), module
            if found.total:
                assert evaluate(found.formula) == found.total, found.formula


# -- whole networks --


@pytest.mark.parametrize("letter", VGG)
def test_vgg_tables_have_the_papers_numbers(letter):
    table = by_hand(letter)
    assert round(table.total / 1e6) == MILLIONS[letter]
    assert table.total == count(VGG[letter], 224).total
    assert [line.running for line in table.lines][-1] == sum(evaluate(line.formula) for line in table.lines)
    assert all(evaluate(line.formula) == line.count for line in table.lines)


@pytest.mark.parametrize(("letter", "name"), [("A", "vgg11"), ("B", "vgg13"), ("D", "vgg16"), ("E", "vgg19")])
def test_vgg_tables_are_torchvisions_networks(letter, name):
    with torch.device("meta"):
        model = torchvision.models.get_model(name, weights=None)
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    theirs = [sum(p.numel() for p in m.parameters()) for m in layers]
    assert [line.count for line in by_hand(letter).lines] == theirs


def test_vgg_c_has_one_by_one_convolutions():
    names = [line.name for line in by_hand("C").lines]
    assert names.count("conv1-256") == 1
    assert names.count("conv1-512") == 2
    assert [line.name for line in by_hand("D").lines][:3] == ["conv3-64", "conv3-64", "conv3-128"]
    assert by_hand("D").lines[13].formula == "(7*7*512+1)*4096"


KNOWN = {
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "alexnet": 61_100_840,
    "resnet18": 11_689_512,
    "googlenet": 13_004_888,
}


def closed_form(m: nn.Module) -> int:
    """Return the parameters of a torch layer by its settings alone; bare Parameters as they are."""
    bias = getattr(m, "bias", None) is not None
    if isinstance(m, CONVS):
        return conv_params(m.in_channels, m.out_channels, m.kernel_size, groups=m.groups, bias=bias).total
    if isinstance(m, nn.Linear):
        return linear_params(m.in_features, m.out_features, bias).total
    if isinstance(m, NORMS):
        return batch_norm_params(m.num_features, m.affine).total
    if isinstance(m, nn.LayerNorm):
        return layer_norm_params(m.normalized_shape, m.elementwise_affine, bias).total
    if isinstance(m, nn.MultiheadAttention):  # its output map is a Linear of its own
        return attention_params(m.embed_dim).total - linear_params(m.embed_dim, m.embed_dim).total
    return sum(p.numel() for p in m.parameters(recurse=False))


@pytest.mark.filterwarnings("ignore:torch.meshgrid")  # of an older torchvision's MaxViT
@pytest.mark.parametrize("name", torchvision.models.list_models(module=torchvision.models))
def test_every_torchvision_classifier(name, monkeypatch):
    def on_cpu(*args, plan=regnet.BlockParams.from_init_params, **kwargs):
        with torch.device("cpu"):  # RegNet works out its widths with tensors, whose values it needs
            return plan(*args, **kwargs)

    monkeypatch.setattr(regnet.BlockParams, "from_init_params", on_cpu)
    options = {"aux_logits": True, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with torch.device("meta"):
        model = torchvision.models.get_model(name, weights=None, **options)
    found = count(model)
    assert found.total == found.trainable == sum(p.numel() for p in model.parameters())
    assert found.total == sum(closed_form(m) for m in model.modules())
    assert found.buffers == sum(b.numel() for b in model.buffers())
    assert found.total == KNOWN.get(name, found.total)
    published = {weights.meta["num_params"] for weights in torchvision.models.get_model_weights(name)}
    if name != "googlenet":  # published without its auxiliary classifiers
        assert found.total in published


def test_count_of_every_registry_model_agrees_with_labkits_other_count():
    for name in labkit.available():
        model = labkit.build(name, image_size=64)
        assert count(model).total == sum(p.numel() for p in model.parameters()) > 0


def test_count_counts_shared_parameters_once_and_tells_frozen_ones_apart():
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.BatchNorm1d(4))
    net[2].weight = net[0].weight
    net[0].bias.requires_grad_(False)
    found = count(net)
    assert (found.total, found.trainable, found.frozen, found.buffers) == (16 + 4 + 4 + 8, 28, 4, 9)
    assert [row.trainable + row.frozen for row in found.rows] == [20, 4, 8]
    net = nn.Sequential(net[0], net[0])
    assert count(net).total == 20


def test_count_of_layers_and_its_errors():
    layers = [Conv(8, 3, bias=False), BatchNorm(), ReLU(), GroupNorm(2), ConvTranspose(4, 2), Flatten(), Linear(10)]
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.GroupNorm(2, 8),
        nn.ConvTranspose2d(8, 4, 2),
        nn.Flatten(),
        nn.Linear(4 * 31 * 31, 10),
    )
    ours, theirs = count(layers, 32), count(net)
    assert (ours.total, ours.buffers) == (theirs.total, theirs.buffers)
    assert str(ours).splitlines()[-1] == str(theirs).splitlines()[-1]
    assert [str(layer) for _, layer in as_layers(net)] == [str(layer) for layer in layers]
    assert trace(layers, 32).parameters == trace(net, 32).parameters == ours.total
    assert "(3*3*3)*8" not in ours._repr_html_()
    assert "3*3*3*8" in ours._repr_html_()
    for call, words in (
        (lambda: count(layers), "needs the size"),
        (lambda: count("vgg16"), "Expected a layer"),
        (lambda: count(nn.LazyLinear(3)), "lazy"),
        (lambda: count([Conv(0, 3)], 32), "out_channels"),
        (lambda: count([Conv(8, 33)], 32), "does not fit"),
        (lambda: by_hand("F"), "no VGG configuration 'F'"),
        (lambda: conv_params(3, 8, 3, groups=2), "multiple of groups"),
        (lambda: conv_params(3.0, 8, 3), "in_channels"),
        (lambda: linear_params(True, 8), "in_features"),
        (lambda: lstm_params(3, 8, proj_size=8), "proj_size"),
        (lambda: training_memory(10, optimizer="lion"), "optimizer"),
        (lambda: training_memory(10, precision="fp8"), "precision"),
        (lambda: training_memory(-1), "parameters"),
    ):
        with pytest.raises(ConfigError, match=words):
            call()


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.integers(0, 1), st.booleans())
def test_multiply_adds_are_the_multiplications_of_a_loop(cin, k, stride, padding, transposed):
    """Count the products one by one: each output number of a convolution adds up k·k·cin of them."""
    size, cout = 5, 2
    layer = (ConvTranspose if transposed else Conv)(cout, k, stride, 0 if transposed else padding)
    out = layer.out((cin, size, size))
    pixels = size * size if transposed else out[1] * out[2]
    products = sum(1 for _ in range(pixels) for _ in range(k * k) for _ in range(cin) for _ in range(cout))
    assert multiply_adds_of(layer, (cin, size, size)) == products


# -- memory --


@pytest.mark.parametrize(("optimizer", "options"), [("sgd", {}), ("momentum", {"momentum": 0.9}), ("adam", {})])
def test_optimizer_state_is_torchs(optimizer, options):
    net = nn.Linear(10, 10)
    optim = (torch.optim.Adam if optimizer == "adam" else torch.optim.SGD)(net.parameters(), lr=0.1, **options)
    net(torch.ones(1, 10)).sum().backward()
    optim.step()
    held = [v for state in optim.state.values() for v in state.values() if isinstance(v, torch.Tensor) and v.ndim]
    found = training_memory(110, optimizer=optimizer)
    assert found.optimizer == sum(t.numel() * t.element_size() for t in held)
    assert found.parameters == found.gradients == 440


def test_memory_of_a_step_by_hand():
    table = trace([Conv(8, 3), ReLU(), Flatten(), Linear(10)], 32)
    numbers = 8 * 30 * 30 * 2 + 10
    assert table.activations == numbers
    plain = table.memory(batch_size=4, optimizer="momentum")
    assert plain.activations == 4 * 4 * numbers
    assert plain.total == 3 * 4 * table.parameters + 16 * numbers
    assert table.memory(4, precision="bf16").activations == plain.activations // 2
    assert table.memory(4, precision="bf16").parameters == plain.parameters
    assert table.memory(4, precision="all-bf16").parameters == plain.parameters // 2


def test_mb_and_mib_stand_in_columns_of_their_own():
    text = str(training_memory(138_357_544, optimizer="sgd"))
    assert text.splitlines()[0].split() == ["what", "bytes", "MB", "MiB"]
    assert text.splitlines()[2].split() == ["parameters", "553,430,176", "553.4", "527.8"]


def test_by_hand_prints_in_both_ways():
    text = str(by_hand("D"))
    assert text.splitlines()[2].split() == ["conv3-64", "(3*3*3+1)*64", "1,792", "1,792"]
    assert text.splitlines()[-1] == "138,357,544 parameters"
    assert by_hand("D")._repr_html_().count("<tr>") == 17
    assert max(map(len, text.splitlines())) <= 80

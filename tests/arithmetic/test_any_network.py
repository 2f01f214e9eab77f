"""Counts, shapes and multiply-adds of networks that readers bring: against torch itself, on random ones of every kind."""

import random
import warnings

import pytest
import torch
import torchvision
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from labkit.analysis.summaries import multiply_adds, summary
from labkit.arithmetic.auditing import audit
from labkit.arithmetic.counting import count
from labkit.arithmetic.hand_count import by_hand
from labkit.arithmetic.tracing import smallest_input, trace
from labkit.base.errors import ConfigError

# --- random networks --------------------------------------------------------------------------------------------------


class Causal(nn.Conv1d):
    """A convolution of one axis that sees no later step: it pads in its own forward."""

    def forward(self, x):
        return super().forward(F.pad(x, (self.dilation[0] * (self.kernel_size[0] - 1), 0)))


class Halved(nn.Linear):
    """A linear layer whose own forward does more than its class says."""

    def forward(self, x):
        return super().forward(x)[:, ::2]


class Scaled(nn.Sequential):
    """A chain with a number for each channel of its own."""

    def __init__(self, channels, *layers):
        super().__init__(*layers)
        self.scale = nn.Parameter(torch.ones(channels))


class Branches(nn.Module):
    """Two ways from the images to one sum, the second with weights of the first."""

    def __init__(self, way, channels):
        super().__init__()
        self.way, self.gain = way, nn.Parameter(torch.ones(channels, 1))

    def forward(self, x):
        out = self.way(x)
        return self.gain[0] * out + self.way(x.flip(-1))


KERNELS = [1, 2, 3]


def draw_layers(rng, axes, channels):
    """A few layers that work on maps with so many axes; sizes are not looked at, so torch may refuse them."""
    conv, transposed = getattr(nn, f"Conv{axes}d"), getattr(nn, f"ConvTranspose{axes}d")
    pool, norm = getattr(nn, f"MaxPool{axes}d"), getattr(nn, f"BatchNorm{axes}d")
    layers, shared = [], None
    for _ in range(rng.randint(1, 5)):
        kind = rng.choice(
            ["conv", "conv", "conv", "transposed", "pool", "norm", "act", "group", "own", "again", "tied"]
        )
        groups, bias, kernel = rng.choice([1, 1, 2]), rng.random() < 0.7, rng.choice(KERNELS)
        outs = 2 * rng.randint(1, 3)
        options = {"stride": rng.choice([1, 2]), "groups": groups, "bias": bias}
        if kind == "conv":
            layers.append(
                conv(channels, outs, kernel, padding=rng.randint(0, 2), dilation=rng.choice([1, 2]), **options)
            )
            channels, shared = outs, layers[-1]
        elif kind == "transposed":
            layers.append(transposed(channels, outs, kernel, **options))
            channels = outs
        elif kind == "pool":
            layers.append(pool(kernel, ceil_mode=rng.random() < 0.5))
        elif kind == "norm":
            layers.append(norm(channels, affine=rng.random() < 0.7))
        elif kind == "act":
            layers.append(rng.choice([nn.ReLU(), nn.Dropout(0.3), nn.Sigmoid(), nn.Identity()]))
        elif kind == "group":
            layers.append(nn.GroupNorm(2, channels))
        elif kind == "own" and axes == 1:
            layers.append(Causal(channels, outs, kernel, dilation=rng.choice([1, 2])))
            channels = outs
        elif kind == "again" and shared is not None and shared.in_channels == channels:
            layers.append(shared)
            channels = shared.out_channels
        elif kind == "tied" and shared is not None and shared.in_channels == channels:
            layers.append(conv(channels, shared.out_channels, shared.kernel_size, groups=shared.groups))
            layers[-1].weight = shared.weight
            channels = shared.out_channels
        if kind == "conv" and rng.random() < 0.2:
            layers[-1] = rng.choice([parametrizations.weight_norm, parametrizations.spectral_norm])(layers[-1])
            shared = None
    return layers, channels


def draw_network(rng):
    """A chain, and perhaps a head, a number of its own, or a forward of its own; its images; whether it is a chain."""
    axes, channels, size = rng.randint(1, 3), 2 * rng.randint(1, 2), rng.randint(5, 9)
    layers, last = draw_layers(rng, axes, channels)
    if rng.random() < 0.5:
        pool = getattr(nn, f"AdaptiveAvgPool{axes}d")
        side = rng.randint(1, 2)
        layers += [pool(side), nn.Flatten(), rng.choice([nn.Linear, Halved])(last * side**axes, 4)]
    if rng.random() < 0.1:  # a layer for another number of axes, which torch mostly refuses
        other = rng.choice([n for n in (1, 2, 3) if n != axes])
        layers.insert(rng.randrange(len(layers) + 1), getattr(nn, f"AvgPool{other}d")(2))
    shape = (channels, *(size,) * axes)
    kind = rng.choice(["chain", "chain", "chain", "own numbers", "own forward"])
    if kind == "own numbers":
        return Scaled(3, *layers), shape, False
    if kind == "own forward":
        return Branches(nn.Sequential(*layers), 3), shape, False
    return nn.Sequential(*layers), shape, True


def ran(net, shape):
    """What torch makes of two images, and how many products it takes, by a count of its calls; None where it refuses."""
    work = []

    def products(part, args, out):
        kernel = part.weight.shape[1:].numel() if isinstance(part, CONVS) else 0
        per_row = part.in_features if isinstance(part, nn.Linear) else 0
        base = args[0].numel() if isinstance(part, TRANSPOSED) else out.numel()
        if isinstance(part, Halved):
            base = len(out) * part.out_features
        work.append(base * (kernel or per_row))

    hooks = [m.register_forward_hook(products) for m in net.modules() if isinstance(m, (*CONVS, nn.Linear))]
    try:
        with torch.no_grad():
            out = net.eval()(torch.zeros(2, *shape))
    except (RuntimeError, ValueError, IndexError):  # norms and poolings say it in their own ways
        return None
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(out.shape), sum(work) // 2


TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)
NETWORKS, PARTS = 2_000, 20


@pytest.mark.parametrize("part", range(PARTS), ids="part{}".format)
@settings(max_examples=NETWORKS // PARTS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**9))
def test_random_networks_are_right_or_refused(part, seed):
    rng = random.Random(PARTS * seed + part)
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch on paddings and on dropout of maps
        net, shape, is_chain = draw_network(rng)
        parameters = sum(p.numel() for p in net.parameters())
        assert count(net).total == parameters
        truth = ran(net, shape)
        sizes = tuple(shape[1:])
        if truth is None:
            for refused in (
                lambda: trace(net, sizes, shape[0]),
                lambda: by_hand(net, sizes, shape[0]),
                lambda: summary(net, shape),
            ):
                with pytest.raises(ConfigError):
                    refused()
            return
        out, work = truth
        whole = summary(net, shape, batch_size=2)
        assert (whole.total, whole.multiply_adds) == (parameters, work)
        assert multiply_adds(net, shape) == work
        mixed = any("AvgPool" in type(m).__name__ and "Adaptive" not in type(m).__name__ for m in net.modules())
        if is_chain and not mixed:
            traced = trace(net, sizes, shape[0])
            assert (traced.out_shape, traced.parameters, traced.multiply_adds) == (out[1:], parameters, work)
        counted = by_hand(net, sizes, shape[0])
        assert counted.total == parameters
        assert sum(line.count for line in counted.lines) == parameters
        student = [(line.name, line.formula, line.count) for line in counted.lines]
        assert audit(student, parameters, net, input_size=sizes, in_channels=shape[0]).ok


# --- attention and recurrent layers, also where one kernel does it all ------------------------------------------------


class Attends(nn.Module):
    def forward(self, q):
        return F.scaled_dot_product_attention(q, q, q)


TOKENS, ATTENTION = 10, 3 * 10 * 16 * 16 + 2 * 10 * 10 * 16 + 10 * 16 * 16


@pytest.mark.parametrize(
    ("model", "shape", "right"),
    [
        (nn.MultiheadAttention(16, 2), (10, 16), ATTENTION),
        (nn.MultiheadAttention(16, 2, batch_first=True), (10, 16), ATTENTION),
        (nn.MultiheadAttention(16, 2, bias=False, batch_first=True), [(10, 16)] * 3, ATTENTION),
        (nn.TransformerEncoderLayer(16, 2, 32), (10, 16), ATTENTION + 2 * 10 * 16 * 32),
        (nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), (10, 16), ATTENTION + 2 * 10 * 16 * 32),
        (nn.TransformerDecoderLayer(16, 2, 32, batch_first=True), [(10, 16)] * 2, 2 * ATTENTION + 2 * 10 * 16 * 32),
        (Attends(), (2, 10, 8), 2 * 2 * 10 * 10 * 8),
        (nn.LSTM(8, 16), (5, 8), 5 * 4 * 16 * (8 + 16)),
        (nn.LSTM(8, 16, batch_first=True), (5, 8), 5 * 4 * 16 * (8 + 16)),
        (nn.GRU(8, 16), (5, 8), 5 * 3 * 16 * (8 + 16)),
        (nn.RNN(8, 16), (5, 8), 5 * 16 * (8 + 16)),
        (nn.LSTM(8, 16, num_layers=2, bidirectional=True), (5, 8), 5 * 2 * 4 * 16 * (8 + 16 + 32 + 16)),
        (nn.Bilinear(3, 4, 5), [(3,), (4,)], 3 * 4 * 5),
        (nn.Linear(8, 3), (7, 8), 7 * 8 * 3),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_every_layer_that_multiplies_is_counted(model, shape, right):
    for _ in range(2):  # in training and in evaluation, which may take a fused path
        assert multiply_adds(model, shape) == right
        assert summary(model, shape).multiply_adds == right
        model.eval()


def test_the_vision_transformer_is_counted_whole_and_refuses_other_images():
    with torch.device("meta"):
        model = torchvision.models.vit_b_16(weights=None)
    assert multiply_adds(model, (3, 224, 224)) == 17_563_828_224
    with pytest.raises(ConfigError, match="Wrong image height"):
        summary(model, (3, 32, 32))


def test_kernels_that_were_turned_off_are_on_again():
    before = torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled, torch.is_grad_enabled()
    with pytest.raises(ConfigError, match="cannot take inputs of 5: it failed before its first layer was done"):
        multiply_adds(nn.Linear(3, 4), (5,))
    assert before == (torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled, torch.is_grad_enabled())


# --- own parameters, own forward, shared and tied ---------------------------------------------------------------------


def test_own_parameters_and_parametrizations_are_lines_of_the_hand_count():
    net = Scaled(8, nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))
    assert [(line.name, line.formula, line.count) for line in by_hand(net, 8).lines] == [
        ("scale", "8", 8),
        ("conv3-4", "(3*3*3+1)*4", 112),
        ("FC-5", "(6*6*4+1)*5", 725),
    ]
    with pytest.raises(ConfigError, match="8 parameters outside of its layers"):
        trace(net, 8)
    normed = nn.Sequential(parametrizations.weight_norm(nn.Conv2d(3, 4, 3)))
    assert by_hand(normed, 8).total == count(normed).total == 3 * 3 * 3 * 4 + 4 + 4
    assert trace(normed, 8).parameters == 116


def test_a_layer_that_is_used_twice_and_tied_weights_are_counted_once():
    conv = nn.Conv2d(3, 3, 3)
    twice = nn.Sequential(conv, nn.ReLU(), conv)
    assert [line.count for line in by_hand(twice, 32).lines] == [84]
    assert audit([("conv3-3", "(3*3*3+1)*3", 84)], 84, twice, input_size=32).ok
    traced = trace(twice, 32)
    assert [row.parameters for row in traced.rows] == [84, 0, 0]
    assert traced.multiply_adds == 81 * (30 * 30 + 28 * 28)
    tied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    tied[1].weight = tied[0].weight
    assert [line.count for line in by_hand(tied, (), 4).lines] == [20, 4]


def test_shapes_come_from_running_the_network():
    causal = nn.Sequential(Causal(4, 8, 5))
    traced = trace(causal, (32,), 4)
    assert traced.out_shape == (8, 32)
    assert traced.rows[0].receptive_field is None  # its forward may look anywhere
    assert traced.multiply_adds == 4 * 8 * 5 * 32
    assert smallest_input(causal, 4) == 1


def test_one_number_is_the_side_of_as_many_axes_as_the_layers_have():
    assert by_hand(nn.Conv3d(1, 4, 3), 32, 1).lines[0].formula == "(3*3*3*1+1)*4"
    assert by_hand(nn.Conv3d(1, 4, 3), 32, 1).total == 112
    assert trace(nn.Conv3d(1, 4, 3), 8, 1).out_shape == (4, 6, 6, 6)
    assert trace(nn.Conv1d(1, 4, 3), 8, 1).out_shape == (4, 6)


@pytest.mark.parametrize(
    ("layers", "shape", "words"),
    [
        ([nn.Conv2d(3, 4, 3), nn.MaxPool1d(2)], (3, 8, 8), "MaxPool1d|works on 1 axis and gets maps with 2"),
        ([nn.Conv1d(3, 4, 3), nn.Conv2d(4, 4, 3)], (3, 8), "works on 2 axes and gets maps with 1"),
        ([nn.Conv1d(3, 4, 3), nn.MaxPool2d(2)], (3, 8), "works on 2 axes and gets maps with 1"),  # torch takes the
        (
            [nn.Flatten(), nn.BatchNorm2d(192)],
            (3, 8, 8),
            "on maps with 2 axes and gets a row of 192",
        ),  # batch for channels
        ([nn.Conv2d(3, 4, 3), nn.Dropout1d()], (3, 8, 8), "works on 1 axis and gets maps with 2"),
        ([nn.Linear(9, 3)], (4, 8), "needs one row of features"),
    ],
)
def test_chains_that_torch_would_refuse_for_a_batch_are_refused(layers, shape, words):
    with pytest.raises(ConfigError, match=words) as told:
        trace(nn.Sequential(*layers), shape[1:], shape[0])
    if "needs" not in words:
        assert "No size of the image mends that" in str(told.value)
        assert smallest_input(nn.Sequential(*layers), shape[0]) is None


def test_a_dropout_of_channels_takes_what_comes():
    class Own(nn.Dropout2d):
        pass

    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout3d(), nn.Flatten(), Own(), nn.Dropout1d(), nn.BatchNorm1d(144))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch on dropouts of other shapes
        assert trace(net, 8).out_shape == (144,)


class Skipping(nn.Module):
    """Looks like a chain, but its forward leaves a part out."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1))
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(192, 5))

    def forward(self, x):
        return self.classifier(self.features[0](x))


def test_a_model_that_only_looks_like_a_chain_is_refused():
    with pytest.raises(ConfigError, match="does not use its layers one after the other"):
        trace(Skipping(), 8)


# --- what cannot be counted is said in a sentence ---------------------------------------------------------------------


def small():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).eval()


def frozen():
    return torch.jit.freeze(torch.jit.script(small()))


def quantised():
    return torch.ao.quantization.quantize_dynamic(small(), {nn.Linear})


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.Sequential(nn.LazyConv2d(4, 3)), "0 does not know its size yet \\(a lazy layer\\)"),
        (frozen, "constants"),
        (quantised, "3 \\(Linear\\) is quantised"),
    ],
)
def test_lazy_frozen_and_quantised_networks(make, words):
    model = make()
    for refused in (
        lambda: count(model),
        lambda: by_hand(model, 8),
        lambda: trace(model, 8),
        lambda: summary(model, (3, 8, 8)),
        lambda: multiply_adds(model, (3, 8, 8)),
    ):
        with pytest.raises(ConfigError, match=words):
            refused()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_script_is_counted_and_its_layers_are_not_watched():
    script, right = torch.jit.script(small()), 36 * 4 * 27 + 144 * 5
    assert count(script).total == count(small()).total
    assert multiply_adds(script, (3, 8, 8)) == right
    with pytest.raises(ConfigError, match="Summarise the model that it was made from"):
        summary(script, (3, 8, 8))

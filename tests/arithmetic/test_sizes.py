"""labkit.arithmetic.sizes and labkit.arithmetic.layers against torch, on thousands of random settings, impossible ones included."""

import random
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import labkit
from labkit.arithmetic.hand_count import VGG
from labkit.arithmetic.layers import (
    AdaptivePool,
    Conv,
    ConvTranspose,
    Dropout,
    Flatten,
    Linear,
    Pool,
    ReLU,
    as_layers,
    receptive_field,
)
from labkit.arithmetic.sizes import adaptive_pool_out, conv_out, conv_transpose_out, kernels_for, pool_out, same_padding
from labkit.arithmetic.tracing import smallest_input, trace
from labkit.base.errors import ConfigError

SETTINGS = 2_100  # of each family: 700 for each number of axes
FORWARD = {
    "conv": (F.conv1d, F.conv2d, F.conv3d),
    "transpose": (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d),
    "max": (F.max_pool1d, F.max_pool2d, F.max_pool3d),
    "avg": (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d),
    "adaptive": (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d),
}


def outcome(function):
    """Return the sizes that a function gives, or None if it refuses; an empty map is as good as a refusal."""
    try:
        out = function()
    except (RuntimeError, ConfigError):
        return None
    sizes = tuple(out.shape[2:]) if isinstance(out, torch.Tensor) else tuple(out)
    return sizes if 0 not in sizes else None


def compare(family: str, draw):
    """Check a family on random settings: the same sizes as torch, and an error where torch has one."""
    rng, refused = random.Random(family), 0
    for i in range(SETTINGS):
        dims = 1 + i % 3
        theirs, ours, setting = draw(rng, dims, lambda a, b, n=dims: tuple(rng.randint(a, b) for _ in range(n)))
        wanted, got = outcome(theirs), outcome(ours)
        assert got == wanted, f"{family} {setting}: torch {wanted}, ours {got}"
        refused += wanted is None
    assert SETTINGS / 20 < refused < SETTINGS * 0.95  # both kinds were met


def test_conv_out_is_torchs():
    def draw(rng, dims, ints):
        size, kernel, dilation = ints(1, 9), ints(1, 4), ints(1, 3)
        stride, padding = ints(0 if rng.random() < 0.1 else 1, 4), ints(-1 if rng.random() < 0.1 else 0, 3)
        if rng.random() < 0.2:
            padding, stride = rng.choice(["same", "valid"]), rng.choice([stride, (1,) * dims])
        X, W = torch.zeros(1, 1, *size), torch.zeros(1, 1, *kernel)
        setting = (size, kernel, stride, padding, dilation)
        conv = FORWARD["conv"][dims - 1]
        return lambda: conv(X, W, None, stride, padding, dilation), lambda: conv_out(*setting), setting

    compare("conv", draw)


def test_conv_transpose_out_is_torchs():
    def draw(rng, dims, ints):
        size, kernel, stride, dilation = ints(1, 5), ints(1, 4), ints(1, 3), ints(1, 2)
        padding, extra = ints(0, 3 if rng.random() < 0.3 else 1), ints(0, 2 if rng.random() < 0.3 else 0)
        X, W = torch.zeros(1, 1, *size), torch.zeros(1, 1, *kernel)
        setting = (size, kernel, stride, padding, extra, dilation)
        conv = FORWARD["transpose"][dims - 1]
        theirs = lambda: conv(X, W, None, stride, padding, extra, 1, dilation)  # noqa: E731
        return theirs, lambda: conv_transpose_out(*setting), setting

    compare("transpose", draw)


def test_max_pool_out_is_torchs():
    def draw(rng, dims, ints):
        size, kernel, dilation = ints(1, 9), ints(1, 4), ints(1, 3 if rng.random() < 0.5 else 1)
        stride = None if rng.random() < 0.3 else ints(1, 4)
        padding, ceil_mode = ints(0, 2 if rng.random() < 0.3 else 1), rng.random() < 0.5
        X, setting = torch.zeros(1, 1, *size), (size, kernel, stride, padding, dilation, ceil_mode)
        pool = FORWARD["max"][dims - 1]
        return lambda: pool(X, *setting[1:]), lambda: pool_out(*setting), setting

    compare("max", draw)


def test_avg_pool_out_is_torchs():
    def draw(rng, dims, ints):
        size, kernel, ceil_mode = ints(1, 6), ints(1, 5), rng.random() < 0.5
        if dims == 3:  # AvgPool3d alone refuses a kernel that needs the padding to fit
            size = tuple(map(max, size, kernel))
        stride = None if rng.random() < 0.3 else ints(1, 4)
        padding = ints(0, 3 if rng.random() < 0.3 else 1)
        X, pool = torch.zeros(1, 1, *size), FORWARD["avg"][dims - 1]
        setting = (size, kernel, stride, padding, 1, ceil_mode)
        return lambda: pool(X, kernel, stride, padding, ceil_mode), lambda: pool_out(*setting), setting

    compare("avg", draw)


def test_adaptive_pool_out_is_torchs():
    def draw(rng, dims, ints):
        size, wanted = ints(1, 9), ints(-3 if rng.random() < 0.4 else 1, 9)
        wanted = tuple(n or 1 for n in wanted)  # torch takes 0 and gives an empty map; we refuse it
        if dims > 1:
            wanted = tuple(None if rng.random() < 0.2 else n for n in wanted)
        X, pool = torch.zeros(1, 1, *size), FORWARD["adaptive"][dims - 1]
        return lambda: pool(X, wanted), lambda: adaptive_pool_out(size, wanted), (size, wanted)

    compare("adaptive", draw)


def test_plain_numbers_and_tuples_agree():
    assert conv_out((32, 32), 3) == (30, 30)
    assert conv_out(32, (3, 5)) == (30, 28)
    assert isinstance(conv_out(32, 3), int)
    assert pool_out(32, 2) == 16
    with pytest.raises(ConfigError, match="same length"):
        conv_out((32, 32), (3, 3, 3))
    with pytest.raises(ConfigError, match="Axis 1: A kernel that reaches over 5"):
        conv_out((32, 4), 5)


BAD = [0, -1, 2.5, 3.0, "3", True, None, (), float("nan"), [3, "x"]]


@pytest.mark.parametrize("bad", BAD, ids=repr)
@pytest.mark.parametrize("name", ["size", "kernel_size", "stride", "dilation"])
def test_bad_numbers_are_refused_in_words(name, bad):
    good = {"size": 8, "kernel_size": 3, "stride": 1, "dilation": 1}
    for function in (conv_out, pool_out, conv_transpose_out):
        if function is pool_out and name == "stride" and bad is None:
            continue  # the kernel size, as in torch
        with pytest.raises(ConfigError, match=r"whole number|one number for each axis"):
            function(**{**good, name: bad})


@pytest.mark.parametrize("bad", ["full", -1, 1.5, True])
def test_bad_padding_is_refused(bad):
    with pytest.raises(ConfigError, match="padding must be"):
        conv_out(8, 3, padding=bad)


def test_other_bad_settings_are_refused():
    for call, words in (
        (lambda: conv_out(8, 3, stride=2, padding="same"), "needs stride 1"),
        (lambda: pool_out(8, 3, padding=2), "at most half"),
        (lambda: pool_out(8, 3, ceil_mode=1), "ceil_mode"),
        (lambda: conv_transpose_out(8, 3, output_padding=1), "output_padding"),
        (lambda: conv_transpose_out(1, 1, padding=1), "Nothing is left"),
        (lambda: adaptive_pool_out(8, 0), "output_size"),
        (lambda: conv_out(2, 3), "does not fit"),
        (lambda: kernels_for(0, 3), "size must be"),
        (lambda: kernels_for(3, 3, kernel_sizes=["3"]), "kernel_size must be"),
    ):
        with pytest.raises(ConfigError, match=words):
            call()


@given(st.integers(1, 15), st.integers(1, 5), st.integers(1, 64))
def test_same_padding_keeps_the_size_or_says_why_not(kernel_size, dilation, size):
    if dilation * (kernel_size - 1) % 2:
        with pytest.raises(ConfigError, match="even number"):
            same_padding(kernel_size, dilation)
    else:
        padding = same_padding(kernel_size, dilation)
        assert conv_out(size, kernel_size, 1, padding, dilation) == size


@settings(max_examples=50)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 2))
def test_kernels_for_finds_all_that_work_and_no_other(size, wanted, dilation):
    found = set(kernels_for(size, wanted, range(1, 6), (1, 2, 3), dilation))
    for kernel_size in range(1, 6):
        for stride in (1, 2, 3):
            for padding in range((dilation * (kernel_size - 1) + 1) // 2 + 1):
                try:
                    works = conv_out(size, kernel_size, stride, padding, dilation) == wanted
                except ConfigError:
                    works = False
                assert works == ((kernel_size, stride, padding) in found)


# -- receptive fields: which pixels of the image get a gradient from one pixel of the output --


def random_chain(rng):
    """Return layers, and torch modules with the same windows in which every pixel counts."""
    layers, modules = [], []
    for _ in range(rng.randint(1, 4)):
        kernel, stride, dilation = rng.randint(1, 4), rng.randint(1, 2), rng.randint(1, 2)
        padding = rng.randint(0, kernel // 2)
        if rng.random() < 0.4:
            layers.append(Pool(kernel, stride, padding))
            modules.append(nn.AvgPool1d(kernel, stride, padding))
        else:
            same = stride == 1 and rng.random() < 0.3
            layers.append(Conv(1, kernel, stride, "same" if same else padding, dilation))
            modules.append(nn.Conv1d(1, 1, kernel, stride, "same" if same else padding, dilation, bias=False))
            nn.init.ones_(modules[-1].weight)
    return layers, nn.Sequential(*modules)


@pytest.mark.parametrize("seed", range(60))
def test_receptive_field_is_where_the_gradient_is(seed):
    layers, net = random_chain(random.Random(seed))
    field = receptive_field(layers)
    X = torch.ones(1, 1, 300, requires_grad=True)
    y = net(X)[0, 0]  # (positions,)
    for i in (len(y) // 2, len(y) // 2 + 1):
        (gradient,) = torch.autograd.grad(y[i], X, retain_graph=True)
        seen = gradient[0, 0].nonzero().flatten()
        centre = field.start + i * field.stride
        assert seen[0] == centre - (field.size - 1) / 2
        assert seen[-1] == centre + (field.size - 1) / 2


def test_receptive_field_of_each_axis_and_of_torch_modules():
    layers = [Conv(8, (3, 5)), Pool((2, 1))]
    assert receptive_field(layers).size == 4
    assert receptive_field(layers, axis=1).size == 5
    net = nn.Sequential(nn.Conv2d(3, 8, (3, 5)), nn.ReLU(), nn.MaxPool2d((2, 1)))
    assert receptive_field(net, axis=1) == receptive_field(layers, axis=1)
    assert receptive_field([layer for layer in VGG["D"] if not isinstance(layer, (Linear, Flatten))]).size == 212


def test_a_dilated_pooling_reaches_as_far_as_its_gaps():
    assert receptive_field([Pool(3, stride=1, dilation=2)]).size == 5
    assert receptive_field([Conv(8, 3, stride=2), Pool(2, dilation=3)]).size == 3 + 2 * 3
    assert receptive_field(nn.Sequential(nn.MaxPool2d(3, stride=1, dilation=4))).size == 9


@pytest.mark.parametrize("layer", [Linear(10), AdaptivePool(1), ConvTranspose(8, 3)])
def test_receptive_field_refuses_layers_without_a_window(layer):
    with pytest.raises(ConfigError):
        receptive_field([Conv(8, 3), layer])


# -- the trace --


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_trace_of_the_registrys_cnn_is_what_it_does(blocks):
    model = labkit.build("cnn", blocks=blocks).eval()
    table = trace(model, 32)
    X = torch.zeros(1, 3, 32, 32)
    for row, module in zip(table.rows, [*model.features, *model.classifier], strict=True):
        X = module(X)
        assert row.out_shape == tuple(X.shape[1:])
    assert table.parameters == sum(p.numel() for p in model.parameters())
    assert [row.name for row in table.rows][:2] == ["features.0", "features.1"]


def test_trace_of_nested_sequentials_and_of_torchvision():
    import torchvision

    block = nn.Sequential(nn.Conv2d(3, 8, 3, padding="same"), nn.Sequential(nn.BatchNorm2d(8), nn.GELU()))
    table = trace(nn.Sequential(block, nn.AdaptiveAvgPool2d((1, None)), nn.Flatten(), nn.Linear(256, 4)), 32)
    assert [row.out_shape for row in table.rows] == [(8, 32, 32)] * 3 + [(8, 1, 32), (256,), (4,)]
    with torch.device("meta"):
        vgg = torchvision.models.vgg16(weights=None)
        assert trace(vgg, 224).parameters == 138_357_544
        assert trace(vgg, 224).multiply_adds == 15_470_264_320
        assert trace(torchvision.models.alexnet(weights=None), 224).parameters == 61_100_840
        with pytest.raises(ConfigError, match=r"labkit\.summary"):
            trace(torchvision.models.resnet18(weights=None), 224)


def test_trace_refuses_unknown_things():
    for bad in ("D", 3, None):
        with pytest.raises(ConfigError, match="Expected a layer"):
            trace(bad, 32)
    with pytest.raises(ConfigError, match="not a plain chain"):
        trace(nn.Bilinear(2, 2, 2), 32)
    for bad in (0, -1, 3.5, "32", True):
        with pytest.raises(ConfigError, match="input_size must be"):
            trace([Conv(8, 3)], bad)


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_an_impossible_size_names_the_layer_and_the_smallest_image(rng, size):
    layers = [
        layer
        for _ in range(rng.randint(1, 4))
        for layer in (Conv(8, rng.choice([3, 5])), ReLU(), Pool(rng.choice([2, 3]), ceil_mode=rng.random() < 0.5))
    ]
    least = smallest_input(layers)
    modules = nn.Sequential(
        *(
            nn.Conv2d(3 if i == 0 else 8, 8, x.kernel_size)
            if isinstance(x, Conv)
            else nn.ReLU()
            if isinstance(x, ReLU)
            else nn.MaxPool2d(x.kernel_size, ceil_mode=x.ceil_mode)
            for i, x in enumerate(layers)
        )
    ).to("meta")
    modules(torch.zeros(1, 3, least, least, device="meta"))
    with pytest.raises(RuntimeError):
        modules(torch.zeros(1, 3, least - 1, least - 1, device="meta"))
    if size >= least:
        assert trace(layers, size).out_shape == tuple(modules(torch.zeros(1, 3, size, size, device="meta")).shape[1:])
    else:
        with pytest.raises(ConfigError, match=rf"Layer \d+, (Conv|Pool)\(.*takes is {least} × {least} pixels"):
            trace(layers, size)


def test_misfits_that_no_size_mends_say_so():
    with pytest.raises(ConfigError, match=r"Layer 2, Linear\(4\).*Put Flatten"):
        trace([Conv(8, 3), Linear(4)], 32)
    with pytest.raises(ConfigError, match="takes 3 channels and gets 1"):
        trace(nn.Sequential(nn.Conv2d(3, 8, 3)), 32, in_channels=1)
    with pytest.raises(ConfigError, match="takes is 30 × 30"):
        trace(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 28 * 28, 4)), 32)
    with pytest.raises(ConfigError, match="needs a map"):
        trace([Flatten(), Conv(8, 3)], 32)
    with pytest.raises(ConfigError, match="groups=2 must divide"):
        trace([Conv(8, 3, groups=2)], 32)


def test_smallest_input_by_hand():
    assert smallest_input([Conv(8, 1)]) == 1
    assert smallest_input([Conv(8, 3)], axes=1) == 3
    assert smallest_input([Conv(8, 3, in_channels=1)]) is None


def test_trace_prints_in_both_ways():
    table = trace([Conv(8, 3), ReLU(inplace=True), Dropout(), Flatten(), Linear(10)], (32, 30))
    assert "8 × 30 × 28" in str(table)
    assert table._repr_html_().count("<tr>") == 7
    assert table.activations == 2 * 8 * 30 * 28 + 10  # ReLU in place and Flatten write nothing
    assert [name for name, _ in as_layers([Conv(8, 3), [ReLU(), Pool(2)]])] == ["1", "2.1", "2.2"]


def test_everything_but_summary_runs_without_torch():
    code = """
import sys
for name in ("torch", "torchvision", "numpy", "pandas"): sys.modules[name] = None
import labkit
from labkit.arithmetic.layers import Conv, Pool
assert labkit.conv_out(32, 3) == 30 and labkit.pool_out(32, 2) == 16
assert labkit.by_hand("D").total == labkit.count(labkit.VGG["D"], 224).total == 138_357_544
assert labkit.audit([(l.name, l.formula, l.count) for l in labkit.by_hand("D").lines], 138_357_544).ok
assert labkit.trace([Conv(8, 3), Pool(2)], 32).out_shape == (8, 15, 15)
assert labkit.receptive_field([Conv(8, 3), Pool(2)]).size == 4
assert labkit.training_memory(10, 10).total == 200
assert labkit.smallest_input(labkit.VGG["D"]) == 32
from labkit.arithmetic import auditing, counting, formulas, hand_count, memory, tracing
assert all(callable(getattr(labkit, name)) for name in ("audit", "trace", "count", "by_hand"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_public_names_are_the_functions_even_after_their_modules_are_imported():
    import labkit.analysis.summaries
    import labkit.arithmetic.auditing
    import labkit.arithmetic.tracing

    for name in ("audit", "count", "trace", "summary", "by_hand", "receptive_field", "adaptive_pool_out"):
        assert callable(getattr(labkit, name)), name
    assert labkit.audit is labkit.arithmetic.auditing.audit
    assert labkit.trace is labkit.arithmetic.tracing.trace
    assert labkit.summary is labkit.analysis.summaries.summary

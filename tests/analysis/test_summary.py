"""labkit.analysis.summaries: what it shows, what it leaves alone, and torchsummary 1.5.1 beside it."""

import re

import pytest
import torch
import torchsummary
import torchvision
from torch import nn

import labkit
from labkit.analysis.summaries import multiply_adds, summary
from labkit.arithmetic.tracing import trace
from labkit.base.errors import ConfigError


class Shared(nn.Module):
    """Uses one layer three times; the true count is that of one layer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x):
        return self.layer(torch.relu(self.layer(torch.relu(self.layer(x)))))


class Tied(nn.Module):
    """Two layers with one weight between them, as an autoencoder or a language model ties them."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(x))


class Outputs(nn.Module):
    """Gives what a function makes of a tensor."""

    def __init__(self, wrap):
        super().__init__()
        self.wrap = wrap

    def forward(self, x):
        return self.wrap(x)


class Bare(nn.Module):
    """A Parameter of its own beside a layer."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(5))
        self.layer = nn.Linear(5, 2)
        self.register_buffer("offset", torch.zeros(3))

    def forward(self, x):
        return self.layer(x * self.scale)


class Branches(nn.Module):
    """A residual block with batch norm and dropout."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Dropout(0.5)

    def forward(self, x):
        return x + self.drop(self.norm(self.conv(x)))


def theirs(capsys, model, size, **options):
    """Return the total that torchsummary prints."""
    torchsummary.summary(model, size, **{"device": "cpu", **options})
    return int(re.search(r"Total params: ([\d,]+)", capsys.readouterr().out).group(1).replace(",", ""))


def hooks_of(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@pytest.mark.parametrize("name", labkit.available())
def test_registry_models_are_as_in_torchsummary_and_in_torch(name, capsys):
    model = labkit.build(name, image_size=64)
    ours = summary(model, (3, 64, 64))
    assert ours.total == sum(p.numel() for p in model.parameters())
    # torchsummary does not see parameters that lie outside of layers: the tables of places of CoAtNet's attention
    loose = sum(p.numel() for key, p in model.named_parameters() if key.endswith("relative_position_bias_table"))
    assert ours.total - loose == theirs(capsys, model, (3, 64, 64))
    assert ours.total == sum(row.parameters for row in ours.rows)


def test_the_table_is_that_of_trace():
    model = labkit.build("cnn", blocks=3)
    ran, followed = summary(model, (3, 32, 32)), trace(model, 32)
    for row, other in zip(ran.rows, followed.rows, strict=True):
        assert row.name == other.name
        assert row.out_shapes == ((1, *other.out_shape),)
        assert (row.parameters, row.multiply_adds) == (other.parameters, other.multiply_adds)
    assert ran.multiply_adds == followed.multiply_adds
    assert ran.memory(8).parameters == followed.memory(8).parameters


def test_torchsummary_counts_a_shared_layer_each_time_and_we_once(capsys):
    model = Shared()
    ours = summary(model, (6,))
    assert ours.total == 42
    assert [(row.parameters, row.note) for row in ours.rows] == [(42, ""), (0, "called again"), (0, "called again")]
    assert theirs(capsys, model, (6,)) == 3 * 42  # its fault
    tied = summary(Tied(), (6,))
    assert tied.total == 36 + 6 + 6
    assert [row.parameters for row in tied.rows] == [42, 6]
    assert theirs(capsys, Tied(), (6,)) == 84  # its fault


@pytest.mark.parametrize(
    ("wrap", "shapes"),
    [
        (lambda x: (x, (x[:, :1], [x])), ((2, 4), (2, 1), (2, 4))),
        (lambda x: {"out": x, "aux": {"deep": x[:, :2]}}, ((2, 4), (2, 2))),
        (lambda x: (x, None, 3), ((2, 4),)),
    ],
)
def test_nested_outputs_fail_in_torchsummary_and_not_here(wrap, shapes, capsys):
    model = nn.Sequential(Outputs(wrap))
    assert summary(model, (4,), batch_size=2).rows[0].out_shapes == shapes
    with pytest.raises(AttributeError):
        theirs(capsys, model, (4,))  # its fault


def test_lstm_and_attention(capsys):
    model = nn.Sequential(nn.LSTM(5, 7, batch_first=True))
    ours = summary(model, (3, 5), batch_size=2)
    assert ours.rows[0].out_shapes == ((2, 3, 7), (1, 2, 7), (1, 2, 7))
    assert ours.total == labkit.arithmetic.counting.lstm_params(5, 7).total
    with pytest.raises(AttributeError):
        theirs(capsys, model, (3, 5))  # its fault: the state is a tuple in a tuple
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    found = summary(encoder, (3, 8))
    assert found.total == sum(p.numel() for p in encoder.parameters()) == sum(row.parameters for row in found.rows)


def test_device_may_be_a_string_or_an_object_and_any_device(capsys):
    model = labkit.build("cnn")
    for device in (None, "cpu", torch.device("cpu"), "meta", torch.device("meta")):
        found = summary(model, (3, 32, 32), device=device)
        assert found.rows[-1].out_shapes == ((1, 10),)
        assert found.total == sum(p.numel() for p in model.parameters())
    assert {p.device.type for p in model.parameters()} == {"cpu"}
    with pytest.raises(AttributeError):
        theirs(capsys, model, (3, 32, 32), device=torch.device("cpu"))  # its fault
    with pytest.raises(AssertionError):
        theirs(capsys, model, (3, 32, 32), device="meta")  # its fault
    tied = summary(Tied(), (6,), device="meta")
    assert (tied.total, sum(row.parameters for row in tied.rows)) == (48, 48)
    with torch.device("meta"):
        found = summary(torchvision.models.resnet18(weights=None), (3, 224, 224), batch_size=4)
    assert (found.total, found.multiply_adds) == (11_689_512, 1_814_073_344)
    assert found.rows[-1].out_shapes == ((4, 1000),)


def test_bare_parameters_and_buffers_are_counted(capsys):
    model = Bare()
    model.layer.bias.requires_grad_(False)
    found = summary(model, (5,))
    assert (found.total, found.trainable, found.frozen, found.buffers) == (17, 15, 2, 3)
    assert [(row.name, row.parameters) for row in found.rows] == [("layer", 12), ("(itself)", 5)]
    assert theirs(capsys, model, (5,)) == 12  # its fault: it misses the 5
    assert "2 not; 3 numbers in buffers" in str(found)


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_model_and_the_random_numbers_are_left_as_they_were():
    model = nn.Sequential(Branches(), Branches())
    model[1].norm.eval()  # frozen while the rest trains
    modes, before, seed = [m.training for m in model.modules()], state(model), torch.get_rng_state()
    model[0].conv.register_forward_hook(lambda *_: None)
    summary(model, (3, 8, 8), batch_size=2)
    summary(model, (3, 8, 8), device="meta")
    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(seed, torch.get_rng_state())
    assert hooks_of(model) == 1  # the one that was there
    assert all(p.grad is None for p in model.parameters())


def test_counting_work_leaves_each_part_in_its_mode():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(0.5))
    net[1].eval()  # frozen by a student, within a network that trains
    assert multiply_adds(net, (3, 8, 8)) == 27 * 4 * 36
    assert [part.training for part in net.modules()] == [True, True, False]


@pytest.mark.parametrize("error", [RuntimeError, ValueError, KeyError, KeyboardInterrupt])
def test_hooks_and_mode_are_restored_after_an_error(error):
    def fail(x):
        raise error("on purpose")

    model = nn.Sequential(nn.Linear(4, 4), Outputs(fail))
    with pytest.raises((ConfigError, error)):
        summary(model, (4,))
    assert hooks_of(model) == 0
    assert all(m.training for m in model.modules())


def test_errors_say_what_is_wrong():
    model = labkit.build("cnn")
    with pytest.raises(ConfigError, match=r"inputs of 3 × 20 × 20: it failed after classifier\.0"):
        summary(model, (3, 20, 20))
    for bad in (32, "3", (3, 32.0, 32), (3, 0, 32), None):
        with pytest.raises(ConfigError, match="size must be"):
            summary(model, bad)
    with pytest.raises(ConfigError, match="batch_size"):
        summary(model, (3, 32, 32), batch_size=0)


def test_several_inputs_integers_and_layers_never_called():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix, self.spare = nn.Bilinear(3, 4, 2), nn.Linear(2, 2)

        def forward(self, a, b):
            return self.mix(a, b)

    found = summary(Two(), [(3,), (4,)])
    assert [(r.name, r.parameters, r.note) for r in found.rows] == [("mix", 26, ""), ("spare", 6, "not called")]
    found = summary(nn.Sequential(nn.Embedding(9, 4)), (5,), dtype=torch.long)
    assert found.rows[0].out_shapes == ((1, 5, 4),)
    assert found._repr_html_().startswith("<table class=")

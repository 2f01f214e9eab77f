"""The registry: every entry is put through the same tests; a new model needs no new test, only its count here."""

import pytest
import torch

from labkit.counting import count
from labkit.errors import ConfigError
from labkit.models import available, build

SETTINGS = [  # name, options, parameters at 3 channels, 10 classes and 32 pixels, counted by hand
    ("cnn", {"blocks": 1}, 448 + (15 * 15 * 16 + 1) * 50 + 510),
    ("cnn", {"blocks": 2}, 448 + 4640 + (6 * 6 * 32 + 1) * 50 + 510),
    ("cnn", {"blocks": 3}, 36_944),
    ("cnn", {"blocks": 4, "padding": 1}, 448 + 4640 + 18_496 + 73_856 + (2 * 2 * 128 + 1) * 50 + 510),
    ("gap", {"blocks": 3}, 448 + 4640 + 18_496 + 650),
    ("mlp", {"hidden": [100]}, 308_310),
    (
        "mlp",
        {
            "hidden": [8, 6],
            "activations": ["relu", "elu"],
            "dropout": 0.2,
            "dropout_after": [2],
            "batch_norm": True,
            "output": "log_softmax",
        },
        3073 * 8 + 16 + 9 * 6 + 12 + 70,
    ),
]


def test_every_entry_is_tested():
    assert {name for name, *_ in SETTINGS} == set(available())


@pytest.mark.parametrize(("name", "options", "params"), SETTINGS)
def test_parameter_count(name, options, params):
    assert count(build(name, **options)).total == params


@pytest.mark.parametrize(("name", "options", "params"), SETTINGS)
@pytest.mark.parametrize("in_channels", [1, 3])
@pytest.mark.parametrize("image_size", [28, 32, 48, 65])
def test_forward_backward_and_round_trip(name, options, params, in_channels, image_size):
    shape = {"in_channels": in_channels, "num_classes": 7, "image_size": image_size}
    torch.manual_seed(0)
    model = build(name, **shape, **options)
    assert model.spec == {"name": name, **shape, **options}
    X = torch.randn(3, in_channels, image_size, image_size)  # (B, C, H, W)
    logits = model(X)
    assert logits.shape == (3, 7)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 3, 6])).backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
    again = build(name, **shape, **options)
    again.load_state_dict(model.state_dict())
    assert torch.equal(model.eval()(X), again.eval()(X))


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("cn", {}, "Did you mean 'cnn'"),
        ("cnn", {"blocks": 4}, r"does not fit.*smallest image that the whole network takes is 46 × 46"),
        ("cnn", {"blocks": 0}, "blocks must be 1 to 4"),
        ("cnn", {"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
        ("cnn", {"image_size": 3}, r"does not fit.*smallest image that the whole network takes is 10 × 10"),
        ("cnn", {"padding": 2}, "padding must be 0 or 1"),
        ("gap", {"image_size": 20}, r"does not fit.*smallest image that the whole network takes is 22 × 22"),
        ("gap", {"blocks": 5}, "blocks must be 1 to 4"),
        ("mlp", {"hidden": [0]}, "hidden must be a whole number of at least 1"),
        ("mlp", {"activations": ["rellu"]}, "Did you mean 'relu'"),
        ("mlp", {"activations": []}, "activations needs at least one of relu"),
        ("mlp", {"output": "soft"}, "There is no output"),
        ("mlp", {"dropout": -0.1}, r"dropout must be in \[0, 1\)"),
        ("mlp", {"dropout_after": [2]}, "names hidden layers from 1 to 1"),
        ("cnn", {"in_channels": 0}, "in_channels must be a whole number"),
        ("cnn", {"num_classes": 1}, "num_classes must be a whole number of at least 2"),
        ("cnn", {"width": 3}, "does not take one of the options"),
    ],
)
def test_what_does_not_fit_is_refused(name, options, says):
    with pytest.raises(ConfigError, match=says):
        build(name, **options)


def test_the_smallest_size_that_the_error_names_works():
    assert build("cnn", blocks=4, image_size=46)(torch.zeros(1, 3, 46, 46)).shape == (1, 10)
    with pytest.raises(ConfigError):
        build("cnn", blocks=4, image_size=45)

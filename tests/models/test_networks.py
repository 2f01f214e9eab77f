"""The known networks: against torchvision's, weight for weight; at any legal size; and what they refuse.

What every entry of the registry must do is in test_models.py, with two of the sizes and counts by hand.
"""

import copy
import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models as torchvision_models

from labkit.arithmetic.counting import count
from labkit.arithmetic.hand_count import VGG as TABLES
from labkit.base.errors import ConfigError
from labkit.data.images import Batches
from labkit.models import build
from labkit.models.parts import MeanPool, windows
from labkit.models.resnet import Block
from labkit.training.loop import fit
from labkit.training.losses import AUXILIARY, with_auxiliary
from labkit.training.recipe import Recipe
from labkit.training.scoring import score
from tests.making import make_set

# --- against torchvision ----------------------------------------------------------------------------------------------

ONE_EARLIER = ((r"^classifier\.(\d)", lambda found: f"classifier.{int(found[1]) - 1}"),)  # our Flatten stands before
RESNET = (
    (r"^stem\.0", "conv1"),
    (r"^stem\.1", "bn1"),
    (r"^stages\.(\d)", lambda found: f"layer{int(found[1]) + 1}"),
    (r"norm", "bn"),
    (r"shortcut", "downsample"),
    (r"^output", "fc"),
)
GOOGLENET = (
    (r"^stem\.0", "conv1"),
    (r"^stem\.2", "conv2"),
    (r"^stem\.3", "conv3"),
    (r"^modules_3\.0", "inception3a"),
    (r"^modules_3\.1", "inception3b"),
    (r"^module_4a", "inception4a"),
    (r"^modules_4\.0", "inception4b"),
    (r"^modules_4\.1", "inception4c"),
    (r"^modules_4\.2", "inception4d"),
    (r"^modules_5\.0", "inception4e"),
    (r"^modules_5\.2", "inception5a"),
    (r"^modules_5\.3", "inception5b"),
    (r"^auxiliary\.0", "aux1"),
    (r"^auxiliary\.1", "aux2"),
    (r"^(aux\d)\.hidden", r"\1.fc1"),
    (r"^(aux\d)\.output", r"\1.fc2"),
    (r"^output", "fc"),
    (r"\.0\.(\w+)$", r".conv.\1"),
    (r"\.1\.(\w+)$", r".bn.\1"),
)
_34 = {"stem": "imagenet", "blocks": [3, 4, 6, 3]}
_LARGE = {"pool": 7, "hidden": 4096}
SAME = [  # torchvision's name, its settings; ours; how names of ours become theirs; pixels
    ("resnet18", {}, "resnet", {"stem": "imagenet"}, RESNET, 65),
    ("resnet34", {}, "resnet", _34, RESNET, 64),
    ("vgg16", {}, "vgg", {"letter": "D", **_LARGE}, ONE_EARLIER, 64),
    ("vgg16_bn", {}, "vgg", {"letter": "D", "batch_norm": True, **_LARGE}, ONE_EARLIER, 33),
    ("vgg19", {}, "vgg", {"letter": "E", **_LARGE}, ONE_EARLIER, 33),
    ("vgg19_bn", {}, "vgg", {"letter": "E", "batch_norm": True, **_LARGE}, ONE_EARLIER, 64),
    ("alexnet", {}, "alexnet-224", {}, ONE_EARLIER, 96),
    ("googlenet", {"aux_logits": True, "init_weights": False}, "googlenet", {"stem": "imagenet"}, GOOGLENET, 96),
]


def their_name(name: str, rules) -> str:
    for pattern, new in rules:
        name = re.sub(pattern, new, name)
    return name


def pair(theirs: str, settings: dict, ours: str, options: dict, rules, image_size: int):
    """Return our network and torchvision's with the same weights, after comparing their names and shapes.

    Every scale, shift, mean and variance gets a value of its own, so that none can stand in for another.
    """
    torch.manual_seed(0)
    model = build(ours, image_size=image_size, **options)
    for tensor in model.state_dict().values():
        if tensor.dim() == 1:
            tensor.uniform_(0.5, 1.5)
    renamed = {their_name(name, rules): tensor for name, tensor in model.state_dict().items()}
    with torch.device("meta"):  # which draws no weights that would be thrown away
        other = torchvision_models.get_model(theirs, weights=None, num_classes=10, **settings)
    assert {k: v.shape for k, v in renamed.items()} == {k: v.shape for k, v in other.state_dict().items()}
    assert [their_name(k, rules) for k, _ in model.named_parameters()] == [k for k, _ in other.named_parameters()]
    other.load_state_dict(renamed, assign=True)
    return model, other


def gradients(model: nn.Module, X: torch.Tensor, forward) -> tuple[list, tuple]:
    """Return the logits, and a loss's gradients for the images, the first weights and the last weights."""
    X = X.clone().requires_grad_()
    logits = forward(model, X)
    loss = sum(z.square().mean() for z in logits)  # not cross-entropy, whose gradient fades for sure answers
    return logits, torch.autograd.grad(loss, (X, next(model.parameters()), list(model.parameters())[-2]))


def assert_close(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float):
    """Compare two tensors relative to the largest number, which must not be zero."""
    assert ours.shape == theirs.shape
    largest = theirs.abs().max()
    assert largest > 0
    assert (ours - theirs).abs().max() <= tolerance * largest


def assert_same(model, other, X, forward, other_forward):
    logits, grads = gradients(model, X, forward)
    expected, other_grads = gradients(other, X, other_forward)
    for ours, theirs in zip(logits, expected, strict=True):
        assert_close(ours, theirs, 1e-5)
    for ours, theirs in zip(grads, other_grads, strict=True):
        assert_close(ours, theirs, 1e-4)


@pytest.mark.parametrize(("theirs", "settings", "ours", "options", "rules", "image_size"), SAME)
def test_same_numbers_as_torchvision(theirs, settings, ours, options, rules, image_size):
    model, other = pair(theirs, settings, ours, options, rules, image_size)
    X = torch.randn(2, 3, image_size, image_size)
    assert_same(model.eval(), other.eval(), X, lambda m, x: [m(x)], lambda m, x: [m(x)])


@pytest.mark.parametrize("image_size", [64, 96])  # the auxiliary heads average 4 × 4 maps, and 6 × 6 maps
def test_googlenet_trains_with_the_same_heads_as_torchvision(image_size):
    *same, _ = SAME[-1]
    model, other = pair(*same, image_size)
    for layer in [*model.modules(), *other.modules()]:
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0

    def ours(m, x):
        logits, (first, second) = m.with_auxiliary(x)
        return [logits, first, second]

    def theirs(m, x):
        heads = []  # not by the names of its output: before torchvision 0.21 those two were exchanged
        hooks = [part.register_forward_hook(lambda _, args, out: heads.append(out)) for part in (m.aux1, m.aux2)]
        logits = m(x).logits
        for hook in hooks:
            hook.remove()
        return [logits, *heads]

    assert_same(model.train(), other.train(), torch.randn(2, 3, image_size, image_size), ours, theirs)


# --- any legal size ---------------------------------------------------------------------------------------------------

VARIANTS = [  # name, options, smallest image in pixels
    ("resnet", {"width": 16}, 8),
    ("resnet", {"stem": "imagenet", "blocks": (1, 2, 1, 1), "activation": "silu"}, 32),
    ("resnet", {"width": 8, "skip": False, "batch_norm": False, "activation": "gelu"}, 8),
    ("vgg", {"letter": "A-LRN", "hidden": 64, "pool": 2}, 32),
    ("vgg", {"letter": "C", "batch_norm": True, "hidden": 64, "pool": 3, "activation": "elu"}, 32),
    ("googlenet", {"branch_kernel": 5}, 8),
    ("googlenet", {"stem": "imagenet", "auxiliary": False}, 32),
    ("netconv", {"activation": "sigmoid"}, 16),
    ("netconv", {"batch_norm": True, "dropout": 0.5}, 16),
    ("cnn4", {}, 10),
    ("kernels", {}, 8),
    ("kernels", {"kernel_size": 5, "dilation": 2, "channels": 8}, 8),
    ("kernels", {"kernel_size": 4, "blocks": 2}, 7),
    ("rexnet", {}, 32),
    ("coatnet", {}, 32),
    ("efficientnet", {}, 32),
    ("alexnet-224", {}, 63),
]
SHAPES = [(33, 4, 100), (48, 1, 2), (64, 4, 10)]  # pixels, channels, classes


def legal(name: str, image_size: int, smallest: int) -> bool:
    return image_size >= smallest and (name != "coatnet" or image_size % 32 == 0)


def assert_trains(name, options, image_size, in_channels, num_classes):
    """Take one pass forward and back: finite logits, and a finite gradient for each parameter."""
    torch.manual_seed(0)
    model = build(name, in_channels=in_channels, num_classes=num_classes, image_size=image_size, **options)
    logits, others = with_auxiliary(model, torch.randn(2, in_channels, image_size, image_size))
    for z in (logits, *others):
        assert z.shape == (2, num_classes)
        assert torch.isfinite(z).all()
    y = torch.tensor([0, num_classes - 1])
    sum(F.cross_entropy(z, y) for z in (logits, *others)).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [(n, options, s) for n, options, least in VARIANTS for s in SHAPES if legal(n, s[0], least)],
)
def test_any_legal_size(name, options, shape):
    assert_trains(name, options, *shape)


@pytest.mark.parametrize(("name", "options", "smallest"), VARIANTS)
def test_the_smallest_image_trains_and_a_smaller_one_is_refused(name, options, smallest):
    assert_trains(name, options, smallest, 3, 10)
    with pytest.raises(ConfigError, match=rf"\b{smallest}( pixels|\.| ×)"):
        build(name, image_size=smallest - 1, **options)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        (
            "resnet",
            {"image_size": 7},
            r"7 pixels are too small for the cifar stem, which needs 8\. Use larger images\.$",
        ),
        (
            "resnet",
            {"image_size": 31, "stem": "imagenet"},
            r'imagenet stem, which needs 32\. Use larger.*stem="cifar"\.$',
        ),
        ("resnet", {"image_size": 7, "stem": "imagenet"}, r"which needs 32\. Use larger images\.$"),
        ("googlenet", {"image_size": 31, "stem": "imagenet"}, r'imagenet stem, which needs 32\. Use.*stem="cifar"\.$'),
        ("resnet", {"stem": "cifra"}, "no stem 'cifra'. Did you mean 'cifar'"),
        ("googlenet", {"stem": None}, "no stem None. Known: cifar, imagenet"),
        ("resnet", {"activation": "rellu"}, "no activation 'rellu'. Did you mean 'relu'"),
        ("netconv", {"activation": ["relu"]}, "no activation .*Known: elu, gelu"),
        ("vgg", {"activation": None}, "no activation None. Known: elu, gelu"),
        (
            "resnet",
            {"blocks": [2, 2, 2]},
            r"blocks needs four numbers, one a stage, such as \[2, 2, 2, 2\], got \[2, 2, 2\]",
        ),
        ("resnet", {"blocks": 2}, "blocks needs four numbers, one a stage.*got 2"),
        ("resnet", {"blocks": [2, 2, 2, 0]}, "each number of blocks must be a whole number of at least 1, got 0"),
        ("resnet", {"blocks": [2, 2, 2, 1.5]}, "each number of blocks must be a whole number of at least 1, got 1.5"),
        ("resnet", {"width": 0}, "width must be a whole number of at least 1, got 0"),
        ("resnet", {"dropout": 0.5}, r"'resnet' does not take one of the options \['dropout'\]"),
        ("resnet", {"in_channels": 0}, "in_channels must be a whole number of at least 1"),
        ("vgg", {"letter": "d"}, "no VGG configuration 'd'.*Known: A, A-LRN, B, C, D, E"),
        ("vgg", {"pool": 0}, "pool must be a whole number of at least 1"),
        ("vgg", {"hidden": 0}, "hidden must be a whole number of at least 1"),
        ("vgg", {"dropout": 1}, r"dropout must be in \[0, 1\), got 1"),
        ("vgg", {"dropout": "0.5"}, r"dropout must be in \[0, 1\), got '0.5'"),
        ("vgg", {"dropout": float("nan")}, r"dropout must be in \[0, 1\), got nan"),
        ("googlenet", {"dropout": -0.1}, r"dropout must be in \[0, 1\)"),
        ("netconv", {"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
        ("cnn4", {"dropout": 2}, r"dropout must be in \[0, 1\)"),
        ("alexnet-224", {"dropout": 1, "image_size": 64}, r"dropout must be in \[0, 1\)"),
        ("alexnet-224", {"image_size": 32}, 'at least 63 pixels, got 32. The network "alexnet" is for small ones'),
        ("googlenet", {"branch_kernel": 7}, "no branch_kernel 7. Known: 3, 5"),
        ("kernels", {"channels": 0}, "channels must be a whole number of at least 1"),
        ("kernels", {"dilation": 0}, "dilation must be a whole number of at least 1"),
        ("kernels", {"blocks": 0}, "blocks must be a whole number of at least 1"),
        ("kernels", {"kernel_size": 0}, "kernel_size must be a whole number of at least 1"),
        ("kernels", {"blocks": 6}, "does not fit.*smallest image that the whole network takes is 64 × 64"),
        ("coatnet", {"image_size": 48}, "multiple of 32 pixels, got 48. Use 32 or 64"),
        ("rexnet", {"image_size": 31}, "rexnet needs images of at least 32 pixels, got 31"),
        ("rexnet", {"dropout": 0.5}, r"'rexnet' does not take one of the options \['dropout'\]"),
    ],
)
def test_what_does_not_fit_is_refused(name, options, says):
    with pytest.raises(ConfigError, match=says):
        build(name, **options)


@pytest.mark.parametrize(
    ("name", "built", "images", "says"),
    [
        ("resnet", {"in_channels": 3}, {"channels": 1, "size": 32}, "in_channels=1, image_size=32"),
        ("googlenet", {"in_channels": 1}, {"channels": 3, "size": 32}, "in_channels=3, image_size=32"),
        ("vgg", {"image_size": 32}, {"size": 16}, "in_channels=3, image_size=16"),
        ("coatnet", {"image_size": 64}, {"size": 32}, "in_channels=3, image_size=32"),
    ],
)
def test_images_of_another_shape_are_refused_before_training(name, built, images, says):
    with pytest.raises(ConfigError, match=f"cannot take images of.*Build it with {says}"):
        fit(build(name, num_classes=4, **built), make_set(8, **images), None, Recipe(epochs=1), device="cpu")


# --- parts and settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "height", "width"), [(7, 2, 2), (4, 6, 6), (4, 9, 13), (6, 1, 3), (3, 6, 5), (4, 8, 4), (1, 5, 7)]
)
def test_mean_pool_is_adaptive_average_pooling(size, height, width):
    X = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0), requires_grad=True)
    ours, theirs = MeanPool(size)(X), nn.AdaptiveAvgPool2d(size)(X)
    assert_close(ours, theirs, 1e-6)
    weights = torch.arange(1.0, 1 + ours.numel()).view_as(ours)  # each window gets a gradient of its own
    (gradient,) = torch.autograd.grad((ours * weights).sum(), X)
    (expected,) = torch.autograd.grad((theirs * weights).sum(), X)
    assert_close(gradient, expected, 1e-6)
    multiple = height % size == 0 and width % size == 0
    assert ("AdaptiveAvgPool" in ours.grad_fn.name() or size == 1) == multiple  # mps cannot run it where it is none


@pytest.mark.parametrize(("length", "windows_"), [(6, 4), (2, 7), (13, 5), (1, 6)])
def test_windows_are_means(length, windows_):
    matrix = windows(length, windows_)
    assert matrix.shape == (windows_, length)
    assert torch.allclose(matrix.sum(dim=1), torch.ones(windows_))
    assert (matrix.sum(dim=0) > 0).all()  # no pixel is left out


@pytest.mark.parametrize("letter", TABLES)
def test_vgg_has_the_parameters_of_the_hand_count(letter):
    with torch.device("meta"):
        model = build("vgg", letter=letter, num_classes=1000, image_size=224, pool=7, hidden=4096)
    assert count(model).total == count(TABLES[letter], 224).total
    assert sum(isinstance(m, nn.LocalResponseNorm) for m in model.modules()) == (letter == "A-LRN")


@pytest.mark.parametrize(
    ("name", "options", "params"),
    [
        ("vgg", {"num_classes": 1000, "image_size": 224, "pool": 7, "hidden": 4096}, 138_357_544),
        ("resnet", {}, 11_173_962),  # ResNet-18 with a 3×3 stem, as everyone counts it
        ("resnet", {"num_classes": 1000, "stem": "imagenet", "blocks": [3, 4, 6, 3]}, 21_797_672),
        ("googlenet", {"num_classes": 1000, "stem": "imagenet", "auxiliary": False}, 6_624_904),
        ("alexnet-224", {"num_classes": 1000, "image_size": 224}, 61_100_840),
        ("netconv", {}, 62_006),
    ],
)
def test_parameter_counts_that_are_stated(name, options, params):
    with torch.device("meta"):
        assert count(build(name, **options)).total == params


@pytest.mark.parametrize(
    ("name", "params"), [("rexnet", 3_528_683), ("coatnet", 26_674_252), ("efficientnet", 4_020_358)]
)
def test_parameter_counts_of_timm_at_10_classes(name, params):
    assert count(build(name, image_size=224)).total == params


def test_the_kernels_network_has_as_many_parameters_at_any_size():
    assert {count(build("kernels", image_size=size)).total for size in (8, 33, 128)} == {24_234}


@pytest.mark.parametrize(("kernel", "wide"), [(3, 0), (5, 9)])
def test_branch_kernel_is_that_of_the_third_branch(kernel, wide):
    model = build("googlenet", branch_kernel=kernel)
    fives = [key for key, m in model.named_modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (5, 5)]
    assert len(fives) == wide
    assert all("branch3" in key for key in fives)


# --- auxiliary heads --------------------------------------------------------------------------------------------------


def without_dropout(model: nn.Module) -> nn.Module:
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return model


def test_auxiliary_heads_are_left_out_in_evaluation():
    torch.manual_seed(0)
    model, X, calls = build("googlenet", image_size=16), torch.randn(2, 3, 16, 16), []
    for head in model.auxiliary:
        head.register_forward_hook(lambda *_: calls.append(1))
    logits, others = with_auxiliary(model.train(), X)
    assert [z.shape for z in others] == [(2, 10), (2, 10)]
    assert len(calls) == 2
    logits, others = with_auxiliary(model.eval(), X)
    assert others == []
    assert torch.equal(model(X), logits)
    assert len(calls) == 2
    bare = build("googlenet", image_size=16, auxiliary=False)
    bare.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("auxiliary")})
    assert torch.equal(bare.eval()(X), logits)
    assert with_auxiliary(bare.train(), X)[1] == []


def test_the_training_loss_includes_the_auxiliary_heads():
    """One step of `fit` against one step by hand; the loss that is written down is that of the network alone."""
    torch.manual_seed(0)
    start = without_dropout(build("googlenet", num_classes=4, image_size=16))
    train = make_set(8, size=16)
    X, y = next(iter(Batches(train, 8, mean_std=train.mean_std, shuffle=True, seed=3)))
    moved = {}
    for weight in (0.0, AUXILIARY):
        hand = copy.deepcopy(start)
        logits, others = hand.with_auxiliary(X)
        loss = F.cross_entropy(logits, y)
        (loss + weight * sum(F.cross_entropy(z, y) for z in others)).backward()
        moved[weight] = [-0.1 * p.grad for p in hand.parameters()]
    model = copy.deepcopy(start)
    recipe = Recipe(epochs=1, batch_size=8, optimizer="sgd", lr=0.1, momentum=0.0)
    history = fit(model, train, None, recipe, seed=3, device="cpu", progress=False)
    assert history["train_loss"] == pytest.approx([loss.item()], rel=1e-4)
    rows = zip(model.named_parameters(), start.parameters(), moved[0.0], moved[AUXILIARY], strict=True)
    for (key, after), before, alone, expected in rows:
        if key.startswith("auxiliary") and key.endswith("output.weight"):
            assert alone.abs().max() == 0
            assert_close(after.detach() - before.detach(), expected, 0.01)
        if key == "stem.0.0.weight":  # the heads reach the first layer
            assert (alone - expected).abs().max() > 0.05 * expected.abs().max()
            assert_close(after.detach() - before.detach(), expected, 0.01)
    scores = score(model, Batches(train, 8, mean_std=train.mean_std))
    with torch.no_grad():
        X, y = next(iter(Batches(train, 8, mean_std=train.mean_std)))
        assert scores["loss"] == pytest.approx(F.cross_entropy(model.eval()(X), y).item(), rel=1e-4)


# --- with and without ---------------------------------------------------------------------------------------------------


def test_without_skip_connections_a_resnet_has_no_shortcuts_and_differs():
    torch.manual_seed(0)
    with_skip, plain = (build("resnet", width=8, skip=skip) for skip in (True, False))
    shortcuts = [key for key, _ in with_skip.named_parameters() if "shortcut" in key]
    assert sorted({key.partition(".shortcut")[0] for key in shortcuts}) == ["stages.1.0", "stages.2.0", "stages.3.0"]
    assert not [key for key in plain.state_dict() if "shortcut" in key]
    lost = plain.load_state_dict(with_skip.state_dict(), strict=False)
    assert lost.missing_keys == []
    assert all("shortcut" in key for key in lost.unexpected_keys)
    X = torch.randn(2, 3, 32, 32)
    assert not torch.allclose(with_skip.eval()(X), plain.eval()(X), rtol=0.1)


@pytest.mark.parametrize(("stride", "channels"), [(1, 4), (2, 4), (1, 6), (2, 6)])
def test_a_block_adds_its_input_and_a_plain_one_does_not(stride, channels):
    torch.manual_seed(0)
    how = {"batch_norm": True, "activation": "relu"}
    block, plain = (Block(4, channels, stride, skip=skip, **how).eval() for skip in (True, False))
    plain.load_state_dict(block.state_dict(), strict=False)
    X = torch.randn(2, 4, 8, 8)
    inside = block.norm2(block.conv2(block.norm1(block.conv1(X)).relu()))
    assert torch.equal(plain(X), inside.relu())
    assert torch.equal(block(X), (inside + block.shortcut(X)).relu())
    assert isinstance(block.shortcut, nn.Identity) == (stride == 1 and channels == 4)


@pytest.mark.parametrize(
    ("name", "options"),
    [("resnet", {"width": 8}), ("resnet", {"width": 8, "stem": "imagenet"}), ("vgg", {"letter": "A"}), ("netconv", {})],
)
def test_without_batch_norm_there_is_no_norm_layer(name, options):
    normed, plain = (build(name, batch_norm=batch_norm, **options) for batch_norm in (True, False))
    norms, convs = ([m for m in normed.modules() if isinstance(m, kind)] for kind in (nn.BatchNorm2d, nn.Conv2d))
    assert len(norms) == len(convs)
    assert [n.num_features for n in norms] == [c.out_channels for c in convs]
    assert not [m for m in plain.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert not list(plain.buffers())
    assert all(m.bias is not None for m in plain.modules() if isinstance(m, nn.Conv2d))

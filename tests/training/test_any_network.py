"""Networks and images that readers bring: trained as torch's own loop would, or refused before the first step."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import labkit
from labkit.analysis.predictions import predict
from labkit.base.errors import ConfigError
from labkit.data.augment import Flip
from labkit.data.images import Batches, ImageSet
from labkit.training.guards import check_batches, check_fit
from labkit.training.recipe import Recipe
from labkit.training.scoring import eval_batches, score
from tests.making import make_set

CLASSES = ("cat", "dog", "owl")
RECIPE = Recipe(epochs=2, batch_size=8, optimizer="sgd", lr=0.05)


def images(count=24, size=8, channels=3, labels=None, classes=CLASSES):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8, generator=generator)
    return ImageSet("made", "train", pixels, torch.arange(count) % 3 if labels is None else labels, classes)


def fit(net, train=None, val=None, recipe=RECIPE, **options):
    return labkit.fit(net, train or images(), val, recipe, device="cpu", progress=False, **options)


# --- a forward of one's own -------------------------------------------------------------------------------------------


class Viewed(nn.Module):
    """A student's network, with `view` where torch's own layout is needed; in training also for a second head."""

    def __init__(self, only_in_training=False):
        super().__init__()
        self.conv, self.output, self.only_in_training = nn.Conv2d(3, 4, 3), nn.Linear(4 * 36, 3), only_in_training

    def forward(self, x):
        x = self.conv(x).relu()
        rows = x.view(len(x), -1) if self.training or not self.only_in_training else x.flatten(1)
        return self.output(rows)


@pytest.mark.parametrize("only_in_training", [False, True])
def test_view_in_a_forward_gives_the_weights_of_torchs_own_loop(only_in_training):
    train = images()
    torch.manual_seed(0)
    net = Viewed(only_in_training)
    torch.manual_seed(0)
    other = Viewed(only_in_training)
    fit(net, train, train)
    optimizer = torch.optim.SGD(other.parameters(), lr=RECIPE.lr)
    batches = Batches(train, RECIPE.batch_size, shuffle=True)
    for batches.epoch in (1, 2):
        for X, y in batches:
            loss = F.cross_entropy(other(X), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    for ours, theirs in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
    own = score(other, eval_batches(train, train.mean_std))
    assert score(net, eval_batches(train, train.mean_std)) == pytest.approx(own, rel=1e-5)
    np.testing.assert_allclose(predict(net, train).chances, predict(other, train).chances, rtol=1e-4)


def test_a_first_look_changes_neither_statistics_nor_random_numbers():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 3))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    state = torch.random.get_rng_state()
    with pytest.raises(ConfigError, match="classes"):
        fit(net, images(), images(classes=("cat", "owl", "dog")))
    with pytest.raises(ConfigError, match="in_channels=1"):
        fit(net, images(channels=1))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert [part.training for part in net.modules()] == [True] * 6


# --- labels -----------------------------------------------------------------------------------------------------------

NUMBERS = [0, 1, 2] * 8


@pytest.mark.parametrize(
    "labels",
    [NUMBERS, tuple(NUMBERS), np.array(NUMBERS), *(np.array(NUMBERS, dtype=t) for t in ("u1", "i1", "i2", "u2", "i4"))]
    + [torch.tensor(NUMBERS, dtype=t) for t in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)],
    ids=lambda labels: f"{type(labels).__name__} {getattr(labels, 'dtype', '')}",
)
def test_whole_numbers_of_any_type_are_the_same_labels(labels):
    data = images(labels=labels)
    assert data.labels.dtype == torch.int64
    assert data.fingerprint == images().fingerprint
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    with torch.no_grad():  # a network that is always right: it reads the label off the image
        exact = nn.Module()
        exact.forward = lambda X: F.one_hot(data.labels, 3).float()
        exact.anchor = nn.Parameter(torch.zeros(1))
        assert score(exact, eval_batches(data, data.mean_std))["acc"] == 1.0
    assert len(fit(net, data).rows) == 2


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (torch.arange(24) % 3 / 1.0, "whole numbers, got torch.float32"),
        (np.array(NUMBERS, dtype=float), "whole numbers, got torch.float64"),
        (torch.arange(24) % 2 == 0, "whole numbers, got torch.bool"),
        (F.one_hot(torch.tensor(NUMBERS)), r"argmax\(dim=1\)"),
        (torch.tensor(NUMBERS)[:, None], r"labels.flatten\(\)"),
        (torch.tensor(NUMBERS) - 1, "run from -1 to 1"),
        (torch.tensor(NUMBERS) + 1, "run from 1 to 3, but there are 3"),
        (["cat"] * 24, "must be whole numbers"),
        ([[0, 1], [2]], "must be whole numbers"),
        (torch.tensor(1), r"one number an image; got \(\)"),
        (NUMBERS[:5], "24 images and 5 labels"),
        (None, "must be whole numbers"),
    ],
)
def test_other_labels_are_refused(labels, words):
    pixels = torch.zeros(24, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ConfigError, match=words):
        ImageSet("made", "train", pixels, labels, CLASSES)


# --- the validation set -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("val", "words"),
    [
        (lambda: images(classes=("dog", "cat", "owl")), "in another order"),
        (lambda: images(classes=("cat", "dog", "fox")), "have other classes: cat, dog, fox against cat, dog, owl"),
        (lambda: images(classes=("cat", "dog", "owl", "fox")), "cat, dog, owl, fox against cat, dog, owl"),
        (lambda: images(size=9), r"\(3, 8, 8\).*the validation images \(3, 9, 9\)"),
        (lambda: images(channels=1), r"validation images \(1, 8, 8\)"),
    ],
)
def test_validation_images_are_of_the_same_kind(val, words):
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(3))
    net(torch.zeros(2, 3, 8, 8))
    with pytest.raises(ConfigError, match=words):
        fit(net, images(), val())


def test_one_class_is_nothing_to_tell_apart():
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 1))
    with pytest.raises(ConfigError, match="has one class, cat: there is nothing to tell apart"):
        fit(net, images(labels=[0] * 24, classes=("cat",)))


def test_a_range_test_on_a_network_of_no_numbers_is_refused():
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    nn.init.constant_(net[1].weight, float("nan"))
    with pytest.raises(ConfigError, match="The loss is nan before the first step"):
        labkit.diagnose.lr_range_test(net, images(), RECIPE, device="cpu")


# --- norms that need two values ---------------------------------------------------------------------------------------

ONE_PIXEL = [nn.Conv2d(3, 4, 8)]


@pytest.mark.parametrize(
    ("layers", "count", "batch_size", "words"),
    [
        ([nn.Flatten(), nn.Linear(192, 4), nn.BatchNorm1d(4)], 9, 4, "9 images in batches of 4.*batch_size=5"),
        ([*ONE_PIXEL, nn.BatchNorm2d(4), nn.Flatten()], 9, 4, "a last batch of one image.*batch_size=5"),
        ([*ONE_PIXEL, nn.BatchNorm2d(4), nn.Flatten()], 9, 1, "batch_size=3"),
        ([*ONE_PIXEL, nn.BatchNorm2d(4), nn.Flatten()], 1, 4, "1 image is too few"),
        ([*ONE_PIXEL, nn.GroupNorm(4, 4), nn.Flatten()], 9, 4, "batch_size=5"),
        ([*ONE_PIXEL, nn.InstanceNorm2d(4), nn.Flatten()], 8, 4, "Expected more than 1 spatial element"),
    ],
)
def test_a_norm_that_meets_one_value_is_refused_and_the_advice_works(layers, count, batch_size, words):
    net = nn.Sequential(*layers, nn.Linear(4, 3))
    with pytest.raises(ConfigError, match=words) as refused:
        fit(net, images(count), None, Recipe(epochs=1, batch_size=batch_size))
    if "batch_size=" in str(refused.value):
        advice = int(str(refused.value).split("batch_size=")[1].rstrip("."))
        assert len(fit(net, images(count), None, Recipe(epochs=1, batch_size=advice)).rows) == 1


def test_one_image_is_enough_where_the_map_has_pixels():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 3))
    assert len(fit(net, images(9), None, Recipe(epochs=1, batch_size=4)).rows) == 1
    assert len(fit(net, images(1), None, Recipe(epochs=1, batch_size=4)).rows) == 1


@pytest.mark.parametrize("name", sorted(set(labkit.available()) - {"backbone"}))
def test_every_network_of_the_library_trains_on_a_last_batch_of_one_or_says_what_to_do(name):
    size = 64 if name == "alexnet-224" else 32
    options = {"in_channels": 1, "num_classes": 3, "image_size": size}
    data, net = images(5, size, 1), labkit.build(name, **options)
    try:
        fit(net, data, None, Recipe(epochs=1, batch_size=2, lr=1e-4))
    except ConfigError as refused:
        advice = int(str(refused).split("batch_size=")[1].rstrip("."))
        fit(net, data, None, Recipe(epochs=1, batch_size=advice, lr=1e-4))


def test_a_batch_is_shared_by_the_processes_and_each_share_needs_two(monkeypatch):
    monkeypatch.setattr("labkit.training.guards.distributed.size", lambda: 2)
    net, X = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.BatchNorm1d(4)), torch.zeros(1, 3, 8, 8)
    for count, batch_size, words in (
        (3, 4, "3 images are too few: the norms of this network need 4."),
        (
            11,
            4,
            "11 images in batches of 4 leave a last batch of 3 images for 2 processes, and the normalisation of this "
            "network needs two in each. Use batch_size=6.",
        ),
        (
            9,
            4,
            "9 images in batches of 4 leave a last batch of one image, and the normalisation of this network needs "
            "two in each. Use batch_size=5.",
        ),
    ):
        with pytest.raises(ConfigError) as refused:
            check_batches(net, X, count, batch_size)
        assert str(refused.value) == words
    check_batches(net, X, 12, 4)
    check_batches(net, X, 4, 4)


def test_the_batch_size_that_is_advised_may_be_that_of_all_images():
    net, X = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.BatchNorm1d(4)), torch.zeros(1, 3, 8, 8)
    with pytest.raises(ConfigError, match=r"3 images in batches of 2 .* Use batch_size=3\.$"):
        check_batches(net, X, 3, 2)


def test_two_classes_and_a_body_with_its_own_rate_are_fine():
    net = nn.Sequential(nn.Flatten())
    net.output = nn.Linear(192, 2)
    check_fit(net, make_set(classes=2), None, Recipe(body_lr=0.1))


class Fails(nn.Module):
    def __init__(self, *said):
        super().__init__()
        self.layer, self.said = nn.Linear(1, 1), said

    def forward(self, x):
        raise RuntimeError(*self.said)


@pytest.mark.parametrize(
    ("said", "words"), [(("No way.",), "No way"), ((), "RuntimeError"), (("First.\nSecond.",), "First")]
)
def test_what_a_network_says_is_told_in_one_sentence(said, words):
    train = ImageSet("made", "train", torch.zeros(4, 3, 8, 6, dtype=torch.uint8), [0, 1, 0, 1], ("a", "b"))
    with pytest.raises(ConfigError) as refused:
        check_fit(Fails(*said), train, None, Recipe())
    assert str(refused.value) == (
        f"The network cannot take images of (3, 8, 6) (channels, height, width): {words}. "
        "Build it with in_channels=3, image_size=8."
    )


# --- what comes out ---------------------------------------------------------------------------------------------------


class Returns(nn.Module):
    def __init__(self, change):
        super().__init__()
        self.net, self.change = nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), change

    def forward(self, x):
        return self.change(self.net(x))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda out: (out, out), "a tuple of 2.*Perhaps its first part is meant"),
        (lambda out: [out], "a list of 1"),
        (lambda out: {"logits": out}, "a dict with the keys logits"),
        (lambda out: out.detach().numpy(), "a ndarray"),
        (lambda out: None, "a NoneType"),
        (lambda out: out[:, 0], r"gives \(2,\) for 2 images"),
        (lambda out: out[:, :, None], r"gives \(2, 3, 1\).*logits.flatten\(1\)"),
        (lambda out: out[:, :, None, None], r"gives \(2, 3, 1, 1\).*logits.flatten\(1\)"),
        (lambda out: out[:1], r"gives \(1, 3\) for 2 images"),
        (lambda out: out[:, :2], "gives 2 logits an image and there are 3 classes"),
    ],
)
def test_other_outputs_are_one_sentence_in_fit_score_and_predict(change, words):
    data, net = images(2), Returns(change)
    for call in (
        lambda: fit(net, data),
        lambda: score(net, eval_batches(data, data.mean_std)),
        lambda: predict(net, data),
    ):
        with pytest.raises(ConfigError, match=words):
            call()


# --- settings ---------------------------------------------------------------------------------------------------------


def test_numpy_numbers_are_numbers_and_one_transform_is_a_tuple_of_one():
    recipe = Recipe(epochs=np.int64(2), batch_size=np.int32(8), lr=np.float32(0.5), augment=Flip())
    assert recipe == Recipe(epochs=2, batch_size=8, lr=0.5, augment=(Flip(),))
    assert [type(v) for v in (recipe.epochs, recipe.batch_size, recipe.lr)] == [int, int, float]
    assert Batches(images(), np.int64(5)).batch_size == 5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lr": "1e-3"}, "lr must be a number, got '1e-3'"),
        ({"lr": float("inf")}, "lr must be above 0"),
        ({"lr": float("nan")}, "lr must be above 0"),
        ({"momentum": "0.9", "optimizer": "sgd"}, "momentum must be a number"),
        ({"weight_decay": float("inf")}, "weight_decay must be at least 0"),
        ({"clip_norm": float("inf")}, "clip_norm must be above 0"),
        ({"epochs": 2.0}, "epochs must be a whole number"),
        ({"lr": True}, "lr must be a number"),
    ],
)
def test_other_settings_are_one_sentence(settings, words):
    with pytest.raises(ConfigError, match=words):
        Recipe(**settings)


@pytest.mark.parametrize("seed", [2**70, -1, 1.5, "0", None])
def test_a_seed_that_torch_would_not_take_is_refused(seed):
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    with pytest.raises(ConfigError, match="seed must be a whole number of at least 0"):
        fit(net, seed=seed)
    assert len(fit(net, seed=np.int64(3)).rows) == 2

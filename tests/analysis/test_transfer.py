"""A pretrained backbone on a few small pictures: its cached features, its output layer set and trained, the routes."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from labkit.analysis import embed, transfer
from labkit.analysis.predictions import predict
from labkit.analysis.transfer import (
    ROUTES,
    compare_routes,
    fit_head,
    pretrained_features,
    set_imagenet,
    set_svm,
    trainable,
)
from labkit.base.errors import ConfigError
from labkit.base.files import cache_dir
from labkit.data.images import ImageSet
from labkit.models import build
from labkit.models.backbone import imagenet_network
from labkit.records.statistics import wilson
from labkit.training.loop import fit
from labkit.training.optimizers import make_optimizer
from labkit.training.recipe import Recipe
from labkit.training.schedules import make_schedule
from labkit.training.scoring import eval_batches
from tests.making import Stop, make_set, stop_after_two

LITE = "efficientnet_lite0"


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Features are kept in a folder of the test."""
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def pretrained():
    """The backbone with its weights, for looking at; a test that changes it takes a copy."""
    torch.manual_seed(0)
    return build("backbone", pretrained=True, num_classes=2, image_size=32)


def coloured(count=20, size=32, seed=0, classes=("ants", "bees"), split="train") -> ImageSet:
    """Make small coloured pictures: of the first class reddish with upright stripes, then greenish and so on."""
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % len(classes)
    images = draw.integers(0, 80, (count, 3, size, size))
    for image, label in zip(images, labels, strict=True):
        stripes = 60 * (np.arange(size) // (2 + 2 * label) % 2)
        image[label % 3] += 90 + (stripes if label % 2 else stripes[:, None])
    return ImageSet("made", split, torch.tensor(images, dtype=torch.uint8), torch.tensor(labels), tuple(classes))


@pytest.fixture
def passes(monkeypatch):
    """How many images each pass through a backbone was given."""
    seen, real = [], embed.features

    def counted(model, data, *others):
        seen.append(len(data))
        return real(model, data, *others)

    monkeypatch.setattr(transfer, "features", counted)
    return seen


# --- features ---------------------------------------------------------------------------------------------------------


def test_features_are_those_before_the_output_layer(pretrained):
    data = coloured(5)
    rows, seconds = pretrained_features(LITE, data, "cpu")
    assert rows.shape == (5, 1280)
    assert rows.dtype == np.float32
    assert seconds > 0
    X = (data.images / 255 - 0.5) / 0.5
    with torch.no_grad():
        assert rows == pytest.approx(pretrained.eval().body(X).numpy(), abs=1e-4)


def test_an_image_is_put_through_the_network_once(passes, cache):
    data = coloured(4)
    rows, seconds = pretrained_features(LITE, data)
    assert [path.name for path in cache.rglob("*.npz")] == [f"{LITE}-3x32.npz"]
    again, same = pretrained_features(LITE, data)
    assert passes == [4]
    assert np.array_equal(rows, again)
    assert same == pytest.approx(seconds)  # what computing took when it was done
    some, less = pretrained_features(LITE, data.take(torch.tensor([3, 1])))
    assert np.array_equal(some, rows[[3, 1]])
    assert less == pytest.approx(seconds / 2)
    new = coloured(1, seed=9)
    more = replace(data, images=torch.cat([new.images, data.images[:2]]), labels=torch.tensor([0, 0, 1]))
    found, _ = pretrained_features(LITE, more)
    assert passes == [4, 1]
    assert np.array_equal(found[1:], rows[:2])
    assert np.array_equal(pretrained_features(LITE, new)[0][0], found[0])
    assert passes == [4, 1]


def test_equal_images_of_a_set_are_computed_once(passes):
    data = coloured(3).take(torch.tensor([0, 1, 0, 2, 1]))
    rows, _ = pretrained_features(LITE, data)
    assert passes == [3]
    assert np.array_equal(rows[0], rows[2])
    assert np.array_equal(rows[1], rows[4])
    assert not np.array_equal(rows[0], rows[1])


def test_other_sizes_and_grey_images_have_files_of_their_own(passes, cache):
    data = coloured(2)
    grey = replace(data, images=data.images[:, :1])
    three = replace(data, images=data.images[:, :1].expand(-1, 3, -1, -1))
    one, other = pretrained_features(LITE, grey)[0], pretrained_features(LITE, three)[0]
    assert passes == [2, 2]
    assert one == pytest.approx(other, abs=1e-4)  # a grey image is given to all three channels
    assert {path.name for path in cache.rglob("*.npz")} == {f"{LITE}-1x32.npz", f"{LITE}-3x32.npz"}


def test_a_damaged_cache_is_made_anew(passes):
    data = coloured(2)
    rows, _ = pretrained_features(LITE, data)
    path = cache_dir() / "features" / f"{LITE}-3x32.npz"
    whole = path.read_bytes()
    array = path.with_suffix(".npy")
    np.save(array, rows)
    damaged = [b"", b"no archive", whole[: len(whole) // 2], whole[:-3], array.read_bytes(), whole.replace(b"\0", b"x")]
    for content in damaged:
        path.write_bytes(content)
        assert pretrained_features(LITE, data)[0] == pytest.approx(rows, abs=1e-4)
        assert passes.pop() == 2
        assert pretrained_features(LITE, data)[0].shape == rows.shape  # from the new file
        assert passes == [2]


def test_unknown_backbones_are_refused():
    with pytest.raises(ConfigError, match="Did you mean 'resnet18'"):
        pretrained_features("resnet", coloured(2))


# --- the support vector machine ---------------------------------------------------------------------------------------


class Head(nn.Module):
    def __init__(self, units, classes):
        super().__init__()
        self.output = nn.Linear(units, classes)


def groups(classes, count=30, units=12, seed=0):
    """Draw groups of points that overlap, in features of very different size."""
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centres = np.random.default_rng(99).normal(0, 1, (classes, units))
    return ((draw.normal(0, 1.2, (count, units)) + centres[labels]) * np.logspace(-2, 3, units)).astype(
        "float32"
    ), labels


@pytest.mark.parametrize("classes", [2, 3])
def test_the_network_chooses_what_the_machine_of_scikit_learn_does(classes):
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    rows, labels = groups(classes)
    model = Head(12, classes)
    set_svm(model, rows, labels)
    machine = make_pipeline(StandardScaler(), LinearSVC(random_state=0, dual="auto", max_iter=20_000))
    search = GridSearchCV(machine, {"linearsvc__C": transfer.C_TRIED}, cv=5).fit(rows, labels)
    new, _ = groups(classes, count=400, seed=1)
    for X in (rows, new):
        with torch.no_grad():
            logits = model.output(torch.from_numpy(X)).numpy()
        assert (logits.argmax(axis=1) == search.predict(X)).all()
        said = search.decision_function(X)
        assert logits[:, 1] == pytest.approx(said if classes == 2 else said[:, 1], rel=1e-3, abs=1e-3)
    assert (search.predict(rows) != labels).any()  # they do overlap


@pytest.mark.parametrize(("labels", "fewest"), [([0, 0, 0, 1], 1), ([0, 1, 0, 1], 0)])
def test_a_machine_needs_two_images_of_each_class(labels, fewest):
    model = Head(3, 3 if fewest == 0 else 2)
    with pytest.raises(ConfigError, match=f"at least 2 images of each class, got {fewest} of one"):
        set_svm(model, np.eye(4, 3, dtype=np.float32), np.array(labels))
    set_svm(Head(3, 2), np.eye(4, 3, dtype=np.float32), np.array([0, 0, 1, 1]))


# --- output layers without gradients ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("classes", "numbers"), [(("ants", "bees"), [310, 309]), (("bees", "ants"), [309, 310])])
def test_the_rows_of_imagenet_give_the_logits_of_imagenet(pretrained, classes, numbers):
    model = copy.deepcopy(pretrained).eval()
    set_imagenet(model, LITE, classes)
    X = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        whole = imagenet_network(LITE).eval()(X)
        assert whole.shape == (2, 1000)
        assert torch.allclose(model(X), whole[:, numbers], atol=1e-5)


def test_classes_that_imagenet_lacks_are_named(pretrained):
    with pytest.raises(ConfigError, match="number of wasps, flies is not known here; known: ants, bees"):
        set_imagenet(pretrained, LITE, ("ants", "wasps", "flies"))


@pytest.mark.parametrize(("how", "trained"), [("svm", 2 * 1281), ("imagenet", 0)])
def test_an_output_layer_is_set_and_nothing_else(pretrained, how, trained):
    model, train, val = copy.deepcopy(pretrained), coloured(12), coloured(6, seed=1, split="val")
    body = {name: t.clone() for name, t in model.body.state_dict().items()}
    rows, recipe = [], Recipe(epochs=1, head=how)
    history = fit_head(model, train, val, recipe, device="cpu", callbacks=[rows.append], checkpoint=None, seed=3)
    assert history.rows == rows
    assert len(history) == 1
    assert set(history.last) == {
        "epoch",
        "lr",
        "seconds",
        "images_per_second",
        "train_loss",
        "train_acc",
        "val_loss",
        "val_acc",
    }
    assert all(torch.equal(t, body[name]) for name, t in model.body.state_dict().items())
    assert not torch.equal(model.output.weight, pretrained.output.weight)
    assert trainable(model, recipe) == trained
    for part, data in (("train", train), ("val", val)):
        found = predict(model, data)  # the same answers on the images as on their features
        assert found.acc == pytest.approx(history.last[f"{part}_acc"])
        loss = -np.log(found.chances[np.arange(len(data)), found.labels]).mean()
        assert loss == pytest.approx(history.last[f"{part}_loss"], rel=1e-3, abs=1e-4)
    if how == "svm":
        assert history.last["train_acc"] == 1  # red upright stripes and green level ones
        assert history.last["seconds"] > 0
    else:
        assert history.last["seconds"] == 0  # nothing was learned here


def test_the_machine_learns_from_the_training_images_alone(pretrained):
    train, weights = coloured(12), []
    for val in (coloured(6, seed=1, split="val"), coloured(8, seed=2, split="val")):
        model = copy.deepcopy(pretrained)
        fit_head(model, train, val, Recipe(epochs=1, head="svm"), device="cpu")
        weights.append(model.output.weight.detach())
    expected = copy.deepcopy(pretrained)
    set_svm(expected, pretrained_features(LITE, train, "cpu")[0], train.labels.numpy())
    assert torch.equal(*weights)
    assert torch.equal(weights[0], expected.output.weight)


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (lambda: build("cnn", num_classes=2), "is for a pretrained backbone, got {'name': 'cnn'"),
        (lambda: build("backbone", num_classes=2), "is for a pretrained backbone, got {'name': 'backbone'"),
        (lambda: Head(4, 2), "is for a pretrained backbone, got <class 'tests.analysis.test_transfer.Head'>"),
    ],
)
def test_only_a_pretrained_backbone_has_its_output_layer_set(network, says):
    with pytest.raises(ConfigError, match=f"head='svm' {says}"):
        fit_head(network(), coloured(4), coloured(4, seed=1), Recipe(head="svm"), device="cpu")


@pytest.mark.parametrize("how", ["svm", "imagenet"])
def test_the_loop_of_gradients_names_the_function_that_sets_output_layers(how):
    with pytest.raises(ConfigError, match=r"is set without gradients: call labkit\.transfer\.fit_head"):
        fit(build("simple", num_classes=2), coloured(4), None, Recipe(head=how), device="cpu")
    assert callable(transfer.fit_head)


def test_parameters_that_are_trained_are_counted(pretrained):
    assert trainable(pretrained, Recipe()) == 3_371_008 + 2562
    assert trainable(pretrained, Recipe(head="svm")) == 2562
    assert trainable(pretrained, Recipe(head="imagenet")) == 0


# --- two learning rates -----------------------------------------------------------------------------------------------


def small(seed=0):
    torch.manual_seed(seed)
    return build("simple", in_channels=3, num_classes=4, image_size=12, hidden=8)


def moved(recipe) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how far one step moves the output layer and all the others."""
    model, before = small(), small()
    fit(model, make_set(16, size=12), None, recipe, device="cpu", progress=False)
    gone = {n: (p - q).detach() for (n, p), q in zip(model.named_parameters(), before.parameters(), strict=True)}
    head, body = ([d.flatten() for n, d in gone.items() if n.startswith("output") == own] for own in (True, False))
    return torch.cat(head), torch.cat(body)


def test_output_layer_and_body_have_their_own_rates():
    optimizer = make_optimizer(small(), Recipe(lr=0.5, body_lr=0.01))
    head, body = optimizer.param_groups
    assert (head["lr"], body["lr"]) == (0.5, 0.01)
    assert [tuple(p.shape) for p in head["params"]] == [(4, 8), (4,)]
    assert sum(p.numel() for p in head["params"] + body["params"]) == sum(p.numel() for p in small().parameters())
    (only,) = make_optimizer(small(), Recipe(lr=0.5)).param_groups
    assert only["lr"] == 0.5


def test_the_body_moves_less_by_as_much_as_its_rate_is_smaller():
    recipe = Recipe(epochs=1, batch_size=16, optimizer="sgd", lr=0.1)
    head, body = moved(recipe)
    same_head, slower = moved(replace(recipe, body_lr=0.001))
    assert torch.allclose(head, same_head, atol=1e-7)
    assert torch.allclose(slower * 100, body, atol=1e-4)
    assert 0 < slower.norm() < body.norm() / 50


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_one_cycle_rises_to_both_rates(optimizer):
    recipe = Recipe(epochs=5, optimizer=optimizer, lr=1.0, body_lr=0.02, schedule="one-cycle")
    made = make_optimizer(small(), recipe)
    schedule, seen = make_schedule(made, recipe, 4), []
    for _ in range(20):
        seen.append([group["lr"] for group in made.param_groups])
        made.step()
        schedule.step()
    head, body = zip(*seen, strict=True)
    assert max(head) == pytest.approx(1.0, rel=0.02)
    assert max(body) == pytest.approx(0.02, rel=0.02)
    assert head[0] < 0.1
    assert body[0] < 0.002


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one-cycle"])
def test_a_training_with_two_rates_resumes_to_the_same_weights(tmp_path, schedule):
    recipe = Recipe(epochs=3, batch_size=20, lr=0.01, body_lr=0.001, schedule=schedule)
    train = make_set(40, size=12)
    whole, parts = small(), small()
    history = fit(whole, train, None, recipe, device="cpu", progress=False)

    path = tmp_path / "run.pt"
    with pytest.raises(Stop):
        fit(parts, train, None, recipe, device="cpu", progress=False, checkpoint=path, callbacks=[stop_after_two])
    resumed = small(seed=5)
    again = fit(resumed, train, None, recipe, device="cpu", progress=False, checkpoint=path)
    assert all(torch.equal(p, q) for p, q in zip(whole.parameters(), resumed.parameters(), strict=True))
    assert again["lr"] == history["lr"]
    with pytest.raises(ConfigError, match="body_lr was 0.001 and is now 0.002"):
        fit(small(), train, None, replace(recipe, body_lr=0.002), device="cpu", progress=False, checkpoint=path)


def test_networks_without_an_output_layer_of_that_name_are_refused():
    model = build("cnn", in_channels=3, num_classes=4, image_size=12, blocks=1)
    with pytest.raises(ConfigError, match="output layer is called `output`; CNN has none. Leave body_lr out"):
        fit(model, make_set(16, size=12), None, Recipe(body_lr=1e-4), device="cpu", progress=False)
    with pytest.raises(ConfigError, match="body_lr must be above 0, or None, got 0"):
        Recipe(body_lr=0)


def test_records_of_before_there_was_a_second_rate_are_read():
    old = {name: value for name, value in Recipe(epochs=3).as_record().items() if name != "body_lr"}
    assert Recipe.of(old) == Recipe(epochs=3)
    assert Recipe.of(Recipe(body_lr=1e-4).as_record()).body_lr == 1e-4


@pytest.mark.parametrize(("size", "batch"), [(28, 500), (32, 500), (64, 488), (224, 39), (1500, 1)])
def test_batches_without_gradients_are_as_large_as_memory_bears(size, batch):
    data = make_set(3, channels=1, size=size, classes=2)
    batches = eval_batches(data, (torch.zeros(1), torch.ones(1)))
    assert batches.batch_size == batch
    assert torch.cat([y for _, y in batches]).tolist() == [0, 1, 0]


def test_training_and_evaluation_take_the_mean_and_sd_that_the_network_brings(pretrained):
    """Not those of the training images, which are far from ImageNet's. One step: its loss is of the first weights."""
    model, train, val = copy.deepcopy(pretrained), coloured(8), coloured(6, seed=1)
    history = fit(model, train, val, Recipe(epochs=1, batch_size=8), device="cpu", progress=False)

    def loss(network, data):
        with torch.no_grad():
            return nn.functional.cross_entropy(network.eval()((data.images / 255 - 0.5) / 0.5), data.labels).item()

    assert history.last["train_loss"] == pytest.approx(loss(pretrained, train), rel=1e-3)
    assert history.last["val_loss"] == pytest.approx(loss(model, val), rel=1e-3)


# --- routes -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def routes(tmp_path_factory):
    """All routes on twenty small pictures of three classes, and the pictures that they were validated on."""
    classes = ("red", "green", "blue")
    train, val = coloured(20, 64, 0, classes), coloured(8, 64, 1, classes, "val")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        return compare_routes(train, val, epochs=1, device="cpu", progress=False), val


def test_each_route_is_described_by_what_it_reached(routes):
    done, val = routes
    assert [route.name for route in done] == list(ROUTES)
    assert [route.trainable for route in done] == [3 * 1281, 3_371_008 + 3 * 1281, 3_371_008 + 3 * 1281]
    for route in done:
        assert route.val_acc == pytest.approx(predict(route.model, val).acc)
        assert (route.low, route.high) == wilson(round(route.val_acc * 8), 8)
        assert 0 <= route.low <= route.val_acc <= route.high <= 1
        assert route.seconds > 0
        assert route.model.output.out_features == 3
    assert done[0].val_acc == 1  # the classes differ in colour


def test_routes_go_separate_ways(routes):
    (svm, tuned, augmented), _ = routes
    bodies = [next(route.model.body.parameters()) for route in (svm, tuned, augmented)]
    assert torch.equal(bodies[0], next(imagenet_network(LITE).parameters()))  # frozen
    assert not torch.equal(bodies[0], bodies[1])
    assert not torch.equal(bodies[1], bodies[2])


def test_the_same_seed_gives_the_same_network():
    train, val = coloured(8), coloured(4, seed=1)
    one, same, other = (
        compare_routes(train, val, ["fine-tuning"], epochs=1, seed=seed, device="cpu", progress=False)[0].model
        for seed in (0, 0, 1)
    )
    assert torch.equal(one.output.weight, same.output.weight)
    assert not torch.equal(one.output.weight, other.output.weight)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"routes": ["fine-tuning", "fine-tunin"]}, "There is no route 'fine-tunin'. Did you mean 'fine-tuning'"),
        ({"backbone": "resnet"}, "There is no backbone 'resnet'. Did you mean 'resnet18'"),
        ({"epochs": 0, "routes": ["fine-tuning"]}, "epochs must be a whole number of at least 1"),
        ({"device": "gpu"}, "There is no device 'gpu'"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_trained(monkeypatch, settings, says):
    monkeypatch.setattr(transfer, "fit", lambda *_args, **_options: pytest.fail("trained"))
    monkeypatch.setattr(transfer, "set_svm", lambda *_args: pytest.fail("trained"))
    with pytest.raises(ConfigError, match=says):
        compare_routes(coloured(4), coloured(4, seed=1), **{"progress": False} | settings)

"""Features at a named layer against a forward pass by hand; planes and lines on points whose answer is known."""

import numpy as np
import pytest
import torch
from sklearn.manifold import trustworthiness
from torch import nn

from labkit.analysis import embed
from labkit.analysis.embed import Scores, features, scores, separating_line, tsne
from labkit.base.errors import ConfigError
from labkit.data.images import ImageSet
from labkit.models import build
from labkit.training import scoring
from tests.making import make_set


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build("simple", in_channels=3, num_classes=4, image_size=8, hidden=10)


def normalized(data, mean_std=None):
    mean, std = (t.view(1, -1, 1, 1) for t in mean_std or data.mean_std)
    return (data.images / 255 - mean) / std


def hooks(model) -> int:
    return sum(len(layer._forward_hooks) for layer in model.modules())


# --- features ---------------------------------------------------------------------------------------------------------


def test_features_are_what_a_forward_pass_by_hand_gives(model):
    data = make_set(23)
    found = features(model, data, ["features.0", "hidden", "output"])
    X = normalized(data)
    with torch.no_grad():
        first, hidden = model.features[0](X), model.hidden(model.features(X))
    assert found["features.0"].shape == (23, 32 * 8 * 8)
    assert found["features.0"] == pytest.approx(first.flatten(1).numpy(), abs=1e-5)
    assert found["hidden"] == pytest.approx(hidden.numpy(), abs=1e-5)
    assert found["output"] == pytest.approx(model.output(hidden).detach().numpy(), abs=1e-5)
    assert list(found) == ["features.0", "hidden", "output"]
    assert {rows.dtype for rows in found.values()} == {np.dtype("float32")}


def test_several_layers_take_one_pass_in_the_order_of_the_set(model, monkeypatch):
    sizes = []
    model.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    data = make_set(23)
    whole = features(model, data, ["features", "hidden"])
    assert sizes == [23]
    monkeypatch.setattr(scoring, "EVAL_BATCH", 10)
    parts = features(model, data, ["features", "hidden"])
    assert sizes == [23, 10, 10, 3]
    for name, rows in whole.items():
        assert parts[name] == pytest.approx(rows, abs=1e-5)


def test_other_mean_and_sd_can_be_given(model):
    data, mean_std = make_set(5), (torch.full((3,), 0.3), torch.full((3,), 0.7))
    found = features(model, data, ["features"], mean_std)["features"]
    assert found == pytest.approx(model.features(normalized(data, mean_std)).detach().numpy(), abs=1e-5)


@pytest.mark.parametrize("mode", [True, False])
def test_the_network_keeps_its_mode_and_no_hooks(mode):
    model, data = build("alexnet", num_classes=4, image_size=15, dropout=0.5).train(mode), make_set(5, size=15)
    found = features(model, data, ["hidden"])["hidden"]
    assert model.training == mode
    assert hooks(model) == 0
    assert features(model, data, ["hidden"])["hidden"] == pytest.approx(found)  # dropout was off


def test_hooks_are_gone_after_an_error_too(model):
    model.train()
    with pytest.raises(RuntimeError):
        features(model, make_set(5, channels=1), ["hidden"], (torch.zeros(1), torch.ones(1)))
    assert hooks(model) == 0
    assert model.training


def test_unknown_layers_are_refused_before_anything_is_computed(model):
    with pytest.raises(ConfigError, match="There is no layer 'hiden'. Did you mean 'hidden'"):
        features(model, make_set(5), ["hidden", "hiden"])
    assert hooks(model) == 0


class Twice(nn.Module):
    """Uses one of its layers twice and one not at all."""

    def __init__(self):
        super().__init__()
        self.flat, self.same, self.last, self.spare = nn.Flatten(), nn.ReLU(), nn.Linear(192, 2), nn.Linear(2, 2)

    def forward(self, X):
        return self.same(self.last(self.same(self.flat(X))))


@pytest.mark.parametrize("name", ["spare", "same"])
def test_a_layer_that_is_not_used_just_once_is_refused(name):
    """Used twice, it would give two rows an image."""
    with pytest.raises(ConfigError, match=f"does not go through {name} once for each image. Name layers that it uses"):
        features(Twice(), make_set(5, classes=2), ["last", name])


def test_a_layer_that_is_named_twice_is_given_once(model):
    found = features(model, make_set(5), ["hidden", "hidden"])
    assert found["hidden"].shape == (5, 10)


def test_features_are_of_the_layer_named_though_the_next_one_works_in_place():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.ReLU(inplace=True))
    assert features(model, make_set(9), ["1"])["1"].min() < 0 == features(model, make_set(9), ["2"])["2"].min()


# --- the plane --------------------------------------------------------------------------------------------------------


def clusters(count=20, dimensions=6, seed=0, apart=40.0):
    """Draw two groups of points with sd 1 that are far apart."""
    draw = np.random.default_rng(seed)
    labels = np.repeat([0, 1], count)
    return draw.normal(0, 1, (2 * count, dimensions)) + apart * labels[:, None], labels


@pytest.fixture(scope="module")
def plane():
    """A plane of two far groups, with what it was made from and its labels."""
    rows, labels = clusters()
    return rows, tsne(rows, perplexity=5), labels


def test_a_plane_has_a_point_for_each_row_and_the_same_seed_gives_the_same(plane):
    rows, points, _ = plane
    assert points.shape == (40, 2)
    assert points.dtype == np.float64
    assert np.isfinite(points).all()
    assert np.array_equal(points, tsne(rows, perplexity=5))


def test_far_groups_stay_apart_in_the_plane(plane):
    rows, points, labels = plane
    found = scores(rows, points, labels)
    assert found.silhouette > 0.6
    assert found.trustworthiness > 0.8
    assert separating_line(points, labels).errors == 0
    assert str(found) == f"silhouette {found.silhouette:.2f}, trustworthiness {found.trustworthiness:.2f}"


def test_many_dimensions_are_first_reduced_by_pca():
    from sklearn.decomposition import PCA

    rows, labels = clusters(count=28, dimensions=70, apart=4.0)
    points = tsne(rows, perplexity=8, seed=3)
    by_hand = PCA(50, random_state=3).fit_transform(rows)
    assert np.array_equal(points, tsne(by_hand, perplexity=8, seed=3))
    assert not np.array_equal(points[:, 0], points[:, 1])
    assert scores(rows, points, labels).silhouette > 0.4


@pytest.mark.parametrize(
    ("count", "perplexity", "says"),
    [
        (10, 30, "A perplexity of 30 needs at least 91 points, got 10"),
        (10, 3.1, "A perplexity of 3.1 needs at least 11 points, got 10"),
        (10, 0.5, "A perplexity of 0.5 needs at least 4 points, got 10; from 4 points on it may be 1 to a third"),
        (3, 1, "A perplexity of 1 needs at least 4 points, got 3"),
        (10, -1, "A perplexity of -1 needs at least 4 points"),
    ],
)
def test_perplexity_has_limits(count, perplexity, says):
    with pytest.raises(ConfigError, match=says):
        tsne(np.arange(2.0 * count).reshape(count, 2), perplexity=perplexity)


def test_the_highest_perplexity_of_few_points_works():
    assert tsne(clusters(count=5)[0], perplexity=3).shape == (10, 2)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (np.array([[0.0, np.nan]] * 20), "takes finite features of shape"),
        (np.array([[0.0, -np.inf]] * 20), "takes finite features"),
        (np.arange(20.0), "got shape .20,."),
        (np.arange(20.0)[:, None], "D at least 2, got shape .20, 1."),
    ],
)
def test_rows_that_cannot_be_put_into_a_plane_are_refused(rows, says):
    with pytest.raises(ConfigError, match=says):
        tsne(rows, perplexity=5)


def test_a_dead_layer_is_one_point_that_tells_nothing_apart():
    """Else a long training of a network that has died would end in an error, and never be recorded."""
    rows, labels = np.ones((20, 60)), np.arange(20) % 2
    points = tsne(rows, perplexity=5)
    assert points.tolist() == [[0, 0]] * 20
    assert scores(rows, points, labels).silhouette == 0
    assert separating_line(points, labels).errors == 10


# --- scores -----------------------------------------------------------------------------------------------------------


def test_scores_of_a_perfect_plane_and_of_a_random_one():
    draw = np.random.default_rng(1)
    rows, labels = clusters(count=30, dimensions=2)
    perfect = scores(rows, rows, labels)
    assert perfect.trustworthiness == 1
    assert perfect.silhouette > 0.9
    random = scores(rows, draw.normal(size=rows.shape), labels)
    assert abs(random.silhouette) < 0.15
    assert 0.35 < random.trustworthiness < 0.65
    mixed = scores(rows, rows, draw.permutation(labels))
    assert mixed.trustworthiness == 1  # it does not look at the classes
    assert mixed.silhouette < 0.1
    wrong = scores(rows, np.array([[0.0, 0], [9, 9]] * 30), np.array([0, 0, 1, 1] * 15))
    assert -1 <= wrong.silhouette < 0.1


@pytest.mark.parametrize("count", [4, 5, 12, 24, 26])
def test_small_planes_have_scores_too(count):
    """There are fewer neighbours to ask about than usual."""
    rows = np.random.default_rng(0).normal(size=(count, 2))
    found = scores(rows, rows, np.arange(count) % 2)
    assert -1 <= found.silhouette <= 1
    assert found.trustworthiness == pytest.approx(1)


# --- the line ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("away", "scale"), [(0, 1), (1e6, 1), (-3e4, 1e-3), (0, 1e-9), (5, 1e9)])
def test_the_side_of_the_line_is_the_class_that_the_machine_says(away, scale, seed):
    """weights · point + bias is above 0 on the side of the second class; the errors are counted with it."""
    draw = np.random.default_rng(seed)
    labels = np.array([4, 7] * 40)  # any two values
    points = draw.normal(0, 1, (80, 2)) + np.where(labels == 7, 1.5, 0)[:, None]
    points = points * [scale, 3 * scale] + away
    line = separating_line(points, labels)
    right = (points @ line.weights + line.bias > 0) == (labels == 7)
    assert (~right).sum() == line.errors
    assert 0 < line.errors < 20
    assert line.weights.shape == (2,)
    assert line.errors == separating_line(points, labels).errors


def test_a_line_between_groups_makes_no_errors_and_lies_between_them():
    points = np.array([[0.0, 0], [0, 1], [9, 0], [9, 1]])
    line = separating_line(points, np.array([0, 0, 1, 1]))
    assert line.errors == 0
    assert -line.bias / line.weights[0] == pytest.approx(4.5, abs=0.01)
    assert line.weights[1] == pytest.approx(0, abs=1e-6)


def test_points_in_a_row_still_get_a_line():
    points = np.array([[0.0, 5], [1, 5], [2, 5], [3, 5]])  # no spread upwards
    line = separating_line(points, np.array([0, 0, 1, 1]))
    assert line.errors == 0
    assert np.isfinite([*line.weights, line.bias]).all()


@pytest.mark.parametrize("classes", [1, 3])
def test_a_line_separates_two_classes(classes):
    with pytest.raises(ConfigError, match=f"A line separates two classes, got {classes}"):
        separating_line(np.zeros((6, 2)), np.arange(6) % classes)


# --- records ----------------------------------------------------------------------------------------------------------


def test_a_record_has_scores_for_every_seed_and_points_for_the_first(model, monkeypatch):
    monkeypatch.setattr(embed, "SHOWN", 5)
    data = make_set(31)  # 8 or 7 of each class
    asked = {0: ["features", "hidden"], 1: ["hidden"]}
    kept = {seed: embed.record(model, data, layers, seed) for seed, layers in asked.items()}
    for seed, one in kept.items():
        assert one["labels"] == [0, 1, 2, 3] * 5  # the first of each class, in the order of the set
        assert list(one["layers"]) == asked[seed]
        for layer in one["layers"].values():
            assert set(layer) == {"silhouette", "trustworthiness"} | ({"points"} if seed == 0 else set())
    points = kept[0]["layers"]["hidden"]["points"]
    assert np.array(points).shape == (20, 2)
    assert all(value == round(value, 2) for point in points for value in point)
    assert kept[0]["layers"]["hidden"]["silhouette"] == kept[1]["layers"]["hidden"]["silhouette"]


def test_the_points_of_a_record_stand_in_the_order_of_its_labels():
    """Two groups that are far apart, in no order: each point lies with those of its own label."""
    dark = torch.arange(40) % 3 == 0
    images = torch.where(dark.view(-1, 1, 1, 1), 20, 230) + torch.randint(0, 20, (40, 3, 8, 8))
    data = ImageSet("made", "test", images.to(torch.uint8), dark.long(), ("bright", "dark"))
    torch.manual_seed(0)
    model = build("simple", in_channels=3, num_classes=2, image_size=8, hidden=10)
    kept = embed.record(model, data, ["features"], seed=0)
    points, labels = np.array(kept["layers"]["features"]["points"]), np.array(kept["labels"])
    assert len(set(labels.tolist())) == 2
    middles = np.stack([points[labels == label].mean(axis=0) for label in (0, 1)])
    nearest = np.linalg.norm(points[:, None] - middles, axis=2).argmin(axis=1)
    assert nearest.tolist() == labels.tolist()
    assert kept["layers"]["features"]["silhouette"] > 0.5


def test_a_record_of_two_classes_counts_the_errors_of_the_line(model):
    two = build("simple", in_channels=3, num_classes=2, image_size=8, hidden=10)
    bright = make_set(13, classes=2)  # 7 and 6: six of each are taken
    images = torch.where(bright.labels.bool().view(-1, 1, 1, 1), 200 + bright.images // 5, bright.images // 5)
    data = ImageSet("made", "test", images, bright.labels, ("dark", "bright"))
    kept = embed.record(two, data, ["features"], seed=0)
    assert len(kept["labels"]) == 12
    layer = kept["layers"]["features"]
    assert layer["line_errors"] == separating_line(np.array(layer["points"]), np.array(kept["labels"])).errors
    found = Scores(layer["silhouette"], layer["trustworthiness"])
    assert -1 <= found.silhouette <= 1
    assert 0 <= found.trustworthiness <= 1


def test_huge_features_give_the_plane_of_small_ones():
    features = np.random.default_rng(0).normal(size=(60, 8))
    plane = tsne(features * 1e18, perplexity=5)
    assert np.isfinite(plane).all()
    assert trustworthiness(features, plane, n_neighbors=5) > 0.8

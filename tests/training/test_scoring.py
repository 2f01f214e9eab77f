"""Loss and accuracy over a whole set: against scikit-learn; and a network that is left as it was."""

import math
from statistics import stdev

import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from torch import nn

from labkit.data.images import Batches, ImageSet
from labkit.training.scoring import eval_batches, evaluating, pixel_stats, score
from tests.making import Brightness, make_model, make_set

# For each image the chances of its classes, and the true one: three of the five are right.
CHANCES = torch.tensor(
    [[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.25, 0.25, 0.5], [0.2, 0.7, 0.1]], dtype=torch.float64
)
LABELS = torch.tensor([0, 1, 2, 2, 0])


class Known(nn.Module):
    """Gives the chances of the image whose number its pixels hold."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(CHANCES.log().float() + 2)  # what all logits have in common does not matter

    def forward(self, X):
        assert not self.training
        return self.logits[(X[:, 0, 0, 0] * 255).round().long()]


def numbered(batch_size) -> Batches:
    """Return five images that hold their numbers, in batches."""
    images = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1)
    data = ImageSet("numbered", "val", images, LABELS, ("a", "b", "c"))
    return Batches(data, batch_size, mean_std=(torch.zeros(1), torch.ones(1)))


def partly_frozen():
    """Return a network in training mode whose batch normalisation is frozen."""
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.Sequential(nn.Dropout(), nn.Flatten()))
    net.train()
    net[1].eval()
    return net


def modes(net):
    return [part.training for part in net.modules()]


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_the_scores_are_those_by_hand_whatever_the_batches(batch_size):
    found = score(Known(), numbered(batch_size))
    by_hand = -math.log(0.5 * 0.8 * 0.1 * 0.5 * 0.2) / 5  # the chances of the true classes
    assert found == {"loss": pytest.approx(by_hand), "acc": pytest.approx(3 / 5)}


def test_the_scores_are_those_of_scikit_learn():
    found = score(Known(), numbered(2), confusion=True)
    assert found["loss"] == pytest.approx(log_loss(LABELS, CHANCES))
    assert found["acc"] == pytest.approx(accuracy_score(LABELS, CHANCES.argmax(dim=1)))
    assert found["confusion"] == confusion_matrix(LABELS, CHANCES.argmax(dim=1)).tolist()
    assert found["confusion"] == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]  # (true class, predicted class)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_details_are_the_spread_of_the_losses_and_which_images_are_right(batch_size):
    found = score(Known(), numbered(batch_size), details=True)
    losses = [-math.log(chance) for chance in (0.5, 0.8, 0.1, 0.5, 0.2)]
    assert found["loss_sd"] == pytest.approx(stdev(losses), abs=1e-6)
    right = (CHANCES.argmax(dim=1) == LABELS).tolist()
    assert right.count(True) == 3
    assert f"{int(found['right'], 16):08b}" == "".join("1" if one else "0" for one in right) + "000"
    assert set(found) == {"loss", "acc", "loss_sd", "right"}


def test_answers_one_by_one_are_kept_of_small_sets_alone(monkeypatch):
    monkeypatch.setattr("labkit.training.scoring.ANSWERS", 5)
    assert "right" in score(Known(), numbered(2), details=True)
    monkeypatch.setattr("labkit.training.scoring.ANSWERS", 4)
    assert "right" not in score(Known(), numbered(2), details=True)


def test_one_image_has_no_spread_of_losses():
    found = score(make_model(), Batches(make_set(1, size=12), 20), details=True)
    assert found["loss_sd"] == 0.0
    assert found["right"] in ("00", "80")


def test_two_images_have_a_spread_of_losses():
    found = score(make_model(), Batches(make_set(2, size=12), 20), details=True)
    assert found["loss_sd"] > 0


@pytest.mark.parametrize(("size", "images"), [(32, 500), (64, 488), (224, 39), (1000, 2), (1415, 1)])
def test_large_images_come_in_small_batches(size, images):
    data = make_set(1, channels=1, size=size, classes=1)
    assert eval_batches(data, data.mean_std).batch_size == images


def test_one_process_has_the_whole_share():
    assert score(Known(), numbered(2), shared=True) == score(Known(), numbered(2))


def test_scores_in_bf16_are_near_those_in_float32():
    model, batches = make_model(), Batches(make_set(50, size=12), 20)
    exact, rough = (score(model, batches, precision) for precision in ("float32", "bf16"))
    assert rough["loss"] == pytest.approx(exact["loss"], rel=0.02)
    assert rough["loss"] != exact["loss"]


def test_scoring_leaves_the_network_as_it_was():
    net = nn.Sequential(partly_frozen(), nn.Linear(200, 4))
    before, kept = modes(net), {name: value.clone() for name, value in net.state_dict().items()}
    score(net, Batches(make_set(6, size=12), 4))
    assert modes(net) == before
    assert all(torch.equal(value, kept[name]) for name, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_a_part_that_was_frozen_stays_frozen_and_the_others_train_on():
    net = partly_frozen()
    with evaluating(net):
        assert not any(modes(net))
    assert modes(net) == [True, True, False, True, True, True]  # the whole, conv, norm, and the last part with its two


def test_a_network_that_was_not_training_does_not_begin_to():
    net = partly_frozen().eval()
    net[2][0].train()  # dropout alone
    with evaluating(net):
        assert not any(modes(net))
    assert modes(net) == [False, False, False, False, True, False]


def test_modes_come_back_after_an_error_too():
    net = partly_frozen()
    before = modes(net)
    with pytest.raises(KeyError, match="broken"), evaluating(net):
        raise KeyError("broken")
    assert modes(net) == before
    assert torch.is_grad_enabled()


def test_no_gradients_are_kept_within_and_all_of_them_after():
    net = make_model()
    X = torch.zeros(2, 3, 12, 12)
    with evaluating(net):
        assert not net(X).requires_grad
    assert net(X).requires_grad


def test_one_block_within_another_leaves_the_outer_one_in_evaluation():
    net = partly_frozen()
    before = modes(net)
    with evaluating(net):
        with evaluating(net):
            pass
        assert not any(modes(net))
        assert not torch.is_grad_enabled()
    assert modes(net) == before


def test_images_are_normalised_by_the_training_images_or_by_what_the_network_brings():
    model, train = make_model(), make_set(20, size=12)
    mean, std = pixel_stats(model, train)
    pixels = train.images.double() / 255
    assert mean == pytest.approx(pixels.mean(dim=(0, 2, 3)), abs=1e-6)
    assert std == pytest.approx(pixels.std(dim=(0, 2, 3), correction=0), abs=1e-6)
    model.mean_std = torch.full((3,), 0.5), torch.full((3,), 0.25)
    assert pixel_stats(model, train) is model.mean_std


def test_batches_without_gradients_are_in_the_order_of_the_set_and_none_is_left_out():
    model, data = Brightness(), make_set(1203, channels=1, size=4)
    score(model, eval_batches(data, data.mean_std))
    assert model.sizes == [500, 500, 203]
    assert model.modes == [False, False, False]
    assert torch.equal(torch.cat([y for _, y in eval_batches(data, data.mean_std)]), data.labels)

"""What a network says about each image: on a network whose answers are known, and against loops by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from labkit.analysis import predictions
from labkit.analysis.predictions import Predictions, confusion, most_confused, predict, worst_mistakes
from labkit.base.errors import ConfigError
from labkit.data.images import ImageSet
from labkit.experiments.read import per_class, recorded_confusion, worst_classes, worst_pairs
from labkit.models import build
from labkit.training import scoring
from tests.making import Brightness, make_run, make_set

AS_THEY_ARE = torch.zeros(1), torch.ones(1)  # a mean and an sd that leave the pixels as shares of 255


def shades(values, labels, channels=1, classes=4) -> ImageSet:
    """Make one image of each grey value, in hundredths of white."""
    grey = (torch.tensor(values, dtype=torch.float32) * 2.55).round().byte().view(-1, 1, 1, 1)
    images = grey.expand(-1, channels, 6, 6).contiguous()
    return ImageSet("shades", "val", images, torch.tensor(labels), tuple("abcdefgh"[:classes]))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_answers_are_those_of_the_network_in_the_order_of_the_set(channels):
    data = shades([30, 1, 19, 11, 8, 29], [3, 0, 2, 1, 2, 1], channels)
    mean_std = torch.zeros(channels), torch.ones(channels)
    found = predict(Brightness(), data, mean_std)
    assert found.chosen.tolist() == [3, 0, 2, 1, 1, 3]
    assert found.wrong.tolist() == [4, 5]
    assert found.acc == 4 / 6
    assert found.labels.tolist() == [3, 0, 2, 1, 2, 1]
    assert found.classes == ("a", "b", "c", "d")
    logits = Brightness()(data.images / 255)
    assert found.chances == pytest.approx(logits.softmax(dim=1).detach().numpy(), abs=1e-5)
    assert found.chances.dtype == np.float32
    assert found.chances.sum(axis=1) == pytest.approx(np.ones(6), abs=1e-6)


def test_the_batch_size_changes_no_answer(monkeypatch):
    torch.manual_seed(0)
    model, data = build("cnn", num_classes=4, image_size=12, blocks=1), make_set(53, size=12)
    whole = predict(model, data)
    monkeypatch.setattr(scoring, "EVAL_BATCH", 7)
    parts = predict(model, data)
    assert parts.chances == pytest.approx(whole.chances, abs=1e-6)
    assert parts.labels.tolist() == data.labels.tolist()
    few = Brightness()
    predict(few, data)
    assert few.sizes == [7] * 7 + [4]


@pytest.mark.parametrize("mode", [True, False])
def test_the_network_is_asked_with_dropout_off_and_left_in_its_mode(mode):
    model = Brightness().train(mode)
    predict(model, shades([1, 2], [0, 1]), AS_THEY_ARE)
    assert model.modes == [False]
    assert model.training == mode


def test_without_mean_and_sd_those_of_the_images_or_of_the_network_are_taken():
    data = shades([10, 20, 30], [0, 1, 2])
    by_hand = predict(Brightness(), data, data.mean_std)
    assert predict(Brightness(), data).chances == pytest.approx(by_hand.chances)
    learned = Brightness()
    learned.mean_std = AS_THEY_ARE
    assert predict(learned, data).chosen.tolist() == [1, 2, 3]
    assert by_hand.chosen.tolist() != [1, 2, 3]


def test_confusion_is_a_loop_by_hand():
    draw = np.random.default_rng(0)
    chances, labels = draw.random((200, 5), dtype=np.float32), draw.integers(0, 4, 200)  # the last class never occurs
    found = Predictions(chances, labels, tuple("abcde"))
    table = [[0] * 5 for _ in range(5)]
    for chosen, true in zip(found.chosen, labels, strict=True):
        table[true][chosen] += 1
    assert confusion(found).tolist() == table
    assert table[4] == [0] * 5


def test_confusions_of_runs_are_added():
    runs = [with_confusion([[5, 1], [2, 3]]), with_confusion([[4, 0], [0, 9]])]
    assert recorded_confusion(runs).tolist() == [[9, 1], [2, 12]]
    assert recorded_confusion(runs[:1]).tolist() == [[5, 1], [2, 3]]
    with pytest.raises(ConfigError, match="There is no run to read a confusion from. Train one first"):
        recorded_confusion([])


def with_confusion(counts):
    run = make_run()
    return replace(run, final=run.final | {"test": {"acc": 0.5, "loss": 1.0, "confusion": counts}})


FOUR = [  # pairs, both ways together: 0-1: 7, 0-2: 4, 0-3: 0, 1-2: 4, 1-3: 9, 2-3: 2; classes: 11, 20, 10, 11
    [50, 4, 1, 0],
    [3, 50, 2, 8],
    [3, 2, 50, 0],
    [0, 1, 2, 50],
]


def test_pairs_are_counted_both_ways_and_ties_keep_the_order_of_the_classes():
    names = ("w", "x", "y", "z")
    assert most_confused(FOUR, names, pairs=4) == [("x", "z", 9), ("w", "x", 7), ("w", "y", 4), ("x", "y", 4)]
    assert most_confused(np.array(FOUR), names) == [("x", "z", 9), ("w", "x", 7)]
    assert len(most_confused(FOUR, names, pairs=99)) == 6
    assert all(type(count) is int for *_, count in most_confused(FOUR, names, pairs=6))


@pytest.mark.parametrize(
    ("named", "hits"),
    [([(1, 3)], 1), ([(0, 1)], 0), ([(0, 1), (1, 3)], 2), ([(2, 3), (0, 3)], 0), ([(0, 1), (1, 3), (1, 2)], 2)],
)
def test_how_many_of_the_named_pairs_are_among_the_worst(named, hits):
    """The last case has a tie for the third place: 0-2 comes before 1-2."""
    assert worst_pairs(*named)(with_confusion(FOUR)) == hits


@pytest.mark.parametrize(("named", "hits"), [([1], 1), ([0], 0), ([0, 1], 2), ([3, 1], 1), ([2, 3], 0), ([0, 1, 3], 3)])
def test_how_many_of_the_named_classes_are_among_the_worst(named, hits):
    """Class 1 is in most confusions; 0 and 3 are level, so 0 comes first."""
    assert worst_classes(*named)(with_confusion(FOUR)) == hits


def test_a_confusion_counts_for_both_of_its_classes():
    run = with_confusion([[9, 0, 5, 0], [0, 9, 0, 0], [0, 0, 9, 0], [0, 3, 0, 9]])  # 0 and 2: 5 each, 1 and 3: 3 each
    assert worst_classes(0, 2)(run) == 2
    assert worst_classes(1, 3)(run) == 0


def test_shares_of_each_class():
    assert per_class(FOUR) == pytest.approx([50 / 55, 50 / 63, 50 / 55, 50 / 53])
    assert per_class([[3, 1], [0, 4]]).tolist() == [0.75, 1.0]


def test_the_worst_mistakes_are_the_surest_ones_first():
    chances = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.05, 0.95], [0.2, 0.8], [0.99, 0.01]], dtype=np.float32)
    found = Predictions(chances, np.array([1, 0, 0, 0, 0, 0]), ("a", "b"))
    assert worst_mistakes(found).tolist() == [3, 0, 1, 4, 2]  # 1 and 4 are level; 5 is right
    assert worst_mistakes(found, 2).tolist() == [3, 0]
    right = Predictions(chances, found.chosen, ("a", "b"))
    assert len(worst_mistakes(right)) == 0
    assert right.acc == 1


def test_accuracy_agrees_with_the_score_of_training():
    torch.manual_seed(0)
    model, data = build("cnn", num_classes=4, image_size=12, blocks=1), make_set(61, size=12)
    scored = scoring.score(model, scoring.eval_batches(data, data.mean_std), confusion=True)
    found = predictions.predict(model, data)
    assert found.acc == pytest.approx(scored["acc"])
    assert confusion(found).tolist() == scored["confusion"]


@pytest.mark.parametrize(
    ("chances", "labels", "words"),
    [
        (np.full((2, 3), 1 / 3), [0, 3], "labels run from 0 to 3, but there are 3 classes"),
        (np.full((2, 3), 1 / 3), [-1, 0], "labels run from -1 to 0"),
        (np.full((2, 4), 1 / 4), [0, 1], r"chances must be \(2, 3\)"),
        (np.full((3, 3), 1 / 3), [0, 1], r"chances must be \(2, 3\)"),
    ],
)
def test_predictions_outside_of_the_classes_are_refused(chances, labels, words):
    with pytest.raises(ConfigError, match=words):
        Predictions(chances, np.array(labels), ("a", "b", "c"))

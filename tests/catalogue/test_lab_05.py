"""Lab 05: what its records must hold, and that softmax and shuffling do what its page says."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from labkit.catalogue.index import lab
from labkit.data.chosen import Images
from labkit.data.images import load
from labkit.models import build
from labkit.training.loop import fit
from labkit.training.recipe import Recipe

LAB = lab("05-mlp-comparison")
RUNS = LAB.recorded()
PARAMS = {
    "mlp-100": 308_310,
    "3 conv": 36_944,
    "mlp-12": 37_006,
    "mlp-100, shuffled": 308_310,
    "3 conv, shuffled": 36_944,
}


def test_five_seeds_of_ten_arms_on_cifar10():
    assert len(LAB.arms) == 10
    assert sorted((run.arm, run.seed) for run in RUNS) == sorted((a.name, s) for a in LAB.arms for s in range(5))
    for run in RUNS:
        assert run.data["name"] == "cifar10"
        assert len(run.history) == 30
        assert run.model["params"] == PARAMS.get(run.arm, run.model["params"])
    prints = {run.arm: run.data["train"]["fingerprint"] for run in RUNS}
    assert prints["mlp-100, shuffled"] == prints["3 conv, shuffled"] != prints["mlp-100"] == prints["net2"]


@pytest.mark.parametrize(
    ("arm", "linear", "dropouts", "kinds", "last"),
    [
        ("net1", 10, 2, {"ReLU", "LeakyReLU"}, "Softmax"),
        ("net1, logits", 10, 2, {"ReLU", "LeakyReLU"}, "Linear"),
        ("net2", 11, 5, {"LeakyReLU"}, "LogSoftmax"),
        ("net3", 7, 2, {"ReLU", "ELU", "LeakyReLU"}, "LogSoftmax"),
    ],
)
def test_the_second_sources_networks(arm, linear, dropouts, kinds, last):
    options = next(a.options for a in LAB.arms if a.name == arm)
    names = [type(layer).__name__ for layer in build("mlp", **options)]
    assert names.count("Linear") == linear
    assert names.count("BatchNorm1d") == linear - 1
    assert names.count("Dropout") == dropouts
    assert {n for n in names if n.endswith("LU")} == kinds
    assert names[-1] == last


def test_every_figure_and_claim_is_decided():
    assert len(LAB.compare()) == 4
    assert LAB.compare()["verdict"].str.match("reproduced|not reproduced: ours is|cannot tell: ").all()
    assert LAB.verdicts()["verdict"].to_dict() == {
        "Training times cannot be told apart (within 1 minute)": "does not hold",
        "The CNN classifies better: higher validation accuracy": "holds",
        "The CNN generalises better: training accuracy (dropout off) less above validation accuracy": "holds",
        "net1 does not beat the baseline on validation (by 0.01)": "holds",
        "net2 does not beat the baseline on validation (by 0.01)": "does not hold",
        "net3 does not beat the baseline on validation (by 0.01)": "does not hold",
        "net1 comes close to the baseline (within 0.02)": "holds",
        "net2 is worse than net1": "does not hold",
        "net2 is worse than net3": "unclear",
    }


def test_a_log_softmax_before_cross_entropy_changes_nothing_and_a_softmax_does():
    data = load("fashion-mnist-small").train.per_class(30)
    found = {}
    for output in ("logits", "log_softmax", "softmax"):
        torch.manual_seed(0)
        net = build("mlp", in_channels=1, image_size=28, hidden=[20], output=output)
        found[output] = fit(net, data, None, Recipe(epochs=4), device="cpu", progress=False)["train_loss"]
    assert found["log_softmax"] == pytest.approx(found["logits"], abs=1e-4)
    assert min(found["softmax"]) > 1.461
    assert found["softmax"][-1] > found["logits"][-1] + 0.3


def test_an_mlp_learns_shuffled_images_as_well_when_its_columns_are_shuffled_too():
    """Not only the same answers at the start: the same training, step by step."""
    few = Images("fashion-mnist-small", train_per_class=20)
    plain, mixed = few.load(), replace(few, shuffle_pixels=0).load()
    order = torch.randperm(28 * 28, generator=torch.Generator().manual_seed(0))
    nets = []
    for _ in range(2):
        torch.manual_seed(0)
        nets.append(build("mlp", in_channels=1, image_size=28))
    with torch.no_grad():
        nets[1][1].weight.copy_(nets[0][1].weight[:, order])
    a, b = (
        fit(net, part.train, part.val, Recipe(epochs=3), device="cpu", progress=False)
        for net, part in zip(nets, (plain, mixed), strict=True)
    )
    assert b["val_loss"] == pytest.approx(a["val_loss"], rel=1e-3)
    X = plain.val.images[:50] / 255
    assert torch.allclose(
        F.softmax(nets[0](X), dim=1), F.softmax(nets[1](X.flatten(2)[:, :, order].view_as(X)), dim=1), atol=1e-3
    )

"""Lab 07: what its records must hold, and that its network takes every size."""

import pytest
import torch

from labkit.catalogue.index import lab
from labkit.data.images import load
from labkit.models import build

LAB = lab("07-gap-net")
RUNS = LAB.recorded()


def test_five_seeds_of_both_networks_on_cifar10():
    assert sorted((run.arm, run.seed) for run in RUNS) == sorted((a, s) for a in ("gap", "with fc") for s in range(5))
    assert {(run.arm, run.model["params"]) for run in RUNS} == {("gap", 24_234), ("with fc", 36_944)}
    assert {run.data["name"] for run in RUNS} == {"cifar10"}
    assert {len(run.history) for run in RUNS} == {30}


def test_every_reported_figure_has_a_verdict():
    table = LAB.compare()
    assert len(table) == 8
    assert table["verdict"].str.match("reproduced|not reproduced: ours is|cannot tell: ").all()
    for arm in ("gap", "with fc"):
        for figure in ("params_about", "bytes_about"):
            assert table.loc[(arm, figure), "verdict"] == "reproduced: about the same"


@pytest.mark.parametrize("pixels", [22, 32, 48, 64, 97])
def test_one_network_takes_every_size(pixels):
    model = build("gap", image_size=32).eval()
    X = torch.randn(2, 3, pixels, pixels)  # (B, C, H, W)
    maps = model.maps(X)
    assert maps.shape[:2] == (2, 10)
    assert torch.allclose(maps.mean(dim=(2, 3)), model(X), atol=1e-6)


def test_the_pictures_of_the_page_name_places_in_the_map():
    from labkit import plots

    torch.manual_seed(0)
    some = load("fashion-mnist-small").val.take(torch.arange(3)).resized(64)
    assert plots.class_maps(build("gap", in_channels=1, image_size=64), some).alt.count("of 6") == 6

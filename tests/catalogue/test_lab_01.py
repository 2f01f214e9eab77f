"""Labs 01 and 02: what their pages must show, and the command that counts."""

import pytest

from labkit import __main__ as entry
from labkit import plots
from labkit.arithmetic.hand_count import VGG
from labkit.arithmetic.layers import Conv, Pool
from labkit.arithmetic.tracing import trace
from labkit.base.errors import ConfigError
from labkit.catalogue.index import lab
from labkit.data.images import load
from tests.reading import ROOT, cells, source, tags


@pytest.mark.parametrize("name", ["01-counting-parameters", "02-output-sizes"])
def test_every_output_is_compared_and_nothing_is_trained(name):
    code = cells(ROOT / "notebooks" / f"{name}.ipynb", "code")
    assert all("nbval-check-output" in tags(c) for c in code if "google.colab" not in source(c))
    assert not any(word in source(c) for c in code for word in ("labkit.fit", "lab.run"))
    assert "Trains nothing" in lab(name).cost()
    for call in (lab(name).run, lab(name).compare):
        with pytest.raises(ConfigError, match="trains nothing"):
            call()


def test_count_prints_the_audited_table(capsys):
    assert entry.main(["count", "vgg-d"]) == 0
    out = capsys.readouterr().out
    for part in (
        "(7*7*512+1)*4096",
        "138,357,544 parameters",
        "counts a bias for each input channel",
        "245,760 less",
        "527.8 MiB",
    ):
        assert part in out
    assert entry.main(["count", "cnn"]) == 0
    assert "Conv2d" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["vgg-f", "vgg-z", "vgg-"])
def test_count_of_an_unknown_network(capsys, name):
    assert entry.main(["count", name]) == 1
    assert "There is no" in capsys.readouterr().err


def test_the_figures_say_what_they_show():
    alt = plots.layer_shares(trace(VGG["D"], 224), "VGG-D").alt
    for part in ("16 layers", "138.4 millions in all, most in layer 14  FC-4096 (74%)", "multiply-adds: 15.5 billions"):
        assert part in alt
    assert "4 x 4 output pixels" in plots.windows(7, 3, stride=2, padding=1).alt
    layers = [Conv(4, kernel_size=3), Pool(2), Conv(4, kernel_size=3)]
    assert "3 conv3-4: 8 x 8" in plots.fields(load("fashion-mnist-small").train.images[0], layers).alt
    with pytest.raises(ConfigError, match="at most 16 pixels"):
        plots.windows(17, 3)

"""Lab 03: what its records must hold, and what its page must show."""

import pytest

from labkit.catalogue.index import lab
from labkit.models import build
from tests.reading import ROOT, cells, source

LAB = lab("03-dropout")
RUNS = LAB.recorded()


def test_five_seeds_of_two_arms_on_cifar10():
    assert sorted((run.arm, run.seed) for run in RUNS) == sorted(
        (arm, s) for arm in ("p=0.0", "p=0.5") for s in range(5)
    )
    for run in RUNS:
        assert run.data["name"] == "cifar10"
        assert [run.data[part]["images"] for part in ("train", "val", "test")] == [40_000, 10_000, 10_000]
        assert [row["epoch"] for row in run.history] == list(range(1, 31))
        assert sum(map(sum, run.final["test"]["confusion"])) == 10_000
    assert len({run.data["train"]["fingerprint"] for run in RUNS}) == 1
    assert len({row["train_loss"] for run in RUNS for row in run.history}) == 300  # ten different trainings


def test_the_network_is_the_sources():
    assert {run.model["params"] for run in RUNS} == {448 + 4640 + 1152 * 50 + 50 + 510}
    for run in RUNS:
        model = build(**{k: v for k, v in run.model.items() if k != "params"})
        assert [layer.out_channels for layer in model.features[::3]] == [16, 32]


def test_compare_has_every_reported_figure_with_a_verdict():
    table = LAB.compare()
    other = table.index.get_level_values("figure").str.endswith("with dropout off")
    assert table[other]["verdict"].to_list() == ["would explain it", "would explain it", "no: ours is 0.19 higher"]
    table = table[~other]
    assert len(table) == 8
    assert table["verdict"].str.match("reproduced|not reproduced: ours is|cannot tell: ").all()
    assert table.iloc[:, 1].str.endswith("(5)").all()


def test_the_sources_claims_are_decided():
    assert LAB.verdicts()["verdict"].to_dict() == {
        "The two validation accuracies are about equal (within 0.02)": "holds",
        "The validation loss is far lower with 0.5 (by 0.1 or more)": "holds",
        "0.0 over-fits: its validation loss ends 0.1 or more above its lowest": "holds",
    }


@pytest.mark.parametrize(
    "needed", ["my_dropout", "lab.run()", "lab.recorded()", "lab.compare()", "lab.verdicts()", "model.train("]
)
def test_the_page_runs_what_it_speaks_of(needed):
    code = "\n".join(source(c) for c in cells(ROOT / "notebooks" / "03-dropout.ipynb", "code"))
    assert needed in code

"""What a step costs: measured in a process of its own, recorded, and judged."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from labkit.apps.cli import commands
from labkit.base.errors import ConfigError, LabkitError
from labkit.catalogue.index import lab
from labkit.experiments import cost, energy
from labkit.experiments.cost import CostRatio, Step, StepCost, measure, not_trained, recorded, save, values
from labkit.records.claims import Claim

SMALL = Step("small", "cnn", {"blocks": 2}, image_size=32, batch_size=4)


def made(name: str, seconds: float, memory: int | None = None, joules: float | None = None) -> StepCost:
    step = {"name": name, "batch_size": 10, "images": 40_000}
    return StepCost(step, [9 * seconds, seconds, seconds], memory, joules, "2 CPU threads", {})


def test_a_step_is_measured_in_a_process_of_its_own():
    found = measure(SMALL, steps=2, device="cpu")
    assert len(found.seconds) == 2
    assert all(0 < seconds < 60 for seconds in found.seconds)
    assert found.seconds_per_image < 15
    assert "CPU thread" in found.device
    assert found.versions["torch"] == torch.__version__
    json.dumps(found.step)


def test_memory_is_that_of_the_network_alone():
    large = Step("large", "mlp", {"hidden": [4000, 4000]}, batch_size=4)  # 28 million parameters: at least 340 MB
    one, other = measure(SMALL, steps=1, device="cpu"), measure(large, steps=1, device="cpu")
    if other.memory is None:
        assert one.memory is None  # Windows
    else:
        assert one.memory < 60e6 < 330e6 < other.memory < 1e9


def test_a_step_that_fails_says_why():
    with pytest.raises(LabkitError, match="The step tiny could not be measured: .* at least 32 pixels"):
        measure(Step("tiny", "vgg", image_size=8), device="cpu")


def test_costs_are_kept_and_read(records):
    assert recorded("11-architectures") == []
    costs = [made("a", 1.0, 100), made("b", 2.0), made("a", 3.0, 200)]
    save("11-architectures", costs)
    assert recorded("11-architectures") == costs
    assert values("11-architectures", "a", "seconds_per_image") == [0.1, 0.3]
    assert values("11-architectures", "b", "memory") == []
    with pytest.raises(ConfigError, match="There is no quantity of a step 'time'"):
        values("11-architectures", "a", "time")


def test_the_table_of_costs_says_what_is_missing(records):
    save("11-architectures", [made("a", 0.5, 100_000_000, 6.0), made("a", 0.25, 200_000_000, 3.0), made("b", 1.0)])
    table = cost.table("11-architectures", ["a", "b", "c"])
    assert table.loc["a"].tolist() == ["26.7", "150", "0.15", "0.42", "2 CPU threads"]
    assert table.loc["b"].tolist() == ["10.0", "cannot be read", "cannot be read", "1.1", "2 CPU threads"]
    assert set(table.loc["c"]) == {"not run"}


def test_what_was_not_trained_says_how_long_it_would_take(records):
    assert not_trained("11-architectures", "resnet, source", 12) == "not run"
    save("11-architectures", [made("resnet, source", 0.25)] * 2)  # 0.025 s an image: 16.7 min an epoch of 40,000
    said = "not trained here: 3.3 h a run, extrapolated"
    assert not_trained("11-architectures", "resnet, source", 12) == said
    table = lab("11-architectures").compare("udesa")
    unrun = table[table.iloc[:, 1] == "not run"]
    assert set(unrun["verdict"]) <= {said}


def test_claims_about_cost_are_decided_by_ratios(records):
    slower = Claim(
        "udesa", "a is slower", CostRatio("11-architectures", "seconds_per_image", "a", "b"), "higher", 0.1, "A tenth."
    )
    faster = Claim(
        "udesa", "a is faster", CostRatio("11-architectures", "seconds_per_image", "a", "b"), "lower", 0.1, "A tenth."
    )
    energy_claim = Claim(
        "udesa", "a takes more", CostRatio("11-architectures", "joules_per_image", "a", "b"), "higher", 0.1, "A tenth."
    )
    assert [claim.decide([]).verdict for claim in (slower, faster, energy_claim)] == ["not run"] * 3
    save("11-architectures", [made(*pair) for k in (1.0, 1.1, 0.9) for pair in (("a", 2 * k), ("b", k * k))])
    assert slower.decide([]).verdict == "holds"
    assert faster.decide([]).verdict == "does not hold"
    assert slower.decide([]).measured.startswith("× 2.01 [")
    assert energy_claim.decide([]).verdict == "not measured: it cannot be read here"
    save("11-architectures", [made(*pair) for pair in (("a", 1.0), ("b", 2.0), ("a", 2.0), ("b", 1.0))])
    assert slower.decide([]).verdict == faster.decide([]).verdict
    assert slower.decide([]).verdict.startswith("no power: ")


def test_energy_is_read_where_the_system_has_counters(monkeypatch, tmp_path):
    monkeypatch.setattr(energy, "COUNTERS", tmp_path)
    cpu = torch.device("cpu")
    assert energy.joules(cpu) is None
    for package, reading in ((0, 3_000_000), (1, 1_500_000)):
        (tmp_path / f"intel-rapl:{package}").mkdir()
        (tmp_path / f"intel-rapl:{package}" / "energy_uj").write_text(f"{reading}\n")
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of package 0, which counts already
    (tmp_path / "intel-rapl:0:0" / "energy_uj").write_text("1\n")
    assert energy.joules(cpu) == 4.5
    assert energy.joules(torch.device("mps")) is None


def test_the_command_measures_a_lab_and_refuses_one_without_steps(records, monkeypatch):
    done = CliRunner().invoke(commands, ["steps", "03-dropout"])
    assert isinstance(done.exception, LabkitError)
    assert "has no steps to measure" in str(done.exception)
    short = replace(lab("11-architectures"), steps=(SMALL,))
    monkeypatch.setattr("labkit.catalogue.index.lab", lambda name: short)
    done = CliRunner().invoke(commands, ["steps", "11-architectures", "--repeats", "2", "--device", "cpu"])
    assert done.exit_code == 0, done.output
    assert done.output.count("images/s") == 2
    assert len(recorded("11-architectures")) == 2
    assert Path(records / "11-architectures" / "steps.json").is_file()

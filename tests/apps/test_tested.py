"""What the book says about its tests: read from what the tools leave, and as it should be."""

import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from labkit.apps import tested
from tests import counted


@pytest.fixture
def left(tmp_path):
    """What mutmut leaves of two modules, and reasons for one function."""
    ends = {
        "labkit/records/claims.py": {
            "labkit.records.claims.xǁClaimǁdecide__mutmut_1": 1,
            "labkit.records.claims.xǁClaimǁdecide__mutmut_2": 0,
            "labkit.records.claims.x_verdict__mutmut_1": 33,
        },
        "labkit/arithmetic/sizes.py": {
            **{f"labkit.arithmetic.sizes.x_conv_out__mutmut_{i}": 1 for i in range(16)},
            "labkit.arithmetic.sizes.x__reach__mutmut_1": -24,
        },
        "labkit/records/__init__.py": {},
    }
    for name, codes in ends.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.meta").write_text(json.dumps({"exit_code_by_key": codes}))
    (tmp_path / "survivors.toml").write_text('[[reason]]\nwhy = "equal"\nfunctions = ["labkit.records.*.decide"]\n')
    return tmp_path


def test_mutants_are_counted_by_module_and_their_survivors_by_function(left):
    found = tested.mutants(left, left / "survivors.toml")
    assert found["modules"] == {
        "labkit.arithmetic.sizes": {"caught": 16, "too slow": 1},
        "labkit.records.claims": {"caught": 1, "survived": 1, "no test": 1},
    }
    assert found["survivors"] == [
        {"function": "labkit.records.claims.Claim.decide", "number": 1, "why": "equal"},
        {"function": "labkit.records.claims.verdict", "number": 1, "why": None},
    ]
    assert tested.share_caught(found["modules"]) == 18 / 20
    assert tested.problems(found) == [
        "tests/survivors.toml gives no reason for those left in labkit.records.claims.verdict (1)."
    ]


def test_too_few_noticed_and_those_not_run_are_told(left):
    ends = {f"labkit.records.claims.x_verdict__mutmut_{i}": None for i in range(9)}
    (left / "labkit/records/claims.py.meta").write_text(json.dumps({"exit_code_by_key": ends}))
    found = tested.mutants(left, left / "survivors.toml")
    assert tested.problems(found) == ["9 of 26 mutants were not run."]
    assert tested.share_caught(found["modules"]) == 1
    few = {"modules": {"labkit.records.claims": {"caught": 8, "survived": 2}}, "survivors": []}
    assert tested.problems(few) == ["Tests notice 80.0% of the mutants; 90% are wanted."]
    assert tested.problems({"modules": {}, "survivors": []})


def test_what_is_kept_of_the_last_runs_is_as_it_should_be():
    kept = tested.last()
    assert tested.problems(kept["mutants"]) == []
    if "tests" in kept:
        assert kept["tests"]["outcomes"]["failed"] == kept["tests"]["outcomes"]["error"] == 0
        assert kept["tests"]["counted"]["kills"] > 10


def test_the_page_says_what_is_kept(monkeypatch):
    kept = {"mutants": tested.last()["mutants"]}
    monkeypatch.setattr(tested, "last", lambda: kept)
    assert tested.run_lines() == "No whole run is kept yet."
    assert tested.mutant_table().count("\n") == len(kept["mutants"]["modules"]) + 2
    assert sum(one["number"] for one in kept["mutants"]["survivors"]) == sum(
        int(row.split("|")[2]) for row in tested.survivor_table().splitlines()[2:]
    )
    kept["tests"] = {
        "outcomes": {"passed": 2_000, "failed": 0, "error": 0, "skipped": 1},
        "kinds": {"cells of notebooks": 400},
        "skipped": ["Skipped: root may read every file"],
        "counted": {"kills": 58, "refusals": 1_809},
        "minutes": 20.5,
        "python": "3.11.7",
        "versions": {"torch": "2.14.1"},
        "processor": "Linux, 2 cores",
    }
    same, outputs = tested.compared()
    assert same > outputs / 2
    lines = tested.run_lines()
    for part in (
        "2,000 passed, 0 failed, 1 were left out, in 20.5 minutes on Linux, 2 cores: 400 cells",
        "58 processes",
    ):
        assert part in lines
    for part in (
        "1,809 times",
        f"{same} of the {outputs} outputs",
        "Python 3.11.7; torch 2.14.1",
        "root may read every",
    ):
        assert part in lines


def test_a_reason_for_leaving_out_names_no_folder_of_the_machine():
    report = SimpleNamespace(longrepr=("file", 3, f"Skipped: {Path.cwd() / 'data' / 'x'} is missing"))
    assert counted._reason(report) == f"data{os.sep}x is missing"
    assert not [reason for reason in tested.last()["tests"]["skipped"] if re.search(r"(^| )(/|[A-Z]:)", reason)]

"""What the book says about its tests: read from what the tools leave, and as it should be."""

import json

import pytest

from labkit.apps import tested


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
    (left / "labkit/records/claims.py.meta").write_text(
        json.dumps({"exit_code_by_key": {f"labkit.records.claims.x_verdict__mutmut_{i}": None for i in range(9)}})
    )
    said = tested.problems(tested.mutants(left, left / "survivors.toml"))
    assert said == ["9 of 26 mutants were not run.", "Tests notice 65.4% of the mutants; 90% are wanted."]
    assert tested.problems({"modules": {}, "survivors": []})

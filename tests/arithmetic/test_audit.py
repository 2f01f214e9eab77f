"""labkit.arithmetic.auditing: the mistakes of a real hand count, made-up ones of every kind, and formulas."""

import random
import tomllib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.arithmetic.auditing import audit, mistakes
from labkit.arithmetic.formulas import evaluate
from labkit.arithmetic.hand_count import VGG, by_hand
from labkit.arithmetic.layers import Conv, Flatten, Linear, Pool
from labkit.base.errors import ConfigError
from tests.reading import ROOT

REPORTED = next(
    source["vgg_d"]
    for source in tomllib.loads((ROOT / "data" / "reported.toml").read_text("utf-8"))["source"]
    if source["key"] == "uchile"
)


def right_lines(network="D"):
    return [(line.name, line.formula, line.count) for line in by_hand(network).lines]


# -- the count that a source coursework reports --


def found_in_source():
    return audit(REPORTED["lines"], REPORTED["total"], size_bytes=REPORTED["bytes"], mebibytes=REPORTED["mebibytes"])


def test_source_each_convolution_counts_a_bias_for_each_input_channel():
    formulas = found_in_source().of("formula")
    assert [f.line for f in formulas] == [*range(1, 14), 16]
    assert all("a bias for each input channel of a kernel" in f.says for f in formulas[:13])
    assert "(3*3*3+1)*64 = 1,792, not 1,920" in formulas[0].says


def test_source_the_last_line_takes_the_biases_from_the_wrong_side():
    last = found_in_source().of("formula")[-1]
    assert last.name == "fc-1000"
    assert "a bias for each of the 4096 inputs, not for each of the 1000 outputs" in last.says
    assert "4,097,000, not 4,100,096" in last.says


def test_source_the_second_line_has_a_slip_as_well():
    (slip,) = found_in_source().of("arithmetic")
    assert slip.line == 2
    assert "gives 40,960, the line says 4,096 (1 zero at the end" in slip.says


def test_source_the_total_misses_two_lines():
    result = found_in_source()
    (gap,) = result.of("sum")
    assert "245,760 less" in gap.says
    assert "line 3 (conv3-128, 81,920) and line 4 (conv3-128, 163,840), left out of the sum" in gap.says
    assert result.sum_of_lines == 139_954_048
    assert result.correct_total == REPORTED["correct_total"] == 138_357_544
    assert "1,350,744 too many" in result.of("total")[0].says


def test_source_the_bytes_follow_from_the_wrong_total():
    first, second = found_in_source().of("bytes")
    assert "4 bytes for each of the 139,708,288; right is 4 * 138,357,544 = 553,430,176" in first.says
    assert "532.9 MiB fits" in second.says
    assert "527.8 MiB" in second.says


def test_a_right_count_has_no_findings():
    for network in VGG:
        result = audit(right_lines(network), by_hand(network).total, network)
        assert result.ok, str(result)
        assert "Nothing is wrong" in str(result)
        assert "Nothing is wrong" in result._repr_html_()
    assert audit(right_lines(), 138_357_544, size_bytes=553_430_176, mebibytes=527.8).ok


# -- mistakes of every kind, in other networks than the source's --

NETWORK = [Conv(8, 5), Pool(2), Conv(12, 3, groups=2), Conv(6, (3, 1), bias=False), Flatten(), Linear(20), Linear(7)]
LINES = [(line.name, line.formula, line.count) for line in by_hand(NETWORK, 20).lines]


def findings(change, total=None):
    """Return what is found after one line has been changed."""
    lines = list(LINES)
    for number, line in change.items():
        lines[number - 1] = line
    return audit(lines, total, NETWORK, input_size=20).findings


def test_the_network_itself_is_right():
    assert [name for name, _, _ in LINES] == ["conv5-8", "conv3-12", "conv3x1-6", "FC-20", "FC-7"]
    assert findings({}, sum(value for _, _, value in LINES)) == ()


@pytest.mark.parametrize(
    ("line", "formula", "words"),
    [
        (1, "(5*5+1)*3*8", "a bias for each input channel of a kernel"),
        (1, "5*5*3*8", "forgets the biases"),
        (1, "5*5*3*8+3", "one bias for each input channel, not for each output"),
        (1, "5*5*3*8+1", "one bias for the whole layer"),
        (1, "(5*5*3+2)*8", "the biases twice"),
        (1, "(3+1)*8", "leaves out the size of the kernel"),
        (1, "(5*3+1)*8", "one side of the kernel"),
        (1, "(5*5+1)*8", "leaves out the input channels"),
        (1, "5*5*3+1", "leaves out the output channels"),
        (1, "(5*5*8+1)*3", "swaps input and output"),
        (1, "(7*7*3+1)*8", "takes a kernel of 7 × 7"),
        (1, "(5*5*8+1)*8", "takes 8 input channels in place of 3"),
        (1, "5*5*3*8*16*16", "multiply-adds"),
        (1, "5*5*3*8+20", "counts 20 biases; there are 8"),
        (2, "(3*3*8+1)*12", "split into groups"),
        (3, "(3*1*12+1)*6", "biases, which this layer does not have"),
        (4, "6*4*6*20", "forgets the biases"),
        (4, "6*4*6*20+144", "bias for each of the 144 inputs"),
        (4, "(6+1)*20", "leaves out the pixels"),
        (5, "20*7+20", "a bias for each of the 20 inputs, not for each of the 7 outputs"),
        (5, "20+7", "adds inputs and outputs"),
        (5, "(144+1)*7", "takes 144 inputs in place of 20"),
        (5, "12345", "is not the number of parameters"),
    ],
)
def test_each_mistake_is_recognised(line, formula, words):
    name, _, _ = LINES[line - 1]
    (found,) = findings({line: (name, formula, evaluate(formula))})
    assert (found.kind, found.line) == ("formula", line)
    assert words in found.says
    assert f"{LINES[line - 1][2]:,}, not" in found.says
    assert findings({line: (name, "", evaluate(formula))}) == (found,)  # by the value alone


def test_every_known_mistake_is_told_from_the_right_number():
    for letter in VGG:
        for line in by_hand(letter).lines:
            assert line.count not in mistakes(line, (3, 64, 4096))


def test_slips_and_names():
    name, formula, value = LINES[0]
    for wrong, words in ((6080, "1 zero"), (806, "changed places"), (609, "the line says 609")):
        (found,) = findings({1: (name, formula, wrong)})
        assert found.kind == "arithmetic"
        assert words in found.says
    (found,) = findings({1: ("conv3-8", formula, value)})
    assert found.kind == "name"
    assert "conv5-8" in found.says
    assert findings({1: (" Conv5-8 ", "8 * (5*5*3 + 1)", value)}) == ()


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 15), min_size=1, max_size=4))
def test_missing_lines_are_named(gone):
    lines = [line for i, line in enumerate(right_lines()) if i not in gone]
    result = audit(lines, 138_357_544)
    assert [f.kind for f in result.findings] == ["missing"] * len(gone) + ["sum"]
    assert [f.name for f in result.of("missing")] == [right_lines()[i][0] for i in sorted(gone)]
    assert "the missing lines are worth" in result.of("sum")[0].says


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 15), min_size=1, max_size=3), st.booleans())
def test_lines_left_out_of_the_sum_or_twice_in_it_are_found(chosen, twice):
    lines = right_lines()
    gap = sum(lines[i][2] for i in chosen)
    (found,) = audit(lines, 138_357_544 + (gap if twice else -gap)).of("sum")
    named = [int(word) for word in found.says.replace("line ", "line|").split("|")[1:] for word in word.split()[:1]]
    assert sum(lines[i - 1][2] for i in named) == gap
    assert len(named) <= len(chosen)
    assert ("twice in" if twice else "left out of") in found.says


def test_extra_lines_and_a_total_from_the_formulas():
    result = audit([*right_lines(), ("softmax", "1000*1000", 1_000_000)], 139_357_544)
    assert [f.kind for f in result.findings] == ["extra", "total"]
    assert result.findings[0].line == 17
    lines = right_lines()
    lines[0] = (lines[0][0], lines[0][1], 179)
    assert "what the formulas give" in audit(lines, 138_357_544).of("sum")[0].says
    assert "No few lines" in audit(right_lines(), 138_357_545).of("sum")[0].says


def test_bytes_that_do_not_fit():
    for bytes_, mib, words in (
        (138_357_544, None, "553,430,176 bytes, not 138,357,544"),
        (553_430_176, 553.4, "That would be right in MB"),
        (None, 500.0, "527.8 MiB"),
    ):
        result = audit(right_lines(), 138_357_544, size_bytes=bytes_, mebibytes=mib)
        assert [f.kind for f in result.findings] == ["bytes"]
        assert words in str(result.findings[0].says)


def test_bad_lines_are_refused_and_bad_formulas_are_findings():
    for bad in ("conv", ("conv3-64", 3), ("conv3-64", "1", "1"), ("conv3-64", "1", -1), (1, "1", 1), ("a", "1", 1.5)):
        with pytest.raises(ConfigError):
            audit([bad])
    with pytest.raises(ConfigError, match="VGG configuration"):
        audit([], network="Z")
    with pytest.raises(ConfigError, match="total must be"):
        audit([], total="many")
    found = findings({1: (LINES[0][0], "__import__('os')", LINES[0][2])})
    assert [f.kind for f in found] == ["unreadable"]
    assert "Allowed: whole numbers" in found[0].says
    assert [f.kind for f in audit([]).findings] == ["missing"] * 16


def test_markup_in_a_name_is_escaped():
    assert "<script>" not in audit([("<script>", "1", 1)])._repr_html_()


# -- formulas --


def random_formula(rng, depth=0):
    if depth > 3 or rng.random() < 0.3:
        return str(rng.randint(0, 99))
    left, right = random_formula(rng, depth + 1), random_formula(rng, depth + 1)
    return rng.choice([f"({left} {rng.choice('+-*')} {right})", f"-{left}", f"{left}*{right}", f"({left})**2"])


def test_evaluate_is_pythons_arithmetic():
    rng, read = random.Random(0), 0
    for _ in range(2000):
        formula = random_formula(rng)
        exact = eval(formula)
        try:
            assert evaluate(formula) == exact
            read += 1
        except ConfigError:
            assert abs(exact) > 10**9 or len(formula) > 200
    assert read > 1000


@pytest.mark.parametrize(
    ("formula", "value"),
    [("7 // 2", 3), ("8/4", 2), ("2**10", 1024), ("-(3-5)", 2), (" 1+1 ", 2), ("-" * 199 + "1", -1)],
)
def test_evaluate_by_hand(formula, value):
    assert evaluate(formula) == value


@pytest.mark.parametrize(
    "formula",
    [
        "",
        "3*",
        "x",
        "3.5*2",
        "1e3",
        "3 3",
        "(3",
        "()",
        "3,4",
        "f(3)",
        "(3)(4)",
        "[3]",
        "'a'",
        "3<4",
        "3%2",
        "3^2",
        "~3",
        "+3",
        "not 3",
        "lambda: 3",
        "__import__('os').system('true')",
        "9**9**9",
        "2**-1",
        "2**21",
        "10**20",
        "1/0",
        "1//0",
        "7/2",
        "9" * 30,
        "1+" * 150 + "1",
        "(" * 99 + "1" + ")" * 98,
        "3×3",
        "３*3",
        "1\n+1",
        "True",
        None,
        3,
    ],
)
def test_anything_else_is_refused_in_words(formula):
    with pytest.raises(ConfigError):
        evaluate(formula)


@given(st.text(alphabet="0123456789+-*/() ", max_size=40))
def test_evaluate_gives_a_number_or_a_config_error(formula):
    with suppress(ConfigError):
        assert abs(evaluate(formula)) <= 10**18

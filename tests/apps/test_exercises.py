"""The checks of the exercises answer in words."""

import pytest

from labkit.apps.exercises import check


@pytest.mark.parametrize(
    ("answer", "expected", "options", "says"),
    [
        (2.5, 2.5, {}, "Right."),
        (5 / 2 + 1e-12, 2.5, {}, "Right."),
        (2.51, 2.5, {"tolerance": 0.02}, "Right."),
        (2.6, 2.5, {"tolerance": 0.02}, "Not yet: Look at the section"),
        (None, 2.5, {}, "No answer yet"),
        ("2.5", 2.5, {}, "Not yet: the answer is a number, and this is str."),
        (1.6, 2.5, {"mistakes": {1.6: "you multiplied."}}, "Not yet: you multiplied."),
        ("b", "b", {}, "Right."),
        ("a", "b", {"mistakes": {"a": "no."}}, "Not yet: no."),
        (3, lambda a: a == 3 or "three is expected.", {}, "Right."),
        (4, lambda a: a == 3 or "three is expected.", {}, "Not yet: three is expected."),
        (4, lambda a: a == 3, {"hint": "count again."}, "Not yet: count again."),
    ],
)
def test_check(capsys, answer, expected, options, says):
    check(answer, expected, **options)
    assert capsys.readouterr().out.startswith(says)

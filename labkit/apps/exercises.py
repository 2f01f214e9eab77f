"""The checks of the exercises: an answer goes in, a sentence comes out.

Not here: the exercises themselves; they stand in the notebooks, with their solutions.
"""

import math
from collections.abc import Callable, Mapping
from numbers import Real


def check(
    answer,
    expected: object | Callable[[object], bool | str],
    *,
    tolerance: float = 0.0,
    mistakes: Mapping | None = None,
    hint: str = "Look at the section above once more.",
) -> None:
    """Say whether an answer to an exercise is right; for a known mistake, say which. Introduced in lab 03.

    Args:
        answer: the student's answer; None means that there is none yet.
        expected: the right answer, or a function that takes the answer and returns True, or a sentence that
            says what is wrong with it.
        tolerance: how far a number may be off.
        mistakes: wrong answers that are often given: what went wrong.
        hint: what to say to any other wrong answer.

    >>> check(2.5, 2.5)
    Right.
    >>> check(1.6, 2.5, mistakes={1.6: "You multiplied by 1 - p."})
    Not yet: You multiplied by 1 - p.
    >>> check(None, 2.5)
    No answer yet: replace None and run the cell again.
    """
    print(_sentence(answer, expected, tolerance, mistakes or {}, hint))


def _sentence(answer, expected, tolerance, mistakes, hint) -> str:
    if answer is None:
        return "No answer yet: replace None and run the cell again."
    if callable(expected):
        said = expected(answer)
        return "Right." if said is True else f"Not yet: {said or hint}"
    if isinstance(expected, Real) and not isinstance(answer, Real):
        return f"Not yet: the answer is a number, and this is {type(answer).__name__}."
    if _same(answer, expected, tolerance):
        return "Right."
    for wrong, why in mistakes.items():
        if _same(answer, wrong, tolerance):
            return f"Not yet: {why}"
    return f"Not yet: {hint}"


def _same(a, b, tolerance: float) -> bool:
    if isinstance(a, Real) and isinstance(b, Real):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=tolerance)
    return a == b

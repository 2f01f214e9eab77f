"""Arithmetic in a string, worked out without `eval`: whole numbers, the operators of `ALLOWED`, parentheses.

Everything else is refused, and so are numbers too large to mean anything. Pure Python: needs no torch.
"""

import ast
import operator
import re

from labkit.base.errors import ConfigError

LONGEST, LARGEST, LARGEST_POWER = 200, 10**18, 20  # characters, value, exponent
ALLOWED = "whole numbers, + - * / // **, and parentheses, such as (3*3*3+1)*64"
_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv}


def evaluate(formula: str) -> int:
    """Return the value of an arithmetic formula. Introduced in lab 01.

    Args:
        formula: whole numbers, plus, minus, times, both divisions, powers and parentheses, as Python writes
            them; at most 200 characters. A division with one slash must come out even.

    Returns:
        The value, between -10^18 and 10^18.

    Raises:
        ConfigError: anything else in the formula, or a result out of range.

    >>> evaluate("(3*3*3+1)*64")
    1792
    """
    if not isinstance(formula, str):
        raise ConfigError(f"A formula must be a string, got {formula!r}. Allowed: {ALLOWED}.")
    text = formula.strip()
    if len(text) > LONGEST:
        raise ConfigError(f"The formula has {len(text)} characters; at most {LONGEST} are read. Split it up.")
    if strange := re.search(r"[^0-9+\-*/() ]", text):
        raise ConfigError(f"{formula!r} has {strange.group()!r} in it. Allowed: {ALLOWED}.")
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ConfigError(f"{formula!r} is no complete formula. Allowed: {ALLOWED}.") from None
    return _value(tree.body, formula)


def _value(node: ast.AST, formula: str) -> int:
    """Return the value of one node of the parsed formula."""
    match node:
        case ast.Constant(value=int() as value):
            return _in_range(value, formula)
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, formula)
        case ast.BinOp():
            left, right = _value(node.left, formula), _value(node.right, formula)
            return _in_range(_apply(node.op, left, right, formula), formula)
    raise ConfigError(f"{formula!r} is no arithmetic. Allowed: {ALLOWED}.")


def _apply(op: ast.operator, left: int, right: int, formula: str) -> int:
    """Return `left op right` in whole numbers."""
    if isinstance(op, (ast.Div, ast.FloorDiv)) and right == 0:
        raise ConfigError(f"{formula!r} divides by zero.")
    if isinstance(op, ast.Div):
        if left % right:
            raise ConfigError(f"{formula!r}: {left} / {right} does not come out even. Use // to round down.")
        return left // right
    if isinstance(op, ast.Pow):
        if not 0 <= right <= LARGEST_POWER:
            raise ConfigError(f"{formula!r}: an exponent must be 0 to {LARGEST_POWER}, got {right}.")
        return left**right
    if type(op) not in _OPERATORS:
        raise ConfigError(f"{formula!r} uses an operator that is not allowed. Allowed: {ALLOWED}.")
    return _OPERATORS[type(op)](left, right)


def _in_range(value: int, formula: str) -> int:
    if abs(value) > LARGEST:
        raise ConfigError(f"{formula!r} gives a number of more than 18 digits. Check the formula.")
    return value

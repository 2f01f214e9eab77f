"""Checks of arguments that several packages share. Not here: the errors themselves (errors.py)."""

from numbers import Integral, Real

from labkit.base.errors import ConfigError


def whole(name: str, value, least: int, most: int | None = None) -> int:
    """Return a whole number as `int`; raise `ConfigError` for anything else, or for one out of its range."""
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or value < least or (most is not None and int(value) > most):
        upper = "" if most is None else f" and at most {most:,}"
        raise ConfigError(f"{name} must be a whole number of at least {least}{upper}, got {value!r}.")
    return int(value)


def number(name: str, value) -> int | float:
    """Return a number as Python's own; raise `ConfigError` for text and anything else that is none."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ConfigError(f"{name} must be a number, got {value!r}.")
    return int(value) if isinstance(value, Integral) else float(value)

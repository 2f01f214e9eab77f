"""Checks of arguments that several packages share. Not here: the errors themselves (errors.py)."""

from numbers import Integral

from labkit.base.errors import ConfigError


def whole(name: str, value, least: int) -> int:
    """Return a whole number as `int`; raise `ConfigError` for anything else, or for one below `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ConfigError(f"{name} must be a whole number of at least {least}, got {value!r}.")
    return int(value)

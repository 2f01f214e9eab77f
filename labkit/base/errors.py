"""The errors that labkit raises on purpose: each says what was wrong, what was expected and what to do next.

The command line prints their text without a traceback. Not for programming mistakes: those keep Python's own.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class LabkitError(Exception):
    """Something that the reader can mend; the message says how."""


class ConfigError(LabkitError, ValueError):
    """A name, a size or a setting that cannot work (also a `ValueError`)."""


class DataError(LabkitError):
    """Image files that are missing, damaged or not what they should be."""


class TrainingError(LabkitError):
    """A training that cannot go on; what was finished before it is kept."""


class DivergedError(TrainingError):
    """A training whose loss or weights are no longer finite: it would end alike however often it is run."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C, or a notebook's stop button, told in one sentence: a notebook shows it without the way that led there."""

    def __init__(self):
        super().__init__("Stopped. What was finished is kept; the same call goes on from there.")

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@contextmanager
def stoppable() -> Iterator[None]:
    """Say in one sentence, within a `with` block or a function, that somebody stopped what can be gone on with."""
    try:
        yield
    except BaseException as error:
        reason: BaseException | None = error
        while reason and not isinstance(reason, KeyboardInterrupt):  # a library may have made its own error of it
            reason = reason.__cause__ or reason.__context__
        if reason is None:
            raise
        raise Stopped from None


def unknown(what: str, name: object, known) -> ConfigError:
    """Make the error for a name that does not exist, with the nearest one that does.

    >>> str(unknown("budget", "ful", ["full", "quick"]))
    "There is no budget 'ful'. Did you mean 'full'? Known: full, quick."
    """
    from difflib import get_close_matches

    known = sorted(map(str, known))
    near = get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ConfigError(f"There is no {what} {name!r}.{hint} Known: {', '.join(known)}.")

"""`python -m labkit` and `labkit`: the way into the command line.

`book`, `test`, `lowest`, `mutants` and `notebooks` work on a bare Python, before anything is installed: they make the
environment.
"""

import sys

from labkit.base.errors import LabkitError

INTERRUPTED = 130  # the exit code that shells use for Ctrl-C


def main(args: list[str] | None = None) -> int:
    """Run a command and return its exit code; errors that labkit raises are told in one sentence."""
    args = sys.argv[1:] if args is None else args
    show = "--traceback" in args
    args = [a for a in args if a != "--traceback"]
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")  # a name outside of a console's letters costs a letter, not the line
    try:
        if args and args[0] in ("book", "test", "lowest", "mutants", "notebooks", "clean"):
            from labkit.apps import workspace

            return workspace.run(args)
        from labkit.apps.cli import commands

        return commands(args, standalone_mode=False) or 0
    except LabkitError as error:
        if show:
            raise
        print(f"labkit: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _stopped()
    except Exception as error:
        return _usage(error)


def _stopped() -> int:
    print("labkit: stopped. What was finished is kept; the same command goes on from there.", file=sys.stderr)
    return INTERRUPTED


def _usage(error: Exception) -> int:
    """Print a click error (an unknown option, a missing argument) in its own words; raise anything else."""
    try:
        from click.exceptions import Abort, ClickException
    except ImportError:
        raise error from None
    if isinstance(error, Abort):  # click's word for Ctrl-C
        return _stopped()
    if not isinstance(error, ClickException):
        raise error
    error.show()
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())

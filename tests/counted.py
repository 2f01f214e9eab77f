"""Counts, while the tests run, what the book's page on its tests says: processes killed, inputs that were refused."""

import json
import os
import platform
import signal
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import pytest

COUNTED: Counter = Counter()
ENDING = {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)}
PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "optuna", "timm", "pytest", "hypothesis", "mutmut")


def begin() -> None:
    """Count from now on each signal that ends a process, and each `pytest.raises`."""
    for name in ("kill", "killpg"):
        if real := getattr(os, name, None):
            setattr(os, name, _counting_kills(real))
    pytest.raises = _counting_refusals(pytest.raises)


def _counting_kills(real):
    def kill(who, number):
        real(who, number)
        COUNTED["kills"] += number in ENDING

    return kill


def _counting_refusals(real):
    def raises(*arguments, **settings):
        COUNTED["refusals"] += 1
        return real(*arguments, **settings)

    return raises


def write(path: Path, stats: dict, seconds: float) -> None:
    """Write down how the run of all tests went."""
    outcomes = {name: len(stats.get(name, ())) for name in ("passed", "failed", "error", "skipped", "xfailed")}
    kinds = Counter(_kind(report.nodeid) for report in stats.get("passed", ()))
    content = {
        "outcomes": outcomes,
        "kinds": dict(sorted(kinds.items())),
        "skipped": sorted({_reason(report) for report in stats.get("skipped", ())}),
        "counted": dict(COUNTED),
        "minutes": round(seconds / 60, 1),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "processor": f"{platform.system()}, {os.cpu_count()} cores",
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _kind(nodeid: str) -> str:
    """Say what a test is, by where it stands."""
    if nodeid.startswith("notebooks/"):
        return "cells of notebooks"
    if nodeid.startswith("labkit/"):
        return "examples in docstrings"
    return "browser and book" if nodeid.startswith("tests/book/") else "library and command line"


def _reason(report) -> str:
    """Say why a test was left out, without the folder of the machine that left it out."""
    said = str(report.longrepr[2]).removeprefix("Skipped: ")
    return said.replace(f"{Path.cwd()}{os.sep}", "")

"""What the texts `sentences.txt` are run with: names of the library, and `said`, which prints an error's sentence.

A text is a doctest: each call with what it answers, so that a reader sees all sentences of a package side by side, and
a test notices when one of them, or the number in it, is not what it was.
"""

import doctest
import importlib
import pkgutil
from pathlib import Path

import torch
from torch import nn

import labkit
from labkit.base.errors import LabkitError
from tests.counted import COUNTED
from tests.making import Brightness, make_run, make_set


def said(call, *arguments, **named):
    COUNTED["refusals"] += 1
    try:
        call(*arguments, **named)
    except LabkitError as error:
        print(error)
    else:
        print("no error")


def listed(found: dict) -> None:
    for key in sorted(found):
        print(f"{key:,}: {found[key]}")


def names() -> dict:
    """Return the public names of the packages whose sentences are kept, by their own names."""
    known = {}
    for package in ("arithmetic", "records", "training"):
        folder = importlib.import_module(f"labkit.{package}")
        for module in pkgutil.iter_modules(folder.__path__):
            found = vars(importlib.import_module(f"labkit.{package}.{module.name}"))
            known |= {name: value for name, value in found.items() if not name.startswith("_")}
    made = {"make_run": make_run, "make_set": make_set, "Brightness": Brightness, "nn": nn, "torch": torch}
    return known | made | {"labkit": labkit, "said": said, "listed": listed}


def differences(text: Path) -> str:
    """Return what the examples of a text give in place of what it says; nothing where all agree."""
    test = doctest.DocTestParser().get_doctest(text.read_text("utf-8"), names(), text.name, str(text), 0)
    assert len(test.examples) > 20
    shown: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF).run(test, out=shown.append)
    return "".join(shown)

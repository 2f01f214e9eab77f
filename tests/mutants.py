"""For `make mutants` alone: the tests of a mutant are found in a moment, and the quickest run first.

mutmut names each test that touches a function, hundreds of them, in no order. Looking them up one by one takes longer
than running them, and most mutants are noticed by one of the quick tests of their own package.
Not here: which tests (pyproject.toml).
"""

import doctest
import gc
import itertools
import json
import os
import re
from pathlib import Path

LONG = 0.4  # seconds from which on a test is left out where there are others; pyproject.toml leaves out more
OTHERS = 3.0  # seconds that tests of other packages may take in all
FEW = 30  # named tests that are looked up in less time than all are listed
STATS = Path("mutmut-stats.json")
MUTANT = re.compile(r"__mutmut_\d+$")
FILES = re.compile(r"[^:]+")

_from_module = doctest.DocTestFinder._from_module


def _not_of_a_mutant(finder, module, found) -> bool:
    """Leave out the docstrings that each mutant has from its function: their examples call the function itself."""
    return not MUTANT.search(getattr(found, "__name__", "")) and _from_module(finder, module, found)


doctest.DocTestFinder._from_module = _not_of_a_mutant


def pytest_configure(config):
    """List whole files in place of their tests one by one, and remember which were named."""
    named = [argument for argument in config.args if "::" in argument]
    gc.freeze()  # what stood before: pytest collects garbage twice a run, half a second each among torch's objects
    config.named = set(named)
    if len(named) > FEW:
        config.args = list(dict.fromkeys(FILES.match(name)[0] for name in named))


def pytest_collection_modifyitems(config, items):
    """Keep those that were named, those of the mutant's own package first, the quickest of them first; no long ones."""
    if config.named:
        items[:] = [item for item in items if item.nodeid in config.named]
    if config.named and STATS.is_file():
        seconds = json.loads(STATS.read_text())["duration_by_test"]
        package = os.environ.get("MUTANT_UNDER_TEST", "").split(".")[1:2]  # of labkit.records.claims.x_verdict
        own = f"tests/{package[0]}/" if package else "tests/"
        items.sort(key=lambda item: (not item.nodeid.startswith(own), seconds.get(item.nodeid, 0.0)))
        items[:] = [item for item in items if seconds.get(item.nodeid, 0.0) < LONG] or items
        spent = itertools.accumulate(
            0.0 if item.nodeid.startswith(own) else seconds.get(item.nodeid, 0.0) for item in items
        )
        items[:] = [item for item, so_far in zip(items, spent, strict=True) if so_far < OTHERS]

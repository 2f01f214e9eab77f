"""Every number in the prose of a notebook is printed by a cell, reported by a source, or listed with its check."""

import json
import math
import re
import tomllib

import pytest
import scipy.stats

import labkit
from tests.reading import ROOT, cells, source

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
NOT_PROSE = (  # code, where links lead, tags, headings, the numbers of labs, of lists and of years
    *(r"(?s)```.*?```", r"`[^`]*`", r"\]\([^)]*\)", r"<[^>]*>", r"(?m)^#+ .*$"),
    *(
        r"\b[Ll]abs? [\d, and]+",
        r"(?m)^\d+\. ",
        r"(?<![.\d])(19|20)\d\d\b",
        r"[^\W\d][\w-]*\d\S*|\d+[^\W\d]\w*|\d+×\d+",
    ),
)
LISTED = tomllib.loads((ROOT / "tests/book/prose.toml").read_text())
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def numbers(text):
    return {found.replace(",", "").rstrip(".") for found in NUMBER.findall(text)}


def prose(path):
    text = "\n\n".join(source(cell) for cell in cells(path, "markdown"))
    for pattern in NOT_PROSE:
        text = re.sub(pattern, " ", text)
    return text


def held(path):
    """Return the numbers that the notebook's code holds or prints, or that a source reports."""
    shown = [source(cell) for cell in cells(path, "code")]
    for cell in cells(path, "code"):
        for output in cell["outputs"]:
            kinds = {kind: value for kind, value in output.get("data", {}).items() if kind != "image/png"}
            shown.append("".join(output.get("text", "")) + json.dumps(kinds))
    code = re.findall(r"```.*?```|`[^`]*`", "\n".join(source(cell) for cell in cells(path, "markdown")), flags=re.S)
    return numbers("\n".join([*shown, *code, (ROOT / "data/reported.toml").read_text()]))


@each
def test_no_number_of_the_prose_stands_without_its_origin(path):
    known = held(path) | numbers(" ".join(LISTED.get(path.stem, {})))
    loose = {one for one in numbers(prose(path)) - known if "." in one or int(one) > 12}
    assert not loose, f"{path.stem}: print them in a cell, or list them in tests/book/prose.toml: {sorted(loose)}"


@each
def test_the_listed_numbers_are_those_of_their_checks(path):
    lab = labkit.lab(path.stem)
    names = {"labkit": labkit, "math": math, "scipy": scipy, "lab": lab, "runs": lab.recorded() if lab.arms else []}
    for number, check in LISTED.get(path.stem, {}).items():
        assert number.replace(",", "") in numbers(prose(path)) - held(path), f"{number} need not be listed"
        if isinstance(check, str):
            digits = len(number.partition(".")[2])
            assert f"{eval(check, names):,.{digits}f}" == number, check
        else:
            assert check.keys() == {"given"}

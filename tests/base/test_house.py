"""The order of the packages, the reading order, what a package keeps to itself, and the public names."""

import ast
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import labkit
from tests.reading import ROOT

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.glob("labkit/**/*.py"))
}
NOT_READ = ("labkit", "labkit.__main__")  # the way in, which knows all that follow
API = Path(__file__).with_name("public_api.txt")


def check_imports(root: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    env = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("base/checks.py", "from labkit.plots import base", "Each package imports only from those below it BROKEN"),
        ("records/ledger.py", "import torch", "Arithmetic and records need no torch BROKEN"),
    ],
)
def test_a_wrong_import_breaks_the_order_of_the_packages(tmp_path, file, line, broken):
    shutil.copytree(ROOT / "labkit", tmp_path / "labkit", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    done = check_imports(tmp_path)
    assert (done.returncode, "2 kept, 0 broken" in done.stdout) == (0, True), done.stdout + done.stderr
    with open(tmp_path / "labkit" / file, "a") as module:
        module.write(f"\n{line}\n")
    done = check_imports(tmp_path)
    assert done.returncode == 1
    assert broken in done.stdout


def reading_order() -> list[str]:
    """Return the modules that the package's docstring lists, in its order."""
    order, block = [], labkit.__doc__.split("\n\n")[2]
    for package, names in re.findall(r"^(\w+): (.+)$", block.replace(",\n   ", ","), flags=re.M):
        order += [f"labkit.{package}", *(f"labkit.{package}.{name}" for name in re.findall(r"\w+", names))]
    return order


def imports(name: str) -> set[tuple[str, str]]:
    """Return what a module takes from labkit, wherever in its text: pairs of a module and a name in it."""
    taken = set()
    tree = ast.parse(FILES[name].read_text("utf-8"))
    tree.body = [node for node in tree.body if ast.unparse(node).split(":")[0] != "if TYPE_CHECKING"]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            taken |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                taken.add((inner, "") if inner in FILES else (node.module, alias.name))
    return {(module, item) for module, item in taken if module.startswith("labkit.")}


def test_the_reading_order_names_every_module_and_none_imports_a_later_one():
    order = reading_order()
    assert sorted(order) == sorted(set(FILES) - set(NOT_READ))
    later = {
        (name, module)
        for name in order
        for module, _ in imports(name)
        if FILES[name].name != "__init__.py"
        and order.index(module) >= order.index(name)  # a package gathers its modules
    }
    assert not later


def test_no_name_with_an_underscore_leaves_its_package():
    for name in FILES:
        for module, item in imports(name):
            if name.split(".")[1:2] != module.split(".")[1:2]:
                assert not re.search(r"(^|\.)_(?!_)", f"{module}.{item}"), f"{name} imports {module}.{item}"


def signature(thing) -> str:
    """Return how a public thing is called; a class with its public methods."""
    if inspect.isclass(thing):
        methods = [name for name, value in vars(thing).items() if not name.startswith("_") and callable(value)]
        return f"{called(thing)} {' '.join(methods)}".rstrip()
    return called(thing) if callable(thing) else f" {type(thing).__name__}"


def called(thing) -> str:
    try:
        given = inspect.signature(thing)
    except ValueError:  # some classes of torch have none
        return "(...)"
    kinds = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return f"({', '.join(kinds.get(one.kind, '') + name for name, one in given.parameters.items())})"


def public_names() -> list[str]:
    """Return a line for each name that notebooks may use: of the package, of its modules, of the figures."""
    names = [f"labkit.{name}{signature(getattr(labkit, name))}" for name in labkit.__all__]
    for short in [*sorted(labkit._MODULES), "plots"]:
        module = getattr(labkit, short)
        for name, value in vars(module).items():
            ours = getattr(value, "__module__", "").startswith(module.__name__) and callable(value)
            if ours and not name.startswith("_"):
                names.append(f"labkit.{short}.{name}{signature(value)}")
    return sorted(names)


def test_the_public_names_are_those_of_the_list(tmp_path):
    """A change of the list is a change that a notebook outside of this project may notice: it belongs in the CHANGELOG."""
    now = tmp_path / API.name
    now.write_text("\n".join(public_names()) + "\n", encoding="utf-8")
    listed, there = (set(path.read_text("utf-8").splitlines()) for path in (API, now))
    assert not (listed ^ there), (
        f"no longer there: {listed - there}; new: {there - listed}. If it is meant, copy {now}."
    )


def test_every_package_says_what_it_is_and_what_to_read_first():
    for package in labkit._PACKAGES:
        text = importlib.import_module(f"labkit.{package}").__doc__
        assert "Not here: " in text, package
        assert re.search(r"[Rr]ead (the file|\w+\.py)", text), package


def arrows() -> list[str]:
    """Return the picture's arrows, from a package to one that imports it, where no longer way says the same."""
    order = [name.removeprefix("labkit.") for name in reading_order() if name.count(".") == 1]
    known = {package: set() for package in order}  # whom it imports
    for name in set(FILES) - set(NOT_READ):
        for module, _ in imports(name):
            known[name.split(".")[1]].add(module.split(".")[1])
    above = {}  # all that a package stands on
    for package in order:
        above[package] = set().union(*(above.get(other, set()) | {other} for other in known[package] - {package}))
    return [
        f"  {other} --> {package}"
        for package in order
        for other in order
        if other in known[package] - {package}
        and not any(other in above[third] for third in known[package] - {package, other})
    ]


def test_the_picture_of_the_architecture_is_that_of_the_imports():
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    drawn = re.search(r"```mermaid\nflowchart LR\n(.*?)\n```", text, flags=re.S)[1].split("\n")
    assert drawn == arrows(), "\n".join(arrows())


def test_the_architecture_names_files_that_exist():
    for path in re.findall(
        r"`((?:labkit|tests|data|notebooks)/[\w./-]+)`", (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    ):
        assert (ROOT / path).exists(), path


def test_pages_lie_in_files_of_their_own():
    """No HTML, CSS or JavaScript in a string of Python: an editor knows a template, and a reader finds it."""
    for name, path in FILES.items():
        tree = ast.parse(path.read_text("utf-8"))
        docs = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in set(ast.walk(tree)) - docs:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.search(r"<(div|table|td|style|script|img|p)\b|function ?\(|\{ *margin:", node.value), name

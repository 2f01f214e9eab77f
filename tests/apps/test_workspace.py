"""What the two commands do around the book's build: stale records, links, problems, versions."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from labkit.apps import workspace
from labkit.base.errors import LabkitError
from tests.reading import ROOT


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project in a folder of its own."""
    for folder in ("labkit", "data/results", "_build/.jupyter_cache"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "labkit" / "a.py").write_text("x = 1")
    (tmp_path / "requirements.txt").write_text("a==1")
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(workspace, "project_root", lambda: tmp_path)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache/results/lab/quick").mkdir(parents=True)
    return tmp_path


def test_changed_code_or_budget_throws_stored_runs_away(project, monkeypatch):
    workspace.drop_stale()
    cache, quick = project / "_build/.jupyter_cache", project / "cache/results/lab/quick"
    assert not cache.exists()
    assert not quick.exists()
    for change in (
        lambda: None,
        lambda: (project / "labkit/a.py").write_text("x = 2"),
        lambda: monkeypatch.setenv("LABKIT_BUDGET", "full"),
    ):
        cache.mkdir(exist_ok=True)
        quick.mkdir(parents=True, exist_ok=True)
        before = (project / "_build/made-with").read_text()
        change()
        workspace.drop_stale()
        assert cache.exists() == quick.exists() == (before == (project / "_build/made-with").read_text())
    assert not cache.exists()


def test_wrong_python_is_refused(project, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    with pytest.raises(LabkitError, match=r"This is Python 3.14; .* need 3.11 to 3.13"):
        workspace.environment()
    assert not (project / ".venv").exists()


def test_failed_install_is_said_and_tried_again(project, monkeypatch):
    calls = []

    class Failed:
        returncode = 1

    monkeypatch.setattr(workspace.subprocess, "run", lambda command, **_: calls.append(command) or Failed)
    for _ in range(2):
        with pytest.raises(LabkitError, match="venv failed"):
            workspace.environment()
    assert len(calls) == 2


def test_broken_links_are_found(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.html").write_text(
        '<a href="sub/b.html#here">1</a><a href="sub/b.html#gone">2</a><a href="none.html">3</a>'
        '<img src="pic.png"><a href="https://x.org/y">4</a><a href="#top">5</a><img src="data:image/png;base64,xx">'
    )
    (tmp_path / "sub/b.html").write_text('<h1 id="here">b</h1><a href="../a.html">back</a>')
    assert workspace.broken_links(tmp_path) == [
        "a.html links to sub/b.html#gone, whose anchor does not exist",
        "a.html links to none.html, which does not exist",
        "a.html links to pic.png, which does not exist",
    ]


def test_problems_name_the_notebook_the_cell_and_the_traceback(tmp_path):
    report = tmp_path / "_build/html/reports/notebooks/09-x.err.log"
    report.parent.mkdir(parents=True)
    report.write_text("Traceback\n1/0\nZeroDivisionError")
    found = "\n".join(
        workspace.build_problems(
            ["fine\n", "\x1b[91mbook/a.md:3: WARNING: bad link\x1b[0m\n", "a WARNING | of a kernel\n"], tmp_path
        )
    )
    assert "book/a.md:3: WARNING: bad link" in found
    assert "kernel" not in found
    assert "\x1b" not in found
    for part in ("Notebook 09-x failed in this cell", "1/0", "ZeroDivisionError"):
        assert part in found


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("/x/notebooks/03-dropout.ipynb: Executed notebook in 12.34 seconds [mystnb]", "03-dropout"),
        ("notebooks/14-a_b.ipynb: Executed notebook in 2.5 seconds", "14-a_b"),
        ("reading sources... [ 50%] notebooks/03-dropout", None),
    ],
)
def test_progress_lines_are_read(line, name):
    match = workspace.NOTEBOOK.search(line)
    assert (match and match["name"]) == name


def test_the_hosted_ci_only_calls_the_makefile():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert commands == ["make ${{ matrix.target }}"]
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.M)
    assert set(jobs["make"]["strategy"]["matrix"]["target"]) <= set(targets)


def test_the_test_command_stops_at_the_first_check_that_fails(project, monkeypatch):
    started = []

    def run(command, **_):
        started.append(Path(command[0]).stem)
        return SimpleNamespace(returncode=3 if started[-1] == "lint-imports" else 0)

    monkeypatch.setattr(workspace.subprocess, "run", run)
    assert workspace.test(project / "python", []) == 3
    assert started == ["ruff", "ruff", "lint-imports"]


def test_coverage_has_its_floor_only_where_all_tests_run(project, monkeypatch):
    commands = []
    monkeypatch.setattr(
        workspace.subprocess, "run", lambda command, **_: commands.append(command) or SimpleNamespace(returncode=0)
    )
    assert workspace.test(project / "python", []) == workspace.test(project / "python", ["tests/base"]) == 0
    steps = [[Path(command[0]).stem, *command[1:]] for command in commands]
    assert [step[:2] for step in steps[4:8]] == [["coverage", does] for does in ("erase", "run", "combine", "report")]
    assert [step[-1] for step in steps if step[0] == "pytest"] == ["tests/base"]

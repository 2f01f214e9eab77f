"""The commands that need nothing installed: make the environment, build the book, run the tests, also on old packages.

Only the standard library here: this runs on a bare Python in a fresh clone, and sets up what all else needs.
Everything is left in `.venv`, `_build` and `data/cache`, which git ignores; tracked files stay as they are
(only `notebooks`, for authors, stores new outputs).
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from labkit.base.errors import LabkitError
from labkit.base.files import cache_dir, project_root

PYTHONS = ((3, 11), (3, 13))  # the oldest and the newest Python that the pinned tools support
TEST_TOOL = re.compile(r"(pytest|pytest-xdist|hypothesis|nbval|torchsummary)==")
LIBRARY = ["labkit", "--ignore=labkit/apps/authoring.py"]  # but for what only authors of this book need
LIBRARY += [f"tests/{name}" for name in "arithmetic data records models training analysis search".split()]
COPIED = ("labkit/", "tests/", "data/", "conftest.py", "pyproject.toml")  # all that the tests of mutants need
WATCHED = ("py", "jinja", "js", "css")  # files of the library that pages are made with
NOTEBOOK = re.compile(r"(\S*notebooks/)?(?P<name>[\w-]+)\.(ipynb|md): Executed notebook in (?P<seconds>[\d.]+) seconds")


def run(args: list[str]) -> int:
    """Run `book`, `test`, `lowest`, `mutants`, `notebooks` or `clean` and return its exit code."""
    command, rest = args[0], args[1:]
    if command == "clean":
        return clean()
    if command == "book" and rest:
        raise LabkitError("`book` takes no arguments. For the full budget set LABKIT_BUDGET=full.")
    python = environment()
    if command == "book":
        return book(python)
    return {"test": test, "lowest": lowest, "mutants": mutants, "notebooks": notebooks}[command](python, rest)


def environment() -> Path:
    """Make `.venv` with the pinned packages, unless it is there already; return its Python."""
    root = project_root()
    folder = root / ".venv"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp, wanted = folder / "labkit-installed", _digest([root / "requirements.txt", root / "pyproject.toml"])
    if python.exists() and stamp.is_file() and stamp.read_text() == wanted:
        return python
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        raise LabkitError(
            f"This is Python {sys.version_info[0]}.{sys.version_info[1]}; the pinned packages need 3.11 to 3.13. "
            "Run the same command with one of those, such as python3.12 -m labkit book."
        )
    _say("Making .venv and installing the pinned packages (several minutes the first time)")
    began = time.monotonic()
    if not python.exists():
        _call(
            [sys.executable, "-m", "venv", str(folder)], "python3 -m venv failed; on Debian: apt install python3-venv"
        )
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _call([*pip, "-r", str(root / "requirements.txt")], "pip could not install requirements.txt, see above")
    _call([*pip, "--no-deps", "--editable", str(root)], "pip could not install labkit itself, see above")
    stamp.write_text(wanted)
    _say(f"Environment ready ({time.monotonic() - began:.0f} s)")
    return python


def book(python: Path) -> int:
    """Build the book; print a line for each notebook that ran, then the path of the front page."""
    root = project_root()
    drop_stale()
    log = root / "_build" / "book.log"
    log.parent.mkdir(exist_ok=True)
    command = [_tool(python, "jupyter-book"), "build", str(root), "-W", "-n", "--keep-going"]
    lines = []
    with subprocess.Popen(
        command,
        cwd=root,
        env=_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if match := NOTEBOOK.search(line):
                _say(f"{match['name']:28} {float(match['seconds']):6.1f} s")
    log.write_text("".join(lines), encoding="utf-8")
    problems = build_problems(lines, root) if process.returncode else []
    problems += broken_links(root / "_build" / "html") if not process.returncode else []
    if process.returncode or problems:
        shutil.rmtree(root / "_build" / ".doctrees", ignore_errors=True)  # or the next build would skip the fault
        _say("\n".join(["The book was not built:", *(problems or lines[-20:]), f"The whole log: {log}"]))
        return 1
    # plotly's script beside the pages, so that their points answer without a network
    copy = (
        "import pathlib, sys; from labkit.plots import interactive; interactive.copy_script(pathlib.Path(sys.argv[1]))"
    )
    static = root / "_build" / "html" / "_static"
    _call([str(python), "-c", copy, str(static)], "plotly's script could not be copied into the book, see above")
    _say(f"The book: {root / '_build' / 'html' / 'index.html'}")
    return 0


def build_problems(lines: list[str], root: Path) -> list[str]:
    """Pick the warnings and errors out of a build's output, and add the traceback of each failed notebook."""
    problems = [line.strip() for line in lines if re.search(r"(WARNING|ERROR|CRITICAL): ", line)]
    for report in sorted((root / "_build" / "html" / "reports").rglob("*.err.log")):
        problems.append(f"\nNotebook {report.name.removesuffix('.err.log')} failed in this cell:\n{report.read_text()}")
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in dict.fromkeys(problems)]


class _Page(HTMLParser):
    """The link targets and the anchors of one page."""

    def __init__(self, text: str):
        super().__init__()
        self.links, self.anchors = [], {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors.update(value for key, value in attrs if key in ("id", "name") and value)
        link = given.get("href") or given.get("src")
        if link:
            self.links.append(link)


def broken_links(html: Path) -> list[str]:
    """Return one sentence for each link of the built pages that leads to a file or an anchor that is not there."""
    pages = {
        path: _Page(path.read_text(encoding="utf-8")) for path in html.rglob("*.html") if "_static" not in path.parts
    }
    broken = []
    for path, page in pages.items():
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                broken.append(f"{path.relative_to(html)} links to {link}, which does not exist")
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                broken.append(f"{path.relative_to(html)} links to {link}, whose anchor does not exist")
    return broken


def test(python: Path, extra: list[str]) -> int:
    """Run all that CI runs: linters, formatter, types, the order of the packages, every test; stop at what fails.

    Two processes share the tests, with one thread each: more threads than cores would wait for each other. One that
    crashes ends them, since pytest would wait for ever for what it had to do. Coverage is measured where all tests run.
    """
    root = project_root()
    drop_stale()
    checks = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["lint-imports", "--no-cache"], ["pyright"])
    tests = ["pytest", "--numprocesses", "2", "--max-worker-restart", "0", *extra]
    (root / "_build").mkdir(exist_ok=True)
    left = {} if extra else {"LABKIT_TESTED": str(root / "_build" / "tests.json")}  # for the page on the tests
    covered = (["coverage", "erase"], ["coverage", "run", "-m", *tests], ["coverage", "combine", "--quiet"])
    for step in (*checks, *((tests,) if extra else (*covered, ["coverage", "report"]))):
        _say(f"$ {' '.join(step)}")
        command = [_tool(python, step[0]), *step[1:]]
        code = subprocess.run(command, cwd=root, env=_env() | {"OMP_NUM_THREADS": "1"} | left).returncode
        if code:
            return code
    return 0


def mutants(python: Path, names: list[str]) -> int:
    """Put small faults into the library, one by one, and say which of them no test notices; hours on two cores.

    It works in a copy, which it keeps: what was changed since is tried again, what was stopped goes on.

    Args:
        names: patterns of mutants, such as "labkit.records.*"; default: all.
    """
    root, copy = project_root(), project_root() / "_build" / "mutants"
    for name in ("labkit", "tests", "data/results"):
        shutil.rmtree(copy / name, ignore_errors=True)
    (copy / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)  # a changed test may reach other functions
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
    for name in listed.split("\0"):
        if (root / name).is_file() and name.startswith(COPIED):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, copy / name)
    one = {"OMP_NUM_THREADS": "1"}
    command = [str(python), "-m", "mutmut", "run", "--max-children", "2", *names]
    if code := subprocess.run(command, cwd=copy, env=_env() | one).returncode:
        return code
    return subprocess.run([str(python), "-m", "labkit.apps.tested"], cwd=root, env=_env()).returncode


def lowest(python: Path, extra: list[str]) -> int:
    """Run the library's tests with the lowest versions that pyproject.toml allows, in an environment of their own."""
    root = project_root()
    folder = root / "_build" / "lowest"
    there = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    tools = [line for line in (root / "requirements.txt").read_text().splitlines() if TEST_TOOL.match(line)]
    optional = [word for extra in ("photos", "postgresql", "search", "track") for word in ("--extra", extra)]
    uv, floors = [str(python), "-m", "uv"], str(folder / "floors.txt")
    how = ["--resolution", "lowest-direct", "--python", str(python), "--output-file", floors]
    for step in (
        ["venv", "--clear", "--python", str(python), str(folder)],
        ["pip", "compile", "--quiet", "pyproject.toml", *optional, *how],
        ["pip", "install", "--python", str(there), "--requirement", floors, *tools],
    ):
        _call([*uv, *step], f"uv {step[0]} failed, see above", root)
    tests = [str(there), "-m", "pytest", "--numprocesses", "2", *(extra or LIBRARY)]
    return subprocess.run(tests, cwd=root, env=_env() | {"OMP_NUM_THREADS": "1"}).returncode


def notebooks(python: Path, names: list[str]) -> int:
    """For authors: run notebooks from a clean kernel, store their outputs and their cost, renew the README's table."""
    drop_stale()
    return subprocess.run(
        [str(python), "-m", "labkit.apps.authoring", *names], cwd=project_root(), env=_env()
    ).returncode


def clean() -> int:
    """Remove what `book` and `test` made, but neither the environment nor fetched data."""
    for path in (project_root() / "_build", *_quick()):
        shutil.rmtree(path, ignore_errors=True)
    return 0


def drop_stale() -> None:
    """Throw away stored notebook runs and quick records that were made with other code, data or settings."""
    root = project_root()
    sources = [
        *(path for end in WATCHED for path in root.glob(f"labkit/**/*.{end}")),
        *root.glob("data/results/**/*.json"),
        *root.glob("data/*.*"),
    ]
    now = _digest([*sources, root / "requirements.txt"]) + os.environ.get("LABKIT_BUDGET", "quick")
    mark = root / "_build" / "made-with"
    if mark.is_file() and mark.read_text() == now:
        return
    for path in (
        root / "_build" / ".jupyter_cache",
        root / "_build" / ".doctrees",
        root / "_build" / "html",
        *_quick(),
    ):
        shutil.rmtree(path, ignore_errors=True)
    mark.parent.mkdir(exist_ok=True)
    mark.write_text(now)


def _quick() -> list[Path]:
    """Return the folders of quick records and of their checkpoints."""
    return [*cache_dir().glob("results/*/quick"), *cache_dir().glob("checkpoints/*/quick")]


def _digest(paths) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(str(path.name).encode() + path.read_bytes())
    return digest.hexdigest()


def _tool(python: Path, name: str) -> str:
    """Return the path of a command of the environment."""
    return str(python.with_name(f"{name}.exe" if os.name == "nt" else name))


def _env() -> dict:
    """Return the environment of every step: no progress bars, no debugger warnings, one kind of hashing."""
    quiet = {"LABKIT_PROGRESS": "0", "PYDEVD_DISABLE_FILE_VALIDATION": "1", "PYTHONUTF8": "1", "MPLBACKEND": "agg"}
    return os.environ | quiet


def _call(command: list[str], problem: str, folder: Path | None = None) -> None:
    if subprocess.run(command, cwd=folder).returncode:
        raise LabkitError(f"{problem}.")


def _say(text: str) -> None:
    print(text, flush=True)

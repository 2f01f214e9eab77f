"""What several test files need: the built book, served from this machine, and a real browser."""

import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from labkit.apps import workspace
from tests import counted
from tests.reading import ROOT, serving

NO_BROWSER = "No Chromium found; install it to run the browser tests (Debian: apt-get install chromium)."
NEED_THE_BOOK = ("tests/book/test_book.py", "tests/book/test_calculator.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Share the tests between two processes: a file stays in one, and so do those that need the book, built once.

    (Groups by mark, `--dist loadgroup`, need an older pytest.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::")[0]
            return "book" if file in NEED_THE_BOOK else file

    return ByFile(config, log)


def pytest_configure(config):
    counted.begin()
    config.began = time.monotonic()


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):  # one of several processes: it hands on what it counted
        session.config.workeroutput["counted"] = dict(counted.COUNTED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    counted.COUNTED.update(getattr(node, "workeroutput", {}).get("counted", {}))


def pytest_terminal_summary(terminalreporter, config):
    if path := os.environ.get("LABKIT_TESTED"):
        counted.write(Path(path), terminalreporter.stats, time.monotonic() - config.began)


@pytest.fixture(scope="session")
def html():
    """Build the book as `make book` does, and return the folder of its pages."""
    before = tracked()
    assert workspace.book(workspace.environment()) == 0, (ROOT / "_build/book.log").read_text()[-3000:]
    assert tracked() == before, "building the book changed tracked files"
    return ROOT / "_build" / "html"


def tracked() -> str:
    return subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; where there is none the tests are skipped with one line, in CI they fail."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_BROWSER)
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address(html):
    """Serve the built pages from this machine."""
    with serving(html) as where:
        yield where


@pytest.fixture
def records(monkeypatch, tmp_path):
    """An empty folder of records, of this test's own."""
    monkeypatch.setenv("LABKIT_RECORDS", str(tmp_path / "results"))
    return tmp_path / "results"


class SmallDisk:
    """A disk of its own, of 2 MB, that a test can fill up."""

    def __init__(self, folder: Path):
        self.folder, self.filler = folder, folder / "filler"

    def fill(self) -> None:
        with open(self.filler, "wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"0" * 4096)

    def free(self) -> None:
        self.filler.unlink()


@pytest.fixture
def small_disk(tmp_path):
    """A `SmallDisk`; only root can mount one: for others the test is skipped with one line."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # the test itself may still hold a database open

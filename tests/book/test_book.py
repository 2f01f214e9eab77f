"""The book: built with warnings as errors, then opened in a real browser."""

import contextlib
import os
import re
import subprocess

import pytest

from labkit.apps import workspace
from tests.reading import ROOT


@contextlib.contextmanager
def opened(browser, url, **options):
    """Open a page and collect what it complains about."""
    context = browser.new_context(**options)
    page, seen = context.new_page(), []
    page.on("console", lambda message: seen.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("requestfailed", lambda request: seen.append(f"failed: {request.url}"))
    page.goto(url, wait_until="load")
    page.wait_for_timeout(300)
    yield page, seen
    context.close()


def test_every_page_is_built(html):
    pages = {str(path.relative_to(html)) for path in html.rglob("*.html")}
    assert {"index.html", "book/index.html", "book/how-to-use.html", "book/glossary.html", "book/api.html"} <= pages
    assert {f"notebooks/{path.stem}.html" for path in ROOT.glob("notebooks/*.ipynb")} <= pages


def test_no_page_needs_a_network(html):
    for path in html.rglob("*.html"):
        outside = re.findall(
            r"<(?:script|link|img)[^>]*(?:src|href)=\"(https?://[^\"]+\.(?:js|css|woff2?|png|svg))", path.read_text()
        )
        assert not outside, path


def test_a_broken_notebook_fails_the_build_with_its_cell(tmp_path):
    """A copy of the book's frame with one notebook that fails: the command says which one, which cell, and why."""
    import nbformat

    book = tmp_path / "book"
    (book / "notebooks").mkdir(parents=True)
    (book / "_config.yml").write_text("title: x\nonly_build_toc_files: true\nexecute: {execute_notebooks: cache}\n")
    (book / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters: [{file: notebooks/01-broken}]\n")
    (book / "index.md").write_text("# Front\n")
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Broken"),
            nbformat.v4.new_code_cell("fine = 1"),
            nbformat.v4.new_code_cell("lost = fine / 0"),
        ]
    )
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, book / "notebooks" / "01-broken.ipynb")
    code, said = build_elsewhere(book)
    assert code == 1
    for part in ("01-broken", "lost = fine / 0", "ZeroDivisionError: division by zero"):
        assert part in said
    assert build_elsewhere(book)[0] == 1  # and again: a second call must not pass over it


def build_elsewhere(root) -> tuple[int, str]:
    """Run the build command on another folder, in a process of its own."""
    code = (
        "import sys, pathlib; from labkit.apps import workspace; root = pathlib.Path(sys.argv[1]);"
        "workspace.project_root = lambda: root; (root / 'requirements.txt').write_text('');"
        "sys.exit(workspace.book(pathlib.Path(sys.executable)))"
    )
    python = workspace.environment()
    env = os.environ | {"LABKIT_CACHE": str(root / "cache")}
    run = subprocess.run([python, "-c", code, str(root)], capture_output=True, text=True, env=env)
    return run.returncode, run.stdout + run.stderr


@pytest.mark.parametrize(("width", "other", "theme"), [(1280, 390, "light"), (390, 1280, "dark")])
def test_pages_open_without_an_error(html, address, browser, width, other, theme):
    for path in sorted(html.rglob("*.html")):
        if {"_static", "_modules"} & set(path.parts):  # listings of source are not pages to read on a phone
            continue
        options = {"viewport": {"width": width, "height": 900}, "color_scheme": theme}
        with opened(browser, f"{address}/{path.relative_to(html)}", **options) as (page, seen):
            assert page.evaluate("[...document.images].filter(i => !(i.alt || '').trim()).length") == 0, path
            assert_nothing_is_wider(page, path)
            page.set_viewport_size({"width": other, "height": 900})  # as when a phone is turned
            assert_nothing_is_wider(page, path)
            assert seen == [], path


def assert_nothing_is_wider(page, path) -> None:
    wide = "document.documentElement.scrollWidth > innerWidth + 1"
    assert not page.evaluate(wide), (path, page.viewport_size)


def test_figures_carry_what_they_show(address, browser):
    with opened(browser, f"{address}/notebooks/03-dropout.html") as (page, _):
        alts = page.evaluate("[...document.images].map(i => i.alt)")
        full = [alt for alt in alts if "cifar10, mean of 5 seeds" in alt and "Line chart of loss" in alt]
        assert len(full) == 1
        assert re.search(r"p=0\.0: training ends at 0\.\d+, validation ends at \d\.\d+, its best is", full[0])
        assert page.evaluate("[...document.images].every(i => i.naturalWidth > 0)")
        assert page.locator("mjx-container svg").count() > 3  # the formulas are drawn


def test_solutions_unfold(address, browser):
    with opened(browser, f"{address}/notebooks/03-dropout.html") as (page, _):
        solution = page.locator("details", has_text="Solution").first
        text = solution.locator("p").last
        assert not text.is_visible()
        solution.locator("summary").focus()
        page.keyboard.press("Enter")
        assert text.is_visible()


def test_the_search_box_finds_the_lab(address, browser):
    with opened(browser, f"{address}/book/index.html", viewport={"width": 1280, "height": 900}) as (page, seen):
        page.locator(".search-button__button:visible").first.click()
        page.keyboard.type("over-fitting")
        page.keyboard.press("Enter")
        hits = page.locator("ul.search li a", has_text="Dropout")  # they come one after the other
        hits.first.wait_for(timeout=30_000)
        assert seen == []

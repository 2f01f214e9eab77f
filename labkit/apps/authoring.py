"""For authors: run the notebooks from a clean kernel and store outputs, cost and the README's table.

Started by `python -m labkit notebooks [NAME ...]`. Needs the environment of requirements.txt.
"""

import json
import platform
import re
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from labkit.apps import tested
from labkit.base.errors import LabkitError, unknown
from labkit.base.files import cache_dir, project_root, records_dir, write_atomic
from labkit.records.whole import sums

COST_MOVED = 0.3  # the stored cost is renewed when a run takes so much more or less, as a share


def main(names: list[str]) -> None:
    """Run the named notebooks, or all of them, in order."""
    folder = project_root() / "notebooks"
    known = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    for name in names or known:
        if name not in known:
            raise unknown("notebook", name, known)
        seconds = store(known[name])
        if renew_cost(name, seconds):
            store(known[name])  # once more: the page shows its own cost
        print(f"{name:28} {seconds:6.1f} s", flush=True)
    write_table(project_root() / "README.md")
    write_sums()
    tested.keep()


def write_sums() -> None:
    """Write down the sums of all records as they are now; a test compares, so that no record is changed by hand."""
    write_atomic(records_dir() / "SHA256SUMS", sums(records_dir()).encode())


def store(path: Path) -> float:
    """Run one notebook with no quick records to lean on, store its outputs, and return its seconds."""
    for kind in ("results", "checkpoints"):
        for folder in (cache_dir() / kind).glob(f"{path.stem[:2]}-*/quick"):  # a lab may have searches beside its arms
            shutil.rmtree(folder)
    notebook = nbformat.read(path, as_version=4)
    began = time.perf_counter()
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    seconds = time.perf_counter() - began
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # time stamps: they would change with every run
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    write_atomic(path, (json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())
    return seconds


def renew_cost(name: str, seconds: float) -> bool:
    """Write what a notebook costs here, unless the stored figure is still about right; tell whether it changed."""
    import torch

    path = records_dir() / name / "cost.json"
    if path.is_file() and abs(json.loads(path.read_text())["seconds"] / seconds - 1) <= COST_MOVED:
        return False
    cost = {
        "seconds": round(seconds, 1),
        "device": f"{torch.get_num_threads()} CPU cores",
        "processor": processor(),
        "measured": datetime.now(UTC).date().isoformat(),
    }
    write_atomic(path, (json.dumps(cost, indent=1) + "\n").encode())
    return True


def processor() -> str:
    """Return the processor's name, as well as the system tells it."""
    info = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.*)", info.read_text()) if info.is_file() else None
    return named[1] if named else platform.processor() or platform.machine()


def write_table(readme: Path) -> None:
    """Write the table of labs into the README, between its two marks."""
    text = readme.read_text(encoding="utf-8")
    new = re.sub(r"(<!-- labs -->\n).*?(<!-- /labs -->)", lambda m: m[1] + table() + m[2], text, flags=re.S)
    if new != text:
        write_atomic(readme, new.encode())


def table() -> str:
    """Return the table of labs in Markdown: name, question, cost."""
    from labkit.catalogue.index import labs

    rows = [f"| [{lab.name}](notebooks/{lab.name}.ipynb) | {lab.title} | {lab.cost()} |\n" for lab in labs()]
    return "| lab | question | cost |\n| --- | --- | --- |\n" + "".join(rows)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LabkitError as error:
        sys.exit(f"labkit: {error}")

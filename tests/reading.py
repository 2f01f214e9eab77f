"""What tests read: the notebooks of the clone, the command line's answers, a page in a browser."""

import ast
import functools
import http.server
import json
import threading
from contextlib import contextmanager
from pathlib import Path

from labkit import __main__ as entry

ROOT = Path(__file__).parent.parent


def cells(path, kind=None):
    return [c for c in json.loads(path.read_text("utf-8"))["cells"] if kind in (None, c["cell_type"])]


def source(cell):
    return "".join(cell["source"])


def tags(cell):
    return cell["metadata"].get("tags", [])


def call(capsys, *args):
    try:
        code = entry.main(list(args))
    except SystemExit as stop:
        code = stop.code
    shown = capsys.readouterr()
    return code, shown.out, shown.err


PAGE = """<!doctype html><html lang="en"{marker}><head><meta charset="utf-8"><title>hover</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"></head>
<body style="background: {ground}">{body}</body></html>"""


BOOK = ' data-content_root="../"'  # what Sphinx writes into all its pages


@contextmanager
def serving(folder: Path):
    """Serve a folder from this machine without a word, and give its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


LIVE = set("run fit work predict predict_views features perf_counter gradient_norms range_test".split())
READ = set(
    "recorded verdicts differences mean first_epoch cost table recorded_confusion recorded_planes claims".split()
)


def of_lab(node):
    return isinstance(node, ast.Name) and node.id == "lab"


def shown_from_records(path):
    """Yield the code cells of a notebook whose output comes from records alone: the same on every machine.

    A name is live once a statement with a call that trains, predicts or takes a time has set it.
    """
    live, kept = set(), set()
    for cell in cells(path, "code"):
        alone, reads = True, False
        for statement in ast.parse(source(cell)).body:
            nodes = list(ast.walk(statement))
            used = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
            asked = {n.attr for n in nodes if isinstance(n, ast.Attribute) and (n.attr != "mean" or of_lab(n.value))}
            sets = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            sets |= {
                getattr(n, "name", getattr(n, "arg", "")) for n in nodes if isinstance(n, ast.FunctionDef | ast.arg)
            }
            calls = {getattr(n.func, "attr", getattr(n.func, "id", "")) for n in nodes if isinstance(n, ast.Call)}
            is_live, from_record = calls & LIVE or (used - sets) & live, asked & READ or (used - sets) & kept
            live = live | sets if is_live else live - sets
            kept = kept | sets if from_record and not is_live else kept - sets
            if not isinstance(statement, ast.Assign):
                alone, reads = alone and not is_live and "compare" not in calls, reads or bool(from_record)
        if cell["outputs"] and alone and reads:
            yield cell

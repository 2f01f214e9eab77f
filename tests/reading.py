"""What tests read: the notebooks of the clone, the command line's answers, a page in a browser."""

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

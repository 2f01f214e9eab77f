"""Fetching: checksums, mirrors, retries, and the words when it fails. A local server plays the hosts."""

import hashlib
import http.server
import tarfile
import threading

import pytest

from labkit.base.errors import ConfigError, DataError
from labkit.data import download
from labkit.data.download import Archive, Source


@pytest.fixture
def host():
    """Serve prepared answers, path by path: each a list of (status, body), the last one repeated."""
    answers, asked = {}, []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            queue = answers.get(self.path, [(404, b"")])
            status, body = queue.pop(0) if len(queue) > 1 else queue[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", answers, asked
        server.shutdown()


@pytest.fixture
def small(tmp_path, monkeypatch, host):
    """A data set of one archive with one file, known under the name "small"."""
    address, answers, asked = host
    monkeypatch.setattr(download, "PAUSE", 0)
    inside = tmp_path / "small-files"
    inside.mkdir()
    (inside / "one").write_bytes(b"real bytes")
    packed = tmp_path / "small.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(inside / "one", "small-files/one")
    body = packed.read_bytes()
    archive = Archive("small.tar.gz", len(body), hashlib.md5(body).hexdigest(), (f"{address}/official/small.tar.gz",))
    files = {"one": hashlib.md5(b"real bytes").hexdigest()}
    monkeypatch.setitem(download.SOURCES, "small", Source((archive,), "small-files", ".", files, {}))
    root = tmp_path / "root"
    root.mkdir()
    return address, answers, asked, body, root


def test_fetch_retries_then_succeeds(small):
    address, answers, asked, body, root = small
    answers["/official/small.tar.gz"] = [(503, b""), (503, b""), (200, body)]
    assert download.fetch("small", root=root) == root
    assert (root / "small-files" / "one").read_bytes() == b"real bytes"
    assert asked.count("/official/small.tar.gz") >= 3
    asked.clear()
    download.fetch("small", root=root)
    assert asked == []  # nothing is downloaded twice


def test_mirror_comes_first_and_wrong_bytes_are_refused(small):
    address, answers, asked, body, root = small
    answers["/mirror/small.tar.gz"] = [(200, b"something else")]
    answers["/official/small.tar.gz"] = [(200, body)]
    download.fetch("small", mirrors=(f"{address}/mirror",), root=root)
    assert asked[0] == "/mirror/small.tar.gz"
    assert asked[-1] == "/official/small.tar.gz"
    assert not list(download.faults("small", root))


def test_failure_names_every_address_and_the_way_by_hand(small):
    address, answers, _, body, root = small
    with pytest.raises(DataError) as error:
        download.fetch("small", mirrors=(f"{address}/m/small.tar.gz",), root=root)
    text = str(error.value)
    for part in ("/m/small.tar.gz", "/official/small.tar.gz", f"{len(body):,} bytes", "md5", "--mirror", "by hand"):
        assert part in text


def test_missing_data_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    with pytest.raises(DataError) as error:
        download.require("cifar10")
    text = str(error.value)
    for part in (
        "cifar-10-batches-py is missing",
        "labkit data fetch cifar10",
        "LABKIT_DATA",
        "170,498,071 bytes",
        "c58f30108f718f92721af3b95e74349a",
        "cifar-10-python.tar.gz",
    ):
        assert part in text


def test_photographs_are_counted(tmp_path):
    (tmp_path / "hymenoptera_data" / "train" / "ants").mkdir(parents=True)
    found = list(download.faults("hymenoptera", tmp_path))
    assert len(found) == 4
    assert "holds 0 photographs, expected 123" in found[0]


def test_checksums_are_torchvisions():
    from torchvision.datasets import CIFAR10, MNIST

    cifar = download.SOURCES["cifar10"]
    assert cifar.archives[0].md5 == CIFAR10.tgz_md5
    assert all(cifar.files[name] == md5 for name, md5 in [*CIFAR10.train_list, *CIFAR10.test_list])
    assert [(a.filename, a.md5) for a in download.SOURCES["mnist"].archives] == MNIST.resources


def test_unknown_set():
    with pytest.raises(ConfigError, match="Did you mean 'cifar10'"):
        download.fetch("cifar")

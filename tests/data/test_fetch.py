"""Fetching: checksums, mirrors, retries, and the words when it fails. A local server plays the hosts."""

import contextlib
import gzip
import hashlib
import http.server
import io
import socketserver
import tarfile
import threading
import time
import zipfile
from dataclasses import replace

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


# --- hosts that do not behave -----------------------------------------------------------------------------------------


@pytest.fixture
def rude():
    """A host that answers by a function of the socket; its address, and what to answer."""
    answer = {}

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(4096)
            with contextlib.suppress(OSError):  # who asked has hung up
                answer["with"](self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", answer
        server.shutdown()


OK = b"HTTP/1.1 200 OK\r\n\r\n"


def endless(socket):
    socket.sendall(OK)
    while True:
        socket.sendall(bytes(2**16))


def trickle(socket):
    socket.sendall(OK)
    while True:
        socket.sendall(b"x")
        time.sleep(0.02)


def silent(socket):
    socket.sendall(OK + b"x")
    time.sleep(5)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (endless, "it sends more than the"),
        (trickle, "bytes in 1 s|more than the"),
        (silent, "timed out"),
        (lambda socket: None, "closed connection|Remote end closed"),
        (lambda socket: socket.sendall(b"nonsense\r\n\r\n"), "nonsense"),
        (lambda socket: socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nshort"), "."),
        (lambda socket: socket.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "."),
    ],
    ids=["endless", "trickle", "silent", "hangs up", "no protocol", "short", "broken chunks"],
)
def test_a_rude_host_is_left_for_the_next_address(small, rude, monkeypatch, answer, words):
    address, answers, asked, body, root = small
    rude_address, behaves = rude
    behaves["with"] = answer
    monkeypatch.setattr(download, "SILENCE", 0.5)
    monkeypatch.setattr(download, "GRACE", 1.0)
    monkeypatch.setattr(download, "SLOWEST", 10**9)
    archive = download.SOURCES["small"].archives[0]
    with pytest.raises(DataError, match=words):
        download.download(replace(archive, urls=(f"{rude_address}/small.tar.gz",)), root)
    assert list(root.iterdir()) == []  # nothing under the final name, nothing else left behind
    answers["/official/small.tar.gz"] = [(200, body)]
    assert download.fetch("small", mirrors=(rude_address,), root=root) == root


def test_an_address_that_is_none_is_said(small):
    root = small[-1]
    archive = replace(download.SOURCES["small"].archives[0], urls=("file:///etc/passwd",))
    with pytest.raises(DataError, match="no address of the web"):
        download.download(archive, root)


# --- archives ---------------------------------------------------------------------------------------------------------


def bomb_zip(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(10**6))


def bomb_tar(path):
    with tarfile.open(path, "w:gz") as archive:
        part = tarfile.TarInfo("a")
        part.size = 10**6
        archive.addfile(part, io.BytesIO(bytes(10**6)))


@pytest.mark.parametrize(
    ("name", "make"),
    [("a.zip", bomb_zip), ("a.tar.gz", bomb_tar), ("a.gz", lambda path: path.write_bytes(gzip.compress(bytes(10**6))))],
)
def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path, name, make):
    make(tmp_path / name)
    with pytest.raises(DataError, match="would unpack to"):
        download.unpack(tmp_path / name, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_for_another_place_is_refused(tmp_path):
    path = tmp_path / "in" / "a.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../outside"), io.BytesIO(b""))
    with pytest.raises(DataError, match="cannot be unpacked"):
        download.unpack(path, path.parent)
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.gz"])
def test_a_damaged_archive_is_said(tmp_path, name):
    (tmp_path / name).write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be unpacked"):
        download.unpack(tmp_path / name, tmp_path)


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

"""Errors, paths and the atomic write."""

import os
import subprocess
import sys
import time

import pytest

from labkit.base import files
from labkit.base.errors import ConfigError, LabkitError, unknown


def test_unknown_names_the_nearest():
    error = unknown("model", "cn", ["cnn", "mlp"])
    assert isinstance(error, ConfigError)
    assert "Did you mean 'cnn'?" in str(error)
    assert "Known: cnn, mlp" in str(error)


def test_write_atomic_replaces_and_leaves_no_part(tmp_path):
    path = tmp_path / "new" / "file.bin"
    files.write_atomic(path, b"one")
    files.write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["file.bin"]


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file.bin"
    files.write_atomic(path, b"old")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(LabkitError, match="the disk is full"):
        files.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_labkit_data_must_be_a_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(LabkitError, match="which is no folder"):
        files.data_dir()
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    assert files.data_dir() == tmp_path


def test_import_needs_nothing_but_python():
    """The two commands run on a bare Python: neither the package nor workspace.py may import anything else."""
    code = (
        "import sys; before = set(sys.modules); import labkit, labkit.apps.workspace, labkit.__main__;"
        "new = {m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names);"
        "sys.exit(f'imported {new}' if new != {'labkit'} else 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_every_public_name_is_there():
    import labkit

    for name in labkit.__all__:
        assert getattr(labkit, name) is not None
    with pytest.raises(AttributeError, match="labkit has no 'nothing'"):
        labkit.nothing  # noqa: B018


def test_what_killed_processes_left_is_removed_after_a_day(tmp_path):
    old, new = tmp_path / "run.pt.17.part", tmp_path / "run.pt.18.part"
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 25 * 3600,) * 2)
    files.write_atomic(tmp_path / "other.pt", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.pt", "run.pt.18.part"]


def test_a_cache_that_is_a_file_is_said(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("")
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(LabkitError, match="LABKIT_CACHE names .*, which is a file"):
        files.cache_dir()

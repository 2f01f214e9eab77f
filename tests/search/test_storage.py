"""Addresses of storages, their passwords, and how long a storage may be away."""

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from labkit.base.errors import ConfigError, LabkitError
from labkit.search.storage import AWAY, check_address, dashboard, patiently, without_password
from tests.reading import ROOT, call

SECRET = st.text("abcSECRET@:/?#&%= \\n'\"[]", min_size=3).filter(lambda text: len(text.strip("*:@/?")) > 2)


@given(SECRET)
def test_no_part_of_a_password_is_shown(secret):
    for address in (f"postgresql://ada:{secret}@host/db", f"postgresql://host/db?user=ada&password={secret}"):
        before, _, after = without_password(address).partition("***")
        assert before in ("postgresql://ada:", "postgresql://host/db?user=ada&password=")
        assert after in ("@host/db", "")
        assert dashboard(address).count("***") == 1


def test_a_password_whose_at_was_forgotten_is_not_shown_and_a_port_is():
    assert without_password("postgresql://ada:secret/db") == "postgresql://ada:***"
    assert without_password("postgresql://host:5432/db") == "postgresql://host:5432/db"
    assert without_password("postgresql://ada@host:5432/db") == "postgresql://ada@host:5432/db"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("postgres://ada:secret@host/db", "postgresql://ada:\\*\\*\\*@host/db"),
        ("study.db", "type sqlite:///study.db"),
        ("mysql://ada:secret@host/db", "not mysql://"),
        ("http://host/db", "not http://"),
        ("sqlite://study.db", "three strokes"),
        ("sqlite:///", "three strokes"),
        ("postgresql://ada:secret@host:five/db", "is no number of 1 to 65,535"),
        ("postgresql://ada:secret@host:99999/db", "is no number of 1 to 65,535"),
        ("postgresql://ada:secret@host:0/db", "is no number of 1 to 65,535"),
        ("postgresql://ada:se@cret@host/db", "%40"),
        ("postgresql://ada:se/cret@host/db", "%2F"),
        ("postgresql://ada:secret/db", "is no number of 1 to 65,535"),
    ],
)
def test_an_address_that_cannot_be_is_one_sentence_on_the_command_line(address, words, capsys):
    with pytest.raises(ConfigError, match=words):
        check_address(address)
    code, out, err = call(capsys, "search", "14-hyperparameter-search", "--storage", address)
    assert code == 1
    assert "secret" not in out + err
    assert "cret" not in out + err.replace("secret", "")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:///studies.db",
        "sqlite:////tmp/studies.db",
        "postgresql://ada:se%40cret@host:5432/db",
        "postgresql+psycopg://ada@host/db",
        "postgresql:///db?host=/run/postgresql",
        "postgresql://[::1]:5432/db",
    ],
)
def test_addresses_that_can_be(address):
    check_address(address)


def test_without_optuna_a_search_says_how_to_install_it():
    code = """
import sys
sys.modules["optuna"] = None  # as where it is not installed
from labkit.__main__ import main
raise SystemExit(main(["search", "14-hyperparameter-search"]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ['labkit: A search needs Optuna 4.9 or newer: pip install "optuna>=4.9".']


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.sleep)

    def sleep(self, seconds):
        self.now += seconds


def away(clock, seconds):
    def ask():
        if clock.now < seconds:
            raise OperationalError("SELECT 1", {}, Exception("server closed the connection"))
        return "there"

    return ask


def test_a_storage_that_is_away_for_a_minute_ends_nothing(monkeypatch):
    clock = Clock(monkeypatch)
    assert patiently(away(clock, 60), "postgresql://ada:secret@host/db") == "there"
    assert 60 <= clock.now <= 66


def test_one_that_stays_away_is_named_without_its_password(monkeypatch):
    clock = Clock(monkeypatch)
    with pytest.raises(LabkitError, match=r"ada:\*\*\*@host/db cannot be used: server closed") as caught:
        patiently(away(clock, 10**9), "postgresql://ada:secret@host/db")
    assert "secret" not in str(caught.value)
    assert clock.now == AWAY


def test_a_full_disk_is_told_at_once(monkeypatch):
    clock = Clock(monkeypatch)

    def full():
        raise OperationalError("INSERT", None, Exception("database or disk is full"))

    with pytest.raises(LabkitError, match="disk is full. Is there room on the disk"):
        patiently(full, "sqlite:///studies.db")
    assert clock.now == 0

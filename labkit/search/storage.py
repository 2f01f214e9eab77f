"""Where a search keeps who trains which point: Optuna's storage, in SQLite (one machine) or PostgreSQL (several).

A storage that is away for a while is waited for; one that stays away ends in an error that hides the password.
Not here: which point is trained next (queue.py); records, which lie in the ledger.
"""

import importlib.util
import re
import shlex
import time
from collections.abc import Callable
from typing import Any

from labkit.base.errors import ConfigError, LabkitError
from labkit.base.files import cache_dir

HEARTBEAT = 60  # seconds between two signs of life of a worker
PATIENCE = 3 * HEARTBEAT  # seconds without one after which its point is given to another
RETRIES = 3  # how often a point is given to another worker
LOCK_WAIT = 60  # seconds to wait for another process that writes the SQLite file
OPENING = 8  # seconds to wait for a storage that cannot be opened: its address may be wrong
AWAY = 120  # seconds to wait for one that was there: its server starts again
FULL = "disk is full"  # what SQLite says of it
LONGEST_PAUSE = 5  # seconds between two tries
KINDS = ("sqlite", "postgresql", "postgresql+psycopg")  # of storages


def open_storage(address: str | None):
    """Return Optuna's storage, with a sign of life from each worker and a second chance for each point."""
    from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
    from optuna.trial import TrialState
    from sqlalchemy.exc import DBAPIError

    class Storage(RDBStorage):
        seen = frozenset()  # the points in training that this worker has looked at

        def record_heartbeat(self, trial_id):
            try:
                super().record_heartbeat(trial_id)
            except Exception as error:  # while a server starts again a sign is missed; the thread must live to the next
                if not cause(error, DBAPIError):
                    raise

        def _get_stale_trial_ids(self, study_id):
            """Find the points of dead workers, in time also of those that died before their first sign of life.

            Optuna waits for these for ever. So each worker gives one sign for every point that it sees in training: who
            lives goes on giving signs, and who is dead is found after `PATIENCE`.
            """
            stale = super()._get_stale_trial_ids(study_id)
            running = self.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,))
            new = {trial._trial_id for trial in running} - self.seen - set(stale)
            for trial_id in new:
                self.record_heartbeat(trial_id)
            self.seen |= new
            return stale

    if address is None:
        address = default_storage()
        (cache_dir() / "searches").mkdir(parents=True, exist_ok=True)
    check_address(address)
    address = address.replace("postgresql://", "postgresql+psycopg://")  # SQLAlchemy before 2.1 means another driver
    options = {"connect_args": {"timeout": LOCK_WAIT}} if _is_sqlite(address) else {"pool_pre_ping": True}
    return Storage(
        address,
        engine_kwargs=options,
        heartbeat_interval=HEARTBEAT,
        grace_period=PATIENCE,
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
    )


def default_storage() -> str:
    """Return the address of the SQLite file that studies are kept in where no storage is named."""
    return f"sqlite:///{cache_dir() / 'searches' / 'studies.db'}"


def need_optuna() -> None:
    """Raise `LabkitError` where Optuna is missing or too old, with what to type."""
    try:
        from optuna.storages import RetryHeartbeatStaleTrialCallback  # noqa: F401  (since 4.9)
    except ImportError as error:
        raise LabkitError('A search needs Optuna 4.9 or newer: pip install "optuna>=4.9".') from error


def check_address(address: str) -> None:
    """Raise `ConfigError` unless the address of a storage is one that can be: SQLite or PostgreSQL, with a whole port.

    >>> check_address("sqlite:///studies.db")
    """
    kind, there, rest = address.partition("://")
    if not there:
        raise ConfigError(f"A storage is an address. For a SQLite file type sqlite:///{without_password(address)}.")
    if kind == "postgres":
        raise ConfigError(f"Type postgresql in place of postgres: postgresql://{without_password(address)[11:]}.")
    if kind not in KINDS:
        raise ConfigError(f"A storage is sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME, not {kind}://.")
    if kind == "sqlite":
        if not rest.startswith("/") or rest == "/":
            raise ConfigError(f"A SQLite file has three strokes before its name: sqlite:///studies.db, not {address}.")
        return
    if importlib.util.find_spec("psycopg") is None:
        raise ConfigError('A storage in PostgreSQL needs psycopg: pip install "psycopg[binary]".')
    place = re.split(r"[/?]", rest)[0]
    if rest.count("@") > 1 or (rest.count("@") == 1 and "@" not in place):
        raise ConfigError(
            f"The address {without_password(address)} has a password with @, / or ? in it. "
            "Write them as %40, %2F and %3F."
        )
    host, _, port = place.rpartition("@")[2].partition(":")
    if not host.startswith("[") and port and not (port.isdecimal() and 0 < int(port) < 65_536):
        raise ConfigError(
            f"The port in {without_password(address)} is no number of 1 to 65,535. "
            "It stands after the host: postgresql://USER:PASSWORD@HOST:5432/NAME."
        )


def without_password(address: str | None) -> str:
    """Return the address of a storage as it may be shown: nothing of a password, whatever is in it.

    >>> without_password("postgresql://ada:se@cret@host/db")
    'postgresql://ada:***@host/db'
    >>> without_password("postgresql://host/db?user=ada&password=secret")
    'postgresql://host/db?user=ada&password=***'
    """
    shown = re.sub(r"(://[^:/@]*):.*@", r"\1:***@", address or "the SQLite file in the cache", flags=re.DOTALL)
    if "@" not in shown:  # what follows a name may be a password whose @ was forgotten, unless it is a port
        shown = re.sub(r"(://[^:/@\[]*):(?!\d+(/|\?|$)).*", r"\1:***", shown, flags=re.DOTALL)
    return re.sub(r"(?i)(password=).*", r"\1***", shown, flags=re.DOTALL)


def dashboard(address: str | None) -> str:
    """Return one line on how to look at the studies of a storage in a browser, without its password.

    >>> dashboard("postgresql://ada:secret@host/db").partition(", then ")[2]
    "optuna-dashboard 'postgresql://ada:***@host/db'"
    """
    shown = shlex.quote(without_password(address or default_storage()))
    return f"Look at the studies: pip install optuna-dashboard, then optuna-dashboard {shown}"


def _is_sqlite(address: str | None) -> bool:
    return address is None or address.startswith("sqlite")


def cause(error: BaseException | None, kind: type[Exception]) -> Exception | None:
    """Return the first error of a kind among an error and its causes: Optuna wraps those of its storage."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def patiently(call: Callable[[], Any], address: str | None, patience: float = AWAY):
    """Call what needs the storage; try again after growing pauses, then say what is wrong without the password.

    Args:
        call: what is tried.
        address: of the storage.
        patience: seconds that the storage may be away.
    """
    from sqlalchemy.exc import DBAPIError

    began, pause = time.monotonic(), 0.5
    while True:
        try:
            return call()
        except Exception as error:
            fault: Any = cause(error, DBAPIError)
            if fault is None:
                raise
            reason = str(fault.orig).splitlines()[0]
        left = began + patience - time.monotonic()
        if left <= 0 or FULL in reason:  # a full disk stays full
            break
        time.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE)
    look = (
        "Is there room on the disk, and does no other program hold the file?"
        if _is_sqlite(address)
        else "Is the server up, and is the address right?"
    )
    raise LabkitError(
        f"The storage {without_password(address)} cannot be used: {reason}. {look} What was finished is kept; the same "
        "command goes on."
    )

"""Optional callbacks of `fit`: send each epoch's row to TensorBoard or to Weights & Biases.

Both are extras: `pip install "labkit[track]"`. Neither needs an account: Weights & Biases works offline, unless the
environment variable WANDB_MODE says "online". On the command line: `--track` of `labkit run` and `labkit search`.
"""

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from labkit.base.errors import ConfigError, LabkitError, unknown
from labkit.base.files import cache_dir

TRACKERS = ("tensorboard", "wandb")
MODES = ("offline", "online", "disabled")  # of Weights & Biases


class TensorBoard:
    """Write each epoch's numbers for TensorBoard; look at them with `tensorboard --logdir FOLDER`.

    Args:
        folder: where the event files go; one folder a run.

    Raises:
        LabkitError: the package is not installed.
    """

    def __init__(self, folder: str | Path):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise _missing("tensorboard") from error
        self.writer = SummaryWriter(str(folder))

    def __call__(self, row: dict) -> None:
        """Write one row of the history."""
        for name, value in row.items():
            if name != "epoch":
                self.writer.add_scalar(name, value, row["epoch"])
        self.writer.flush()

    def close(self) -> None:
        """Close the event file."""
        self.writer.close()


class WandB:
    """Send each epoch's numbers to Weights & Biases.

    Args:
        project, name: under which the run appears.
        config: what to store beside it, such as the recipe.
        mode: "offline" keeps it in `folder` (send it later with `wandb sync`), "online" needs an account, "disabled"
            does nothing.
        folder: where the offline files go.

    Raises:
        ConfigError: an unknown mode.
        LabkitError: the package is not installed.
    """

    def __init__(self, project: str, name: str, config: dict, mode: str = "offline", folder: str | Path = "."):
        if mode not in MODES:
            raise ConfigError(f"mode must be one of {', '.join(MODES)}, got {mode!r} (WANDB_MODE may say so).")
        try:
            import wandb
        except ImportError as error:
            raise _missing("wandb") from error
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.run = wandb.init(project=project, name=name, config=config, mode=mode, dir=str(folder))

    def __call__(self, row: dict) -> None:
        """Send one row of the history."""
        self.run.log(row, step=row["epoch"], commit=True)

    def close(self) -> None:
        """Finish the run."""
        self.run.finish()


def tracker(kind: str, run, folder: Path):
    """Return the callback of a kind ("tensorboard" or "wandb") for a run of the ledger."""
    where = folder / run.lab / run.budget
    if kind == "tensorboard":
        return TensorBoard(where / run.label.replace(" ", "-"))
    if kind == "wandb":
        mode = os.environ.get("WANDB_MODE", "offline")
        return WandB(run.lab, run.label, {**run.recipe, **run.model}, mode, where)
    raise unknown("tracker", kind, TRACKERS)


def folder() -> Path:
    """Return where the command line's trackers write: a folder of the cache."""
    return cache_dir() / "tracking"


def follower(kind: str | None) -> Callable | None:
    """Return what makes the callbacks of each run, as `Lab.run` and `labkit.queue.work` take it; None without a kind.

    Args:
        kind: "tensorboard", "wandb" or None.

    Raises:
        ConfigError: an unknown kind.
        LabkitError: its package is not installed. Both are found here, before anything is trained.
    """
    if kind is None:
        return None
    if kind not in TRACKERS:
        raise unknown("tracker", kind, TRACKERS)
    if find_spec(kind) is None:
        raise _missing(kind)
    return lambda run: [tracker(kind, run, folder())]


def how_to_look(kind: str) -> str:
    """Return one line on how to look at what a tracker wrote."""
    if kind == "tensorboard":
        return f"Tracked: look at it with `tensorboard --logdir {folder()}`."
    return f"Tracked: offline runs lie in {folder()}; `wandb sync` sends one to an account."


def _missing(package: str) -> LabkitError:
    return LabkitError(f"{package} is not installed. Install it: pip install {package}. Or leave tracking out.")

"""Optional callbacks of `fit`: send each epoch's row to TensorBoard or to Weights & Biases.

Both are extras: `pip install "labkit[track]"`. Neither needs an account; Weights & Biases works offline.
"""

from pathlib import Path

from labkit.errors import ConfigError, LabkitError, unknown


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
        mode: "offline" keeps it in `folder` (send it later with `wandb sync`), "online" needs an account.
        folder: where the offline files go.

    Raises:
        ConfigError: an unknown mode.
        LabkitError: the package is not installed.
    """

    def __init__(self, project: str, name: str, config: dict, mode: str = "offline", folder: str | Path = "."):
        if mode not in ("offline", "online"):
            raise ConfigError(f'mode must be "offline" or "online", got {mode!r}.')
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
    """Return the callback of that kind ("tensorboard" or "wandb") for a run of the ledger."""
    where = folder / run.lab / run.budget
    if kind == "tensorboard":
        return TensorBoard(where / run.label.replace(" ", "-"))
    if kind == "wandb":
        return WandB(run.lab, run.label, {**run.recipe, **run.model}, folder=where)
    raise unknown("tracker", kind, ("tensorboard", "wandb"))


def _missing(package: str) -> LabkitError:
    return LabkitError(f"{package} is not installed. Install it: pip install {package}. Or leave tracking out.")

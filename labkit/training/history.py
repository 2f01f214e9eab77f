"""What happened in each epoch of a training. Not here: the record of a run, which keeps it (records/ledger.py)."""

from dataclasses import dataclass, field

from labkit.base.errors import unknown

STOP_ON = {"val_loss": min, "val_acc": max}  # what early stopping may watch: and which value is the best


@dataclass
class History:
    """What happened in each epoch: one row of plain numbers each.

    A row has epoch (from 1), train_loss and train_acc (over the images as they were trained on: dropout on,
    weights moving), val_loss and val_acc (whole validation set, dropout off), lr, seconds and
    images_per_second (both of the training part alone).
    """

    rows: list[dict] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> list[float]:
        """Return one quantity over the epochs, such as `history["val_loss"]`."""
        if self.rows and name not in self.rows[0]:
            raise unknown("quantity in the history", name, self.rows[0])
        return [row[name] for row in self.rows]

    @property
    def last(self) -> dict:
        """The row of the last epoch."""
        return self.rows[-1]

    def best(self, name: str = "val_loss") -> dict:
        """Return the row of the best epoch: lowest "val_loss" or highest "val_acc", the first one on a tie."""
        return STOP_ON[name](self.rows, key=lambda row: row[name])

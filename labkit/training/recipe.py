"""How a training is done: everything that a run needs beside the network, the images and the seed.

Not here: what its words mean (optimizers.py, schedules.py, device.py, losses.py).
"""

import math
from dataclasses import asdict, dataclass, fields

from labkit.base.checks import number, whole
from labkit.base.errors import ConfigError, unknown
from labkit.data.augment import Normalize, Transform, make
from labkit.training.history import STOP_ON
from labkit.training.optimizers import OPTIMIZERS
from labkit.training.schedules import SCHEDULES

HEADS = ("svm", "imagenet")  # output layers that are not trained by gradients, see labkit.transfer
PRECISIONS = ("float32", "bf16", "auto")
NUMBERS = ("lr", "body_lr", "momentum", "weight_decay", "step_factor", "label_smoothing", "clip_norm", "color_noise")


@dataclass(frozen=True)
class Recipe:
    """How to train: everything that a run needs beside the network, the images and the seed.

    Attributes:
        epochs: passes over the training images, at least 1.
        batch_size: images a step. 128 keeps two CPU cores busy and is the size of most published recipes.
        drop_last: whether the images that fill no batch are left out of an epoch; another order, other images.
        optimizer: "sgd", "rmsprop" (with Keras's settings), "adam", "adamw" or "muon" (for the matrices of hidden
            layers, adamw for the rest).
        head: None to train the whole network; "svm" or "imagenet" set the output layer of a pretrained backbone
            without gradients and leave the rest as it is, see `labkit.transfer`.
        lr: learning rate, above 0; the highest one where a schedule changes it.
        body_lr: learning rate of all layers but the output layer, above 0; None for the same as `lr`.
        momentum: for "sgd" only, in [0, 1).
        nesterov: for "sgd" with momentum only: whether the gradient is taken a step ahead.
        weight_decay: at least 0; decoupled in "adamw" and "muon", an L2 term in the others.
        schedule: "constant", "step", "cosine" (both move once an epoch) or "one-cycle" (every step); or one that you
            have put into `labkit.schedules.SCHEDULES`.
        step_epochs: "step" only: epochs between two drops.
        step_factor: "step" only: what the learning rate is multiplied by at a drop.
        label_smoothing: share of the target spread over all classes, in [0, 1).
        clip_norm: largest norm of the gradient, or None.
        augment: transforms of `labkit.data.augment` for the training images, in their order, such as (Flip(), Crop(4)).
        color_noise: sd of a number that is added to each channel of each normalised image, drawn anew in every epoch.
        noise_stays: whether the noise of all epochs adds up in the images, as in the first source: see lab 06.
        precision: "float32"; "bf16" for automatic mixed precision; "auto" for the faster one of the two, which is
            bf16 only where the device has instructions for it. A record says with its device which one it was.
        early_stop: "val_loss", "val_acc" or None; ends training and restores the best weights.
        patience: early stopping only: epochs without a new best before it stops.
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "adam"
    head: str | None = None
    lr: float = 1e-3
    body_lr: float | None = None
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    schedule: str = "constant"
    step_epochs: int = 10
    step_factor: float = 0.1
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    augment: tuple[Transform, ...] = ()
    color_noise: float = 0.0
    noise_stays: bool = False
    precision: str = "float32"
    drop_last: bool = False
    early_stop: str | None = None
    patience: int = 5

    def __post_init__(self):
        given = (self.augment,) if isinstance(self.augment, Transform) else self.augment
        made = tuple(t if isinstance(t, Transform) else make(t) for t in given)
        if any(isinstance(t, Normalize) for t in made):
            raise ConfigError("augment takes no Normalize: Batches normalises every image after the transforms.")
        object.__setattr__(self, "augment", made)  # the way of a frozen dataclass
        for what, value, known in (
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("head", self.head, (*HEADS, None)),
            ("schedule", self.schedule, SCHEDULES),
            ("precision", self.precision, PRECISIONS),
            ("quantity for early_stop", self.early_stop, (*STOP_ON, None)),
        ):
            if value not in known:
                raise unknown(what, value, known)
        for name in ("epochs", "batch_size", "step_epochs", "patience"):
            object.__setattr__(self, name, whole(name, getattr(self, name), 1))
        for name in NUMBERS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, number(name, getattr(self, name)))
        for what, ok, expected in (
            ("lr", 0 < self.lr < math.inf, "above 0"),
            ("body_lr", self.body_lr is None or 0 < self.body_lr < math.inf, "above 0, or None"),
            ("body_lr", self.body_lr is None or self.optimizer != "muon", 'None where the optimizer is "muon"'),
            ("momentum", 0 <= self.momentum < 1, "in [0, 1)"),
            ("momentum", self.momentum == 0 or self.optimizer == "sgd", '0 unless the optimizer is "sgd"'),
            ("nesterov", not self.nesterov or self.momentum > 0, "False where there is no momentum"),
            ("weight_decay", 0 <= self.weight_decay < math.inf, "at least 0"),
            ("step_factor", 0 < self.step_factor < math.inf, "above 0"),
            ("label_smoothing", 0 <= self.label_smoothing < 1, "in [0, 1)"),
            ("color_noise", 0 <= self.color_noise < math.inf, "at least 0"),
            ("noise_stays", not self.noise_stays or self.color_noise > 0, "False where there is no color_noise"),
            ("clip_norm", self.clip_norm is None or 0 < self.clip_norm < math.inf, "above 0, or None"),
        ):
            if not ok:
                raise ConfigError(f"{what} must be {expected}, got {getattr(self, what)!r}.")

    def as_record(self) -> dict:
        """Return the fields as a record keeps them: plain values only."""
        return asdict(self) | {"augment": [asdict(t) for t in self.augment]}

    @classmethod
    def of(cls, record: dict) -> "Recipe":
        """Return the recipe of a record. Fields that it lacks stand at their defaults.

        Raises:
            ConfigError: the record uses a field of an older version of labkit, which no longer exists.
        """
        if record.get("optimizer") in HEADS:  # where older records name the head
            record = record | {"optimizer": cls.optimizer, "head": record["optimizer"]}
        known = {f.name for f in fields(cls)}
        used = {name: value for name, value in record.items() if name not in known and value}
        if used:
            raise ConfigError(f"A recipe no longer has the fields of this record: {used}. Train that run anew.")
        return cls(**{name: value for name, value in record.items() if name in known})

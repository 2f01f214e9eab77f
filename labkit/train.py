"""The one training loop: a recipe goes in, a history comes out.

Read it from `fit` downwards. A loop with nothing hidden: forward, loss, backward, step. Around it stand only
what a long training needs: schedules, early stopping, and a checkpoint after every epoch.
Not here: which network is trained on what (experiments.py), and the record of a run (ledger.py).
"""

import io
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labkit import parallel
from labkit.augment import Normalize, Transform, apply_all, make
from labkit.data import Batches, ImageSet, memory_format
from labkit.errors import ConfigError, DivergedError, TrainingError, unknown
from labkit.files import write_atomic

OPTIMIZERS = ("sgd", "adam", "adamw", "muon")
HEADS = ("svm", "imagenet")  # output layers that are not trained by gradients, see labkit.transfer
SCHEDULES = ("constant", "step", "cosine", "one-cycle", "step, each batch")
AUXILIARY = 0.3  # how much the loss of an auxiliary head counts, after the GoogLeNet paper
PRECISIONS = ("float32", "bf16", "auto")
STOP_ON = {"val_loss": min, "val_acc": max}  # what early stopping may watch: and which value is the best
EVAL_BATCH = 500  # images a batch where no gradient is needed
EVAL_PIXELS = 2_000_000  # and fewer where they are large: 39 of 224 x 224


@dataclass(frozen=True)
class Recipe:
    """How to train: everything that a run needs beside the network, the images and the seed.

    Attributes:
        epochs: passes over the training images, at least 1.
        batch_size: images a step. 128 keeps two CPU cores busy and is the size of most published recipes.
        optimizer: "sgd", "adam", "adamw" or "muon" (for the matrices of hidden layers, adamw for the rest); "svm"
            and "imagenet" set the output layer of a backbone without gradients, see `labkit.transfer`.
        lr: learning rate, above 0; the highest one where a schedule changes it.
        body_lr: learning rate of all layers but the output layer, above 0; None for the same as `lr`.
        momentum: for "sgd" only, in [0, 1).
        nesterov: for "sgd" with momentum only: whether the gradient is taken a step ahead.
        weight_decay: at least 0; decoupled in "adamw", an L2 term in the others.
        schedule: "constant", "step", "cosine" (both once an epoch) or "one-cycle" (every step); "step, each batch"
            is a mistake that is often made, for lab 12: a schedule of epochs that is moved every step.
        step_epochs: "step" only: epochs between two drops.
        step_factor: "step" only: what the learning rate is multiplied by at a drop.
        label_smoothing: share of the target spread over all classes, in [0, 1).
        clip_norm: largest norm of the gradient, or None.
        augment: transforms of `labkit.augment` for the training images, in their order, such as (Flip(), Crop(4)).
        precision: "float32"; "bf16" for automatic mixed precision; "auto" for the faster one of the two, which is
            bf16 only where the device has instructions for it. A record says with its device which one it was.
        early_stop: "val_loss", "val_acc" or None; ends training and restores the best weights.
        patience: early stopping only: epochs without a new best before it stops.
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "adam"
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
    precision: str = "float32"
    early_stop: str | None = None
    patience: int = 5

    def __post_init__(self):
        made = tuple(t if isinstance(t, Transform) else make(t) for t in self.augment)
        if any(isinstance(t, Normalize) for t in made):
            raise ConfigError("augment takes no Normalize: Batches normalises every image after the transforms.")
        object.__setattr__(self, "augment", made)  # the way of a frozen dataclass
        for what, value, known in (
            ("optimizer", self.optimizer, OPTIMIZERS + HEADS),
            ("schedule", self.schedule, SCHEDULES),
            ("precision", self.precision, PRECISIONS),
            ("quantity for early_stop", self.early_stop, (*STOP_ON, None)),
        ):
            if value not in known:
                raise unknown(what, value, known)
        for what, ok, expected in (
            ("epochs", isinstance(self.epochs, int) and self.epochs >= 1, "a whole number of at least 1"),
            (
                "batch_size",
                isinstance(self.batch_size, int) and self.batch_size >= 1,
                "a whole number of at least 1",
            ),
            ("lr", self.lr > 0, "above 0"),
            ("body_lr", self.body_lr is None or self.body_lr > 0, "above 0, or None"),
            ("momentum", 0 <= self.momentum < 1, "in [0, 1)"),
            ("momentum", self.momentum == 0 or self.optimizer == "sgd", '0 unless the optimizer is "sgd"'),
            ("nesterov", not self.nesterov or self.momentum > 0, "False where there is no momentum"),
            ("weight_decay", self.weight_decay >= 0, "at least 0"),
            ("step_epochs", self.step_epochs >= 1, "at least 1"),
            ("label_smoothing", 0 <= self.label_smoothing < 1, "in [0, 1)"),
            ("clip_norm", self.clip_norm is None or self.clip_norm > 0, "above 0, or None"),
            ("patience", self.patience >= 1, "at least 1"),
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
        known = {f.name for f in fields(cls)}
        used = {name: value for name, value in record.items() if name not in known and value}
        if used:
            raise ConfigError(f"A recipe no longer has the fields of this record: {used}. Train that run anew.")
        return cls(**{name: value for name, value in record.items() if name in known})


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


def fit(
    model: nn.Module,
    train: ImageSet,
    val: ImageSet | None,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: str | None = None,
    checkpoint: str | Path | None = None,
    callbacks: Iterable[Callable[[dict], None]] = (),
    progress: bool | None = True,
) -> History:
    """Train a network and return what happened in each epoch. Introduced in lab 03.

    Several processes that torchrun started share the work, see `labkit.parallel`; each returns the same history.

    Args:
        model: takes X (B, C, H, W) float32, returns logits (B, num_classes); trained in place.
        train: the images to learn from.
        val: the images to watch; None for a last fit without them.
        recipe: how to train.
        seed: start of every random draw: order, transforms, dropout. (Not of the weights: they are drawn
            when the network is built.)
        device: "cpu", "cuda" or "mps"; the fastest one present if not given.
        checkpoint: file that is written after every epoch. If it exists, training goes on from it: same
            history, and on the CPU bit-identical weights.
        callbacks: called with the row of each finished epoch, such as `labkit.callbacks.TensorBoard`; of several
            processes only in the first.
        progress: True shows a bar, False none, None only on a terminal.

    Returns:
        The history. After early stopping the network has its best weights, otherwise its last.

    Raises:
        ConfigError: classes, channels or recipe that do not fit; a checkpoint of something else.
        TrainingError: the loss is no longer finite; names epoch and step.
    """
    where = pick_device(device)
    model.to(where, memory_format=memory_format(where))
    model = parallel.synced(model)
    check_fit(model, train, val, recipe)
    train, val = train.to(where), val.to(where) if val else None
    stats = pixel_stats(model, train)
    batches = Batches(
        train, recipe.batch_size, mean_std=stats, shuffle=True, augment=recipe.augment, seed=seed
    )  # fmt: skip
    watched = eval_batches(val, stats) if val else None
    optimizer = make_optimizer(model, recipe)
    schedule = make_schedule(optimizer, recipe, len(batches))
    state = State(model, optimizer, schedule, recipe, seed, Path(checkpoint) if checkpoint else None)
    state.resume()
    parallel.wait()  # no checkpoint is written before all have read it
    state.forward = parallel.averaged(with_auxiliary, model)
    while not state.finished:
        row = train_epoch(state, batches, progress)
        if watched:
            scores = score(model, watched, recipe.precision, shared=True)
            row |= {f"val_{name}": value for name, value in scores.items()}
        row = parallel.from_first(row)
        state.end_epoch(row)
        for callback in callbacks if parallel.is_first() else ():
            callback(row)
    state.restore_best()
    return state.history


def train_epoch(state: "State", batches: Batches, progress: bool | None = False) -> dict:
    """Train for one epoch and return its row: the loop itself.

    Loss and accuracy are sums over all images of the epoch, divided by their number: exact whatever the size
    of the last batch. They stay on the device until the end, so that a GPU never waits for a number.
    """
    model, optimizer, schedule, recipe = state.model, state.optimizer, state.schedule, state.recipe
    epoch = batches.epoch = len(state.history) + 1
    # dropout draws the same whether resumed or not, and other masks in each process
    torch.manual_seed(state.seed * 100_003 + epoch + 1_000_000_007 * parallel.rank())
    device = batches.data.images.device
    losses, correct = torch.zeros(len(batches), device=device), torch.zeros((), device=device)
    lr, seen, began = optimizer.param_groups[0]["lr"], 0, time.perf_counter()
    model.train()
    with progress_bar(f"epoch {epoch}/{recipe.epochs}", len(batches.data), progress) as bar:
        for step, batch in enumerate(batches):
            X, y, count, weight = parallel.share(*batch)  # all of it, unless several processes train
            with autocast(device, recipe.precision):
                logits, others = state.forward(X)  # (B, num_classes) each
                loss = F.cross_entropy(logits, y, label_smoothing=recipe.label_smoothing)
                extra = sum(F.cross_entropy(other, y, label_smoothing=recipe.label_smoothing) for other in others)
            optimizer.zero_grad()
            (loss + AUXILIARY * extra).backward(weight)
            if recipe.clip_norm:
                nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
            optimizer.step()
            if recipe.schedule in ("one-cycle", "step, each batch"):
                schedule.step()
            losses[step] = loss.detach() * count
            correct += (logits.argmax(dim=1) == y)[:count].sum()
            seen += count
            if bar.update(len(batch[1])):  # redrawn a few times a second: only then read the device
                check_finite(losses, state)
                bar.set_postfix(loss=f"{losses.sum() / seen:.3f}", acc=f"{correct / seen:.3f}")
    parallel.add_up(losses, correct)
    parallel.same_buffers(model)
    check_finite(losses, state)
    check_weights(state)
    if recipe.schedule in ("step", "cosine"):
        schedule.step()
    seconds, images = time.perf_counter() - began, len(batches.data)
    return {
        "epoch": epoch, "train_loss": losses.double().sum().item() / images, "train_acc": correct.item() / images,
        "lr": lr, "seconds": seconds, "images_per_second": images / seconds,
    }  # fmt: skip


def with_auxiliary(model: nn.Module, X: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the logits of a network, and those of its auxiliary heads where it has any."""
    return model.with_auxiliary(X) if hasattr(model, "with_auxiliary") else (model(X), [])


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Turn dropout off and keep no gradients within a `with` block; the network then is in the mode it was in."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def pixel_stats(model: nn.Module, train: ImageSet) -> tuple[Tensor, Tensor]:
    """Return the mean and sd of each channel, (C,), that images are normalised with.

    They are those of the training images, unless the network has learned from others and brings its own.
    """
    return getattr(model, "mean_std", None) or train.mean_std


def eval_batches(data: ImageSet, mean_std: tuple[Tensor, Tensor]) -> Batches:
    """Return a set in its order, in batches for a pass without gradients: as large as memory bears."""
    size = max(1, min(EVAL_BATCH, EVAL_PIXELS // data.image_size**2))
    return Batches(data, size, mean_std=mean_std)


def score(
    model: nn.Module, batches: Batches, precision: str = "float32", confusion: bool = False, shared: bool = False
) -> dict:
    """Return the mean cross-entropy and the accuracy over a whole set, with dropout off. Introduced in lab 03.

    Args:
        model: takes X, returns logits; left in the mode it was in.
        batches: the set, normalised as in training.
        precision: "float32", "bf16" or "auto", see `Recipe`.
        confusion: whether to count the images by (true class, predicted class) as well.
        shared: whether each of several processes takes its share of the images; all of them must then call this.

    Returns:
        A dict with loss in nats an image, acc as a share in [0, 1], and confusion if asked for; exact over the set.
    """
    device = batches.data.images.device
    classes = len(batches.data.classes)
    loss, counts = torch.zeros((), device=device), torch.zeros(classes * classes, device=device)
    with evaluating(model):
        for X, y in parallel.shares(batches) if shared else batches:
            with autocast(device, precision):
                logits = model(X)  # (B, num_classes)
            loss += F.cross_entropy(logits.float(), y, reduction="sum")
            counts += torch.bincount(y * classes + logits.argmax(dim=1), minlength=classes * classes)
    if shared:
        parallel.add_up(loss, counts)
    counts = counts.long().view(classes, classes)  # (true class, predicted class)
    found = {"loss": loss.item() / len(batches.data), "acc": counts.trace().item() / len(batches.data)}
    return found | ({"confusion": counts.tolist()} if confusion else {})


@dataclass
class State:
    """A training between two epochs: all that a checkpoint keeps.

    Random numbers need no keeping: each epoch draws from a seed made of the run's seed and its own number.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler | None
    recipe: Recipe
    seed: int
    path: Path | None
    history: History = field(default_factory=History)
    best: dict[str, Tensor] | None = None  # early stopping: the weights of the best epoch

    def __post_init__(self):
        self.forward = partial(with_auxiliary, self.model)  # X -> logits, and those of auxiliary heads

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done, or early stopping has waited long enough."""
        done = len(self.history)
        if self.recipe.early_stop and done:
            waited = done - self.history.best(self.recipe.early_stop)["epoch"]
            if waited >= self.recipe.patience:
                return True
        return done >= self.recipe.epochs

    def end_epoch(self, row: dict) -> None:
        """Add the row of a finished epoch, keep the weights if they are the best, write the checkpoint."""
        self.history.rows.append(row)
        watch = self.recipe.early_stop
        if watch and self.history.best(watch)["epoch"] == row["epoch"]:
            self.best = {name: t.detach().clone() for name, t in self.model.state_dict().items()}
        if self.path and parallel.is_first():
            self.save()

    def restore_best(self) -> None:
        """Give the network its best weights, if early stopping kept any."""
        if self.best:
            self.model.load_state_dict(self.best)

    def save(self) -> None:
        """Write the checkpoint, whole or not at all; readable with `torch.load(..., weights_only=True)`."""
        buffer = io.BytesIO()
        content = {
            "spec": _spec(self.model), "recipe": self.recipe.as_record(), "seed": self.seed,
            "history": self.history.rows, "model": self.model.state_dict(), "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule else None,
        }  # fmt: skip
        torch.save(content, buffer)
        write_atomic(self.path, buffer.getvalue())

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one; refuse one that belongs to another training."""
        if not self.path or not self.path.exists():
            return
        content = read_checkpoint(self.path)
        self._check_same(content)
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        if self.schedule:
            self.schedule.load_state_dict(content["schedule"])
        self.history, self.best = History(content["history"]), content["best"]

    def _check_same(self, content: dict) -> None:
        """Raise `ConfigError` unless the checkpoint is of this network, seed and recipe (epochs may grow)."""
        if content["spec"] != _spec(self.model):
            raise ConfigError(
                f"{self.path} is a checkpoint of another model: {content['spec']}, not {_spec(self.model)}. "
                "Give another checkpoint file, or delete this one to start anew."
            )
        ours, theirs = self.recipe.as_record(), Recipe.of(content["recipe"]).as_record()
        changed = [k for k in ours if ours[k] != theirs.get(k) and k != "epochs"]
        grown = ours["epochs"] != theirs["epochs"]
        if grown and self.recipe.schedule in ("cosine", "one-cycle"):
            changed.append("epochs")  # these schedules are planned for a number of epochs: it cannot move
        if content["seed"] != self.seed:
            changed.append("seed")
            ours["seed"], theirs["seed"] = self.seed, content["seed"]
        if changed:
            listed = ", ".join(f"{k} was {theirs.get(k)!r} and is now {ours[k]!r}" for k in changed)
            raise ConfigError(
                f"{self.path} belongs to another training: {listed}. Give another checkpoint file, or delete "
                "this one to start anew."
            )


def read_checkpoint(path: Path) -> dict:
    """Read a checkpoint without running any code from it; raise `TrainingError` where it is not readable."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if "spec" not in content or "history" not in content:
            raise ValueError("a file of torch, but of something else")
        return content
    except Exception as error:  # cut off or foreign bytes make torch.load raise nearly anything
        raise TrainingError(
            f"{path} is not a readable checkpoint ({type(error).__name__}). Delete it to start that training anew."
        ) from error


def _spec(model: nn.Module) -> dict:
    """Return how a model was built; for one made by hand, the shapes of its parameters."""
    return getattr(model, "spec", None) or {name: list(t.shape) for name, t in model.state_dict().items()}


def check_fit(model: nn.Module, train: ImageSet, val: ImageSet | None, recipe: Recipe) -> None:
    """Raise `ConfigError` unless network, images and recipe go together; done before anything is trained."""
    if recipe.optimizer in HEADS:
        raise ConfigError(f"optimizer {recipe.optimizer!r} is no gradient descent: call labkit.transfer.fit_head.")
    if recipe.body_lr and not hasattr(model, "output"):
        raise ConfigError(
            f"body_lr is for networks whose output layer is called `output`; {type(model).__name__} has none. "
            "Leave body_lr out."
        )
    if recipe.early_stop and val is None:
        raise ConfigError(f"early_stop={recipe.early_stop!r} needs validation images, got none.")
    check_last_batch(model, len(train), recipe.batch_size)
    X = apply_all(recipe.augment, train.images[:2].cpu(), torch.Generator())  # (2, C, H, W)
    X = X.to(next(model.parameters()).device, torch.float32)
    try:
        with evaluating(model):
            logits = model(X)
    except RuntimeError as error:
        raise ConfigError(
            f"The network cannot take images of {tuple(X.shape[1:])} (channels, height, width): "
            f"{str(error).splitlines()[0]}. Build it with in_channels={train.in_channels}, "
            f"image_size={X.shape[2]}."
        ) from error
    if logits.shape != (len(X), len(train.classes)):
        raise ConfigError(
            f"The network gives {logits.shape[-1]} logits an image and {train.name} has {len(train.classes)} "
            f"classes. Build it with num_classes={len(train.classes)}."
        )


def check_last_batch(model: nn.Module, images: int, batch_size: int) -> None:
    """Raise `ConfigError` where batch normalisation would meet a batch of one image, which has no spread."""
    if not any(isinstance(m, nn.BatchNorm1d) for m in model.modules()):
        return  # there is none, or it spans all processes
    fewest, rest = 2 * parallel.size(), images % batch_size  # two images for each process
    if 0 < rest < fewest:
        fits = next(b for b in range(batch_size + 1, images + 1) if images % b == 0 or images % b >= fewest)
        left = "one image" if rest == 1 else f"{rest} images for {parallel.size()} processes"
        raise ConfigError(
            f"{images:,} images in batches of {batch_size} leave a last batch of {left}, and batch "
            f"normalisation needs two{' in each' if parallel.size() > 1 else ''}. Use batch_size={fits}."
        )


def check_finite(losses: Tensor, state: State) -> None:
    """Raise `DivergedError` if the loss of any step so far is infinite or not a number."""
    if torch.isfinite(losses).all():
        return
    step = int((~torch.isfinite(losses)).nonzero()[0]) + 1
    raise _not_finite(f"The loss is {losses[step - 1].item()} at epoch {len(state.history) + 1}, step {step}.", state)


def check_weights(state: State) -> None:
    """Raise `DivergedError` if a weight is infinite or not a number: the last step of an epoch may do that."""
    for name, parameter in state.model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise _not_finite(
                f"{name} is no longer finite after the last step of epoch {len(state.history) + 1}.", state
            )


def _not_finite(what: str, state: State) -> DivergedError:
    done = len(state.history)
    kept = f" The checkpoint of epoch {done} is kept in {state.path}." if state.path and done else ""
    return DivergedError(f"{what}{kept} Use a smaller lr than {state.recipe.lr:g}, or clip_norm=1.0.")


def pick_device(device: str | None = None) -> torch.device:
    """Return the device asked for, or the fastest one present; never another one than asked for.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    present = ["cpu"]
    if torch.backends.mps.is_available():
        present.insert(0, "mps")
    if torch.cuda.is_available():
        present.insert(0, "cuda")
    if device is None:
        return torch.device(present[0])
    if device.split(":")[0] not in present:
        raise ConfigError(f"There is no device {device!r} here. This machine has: {', '.join(present)}.")
    try:
        torch.empty(0, device=device)
    except RuntimeError as error:
        raise ConfigError(f"Device {device!r} does not answer: {str(error).splitlines()[0]}.") from error
    return torch.device(device)


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the optimizer of a recipe. `fused` does the whole update in one kernel: same formula, faster."""
    settings = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    if next(model.parameters()).device.type in ("cpu", "cuda"):
        settings["fused"] = True
    groups = parameter_groups(model, recipe)
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=recipe.nesterov, **settings)
    if recipe.optimizer == "muon":
        return MuonAndAdamW(model, recipe.lr, recipe.weight_decay)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer]
    return kind(groups, **settings)


class MuonAndAdamW(torch.optim.Optimizer):
    """Muon for the matrices of hidden linear layers, AdamW for all other parameters. Introduced in lab 12.

    Muon (Jordan and others, 2024) makes the singular values of an update equal. It is for matrices only, and not for
    those of the output layer. Both get the same learning rate; Muon's is scaled to updates as large as AdamW's
    (Liu and others, 2025).

    Args:
        model: the network; its last linear layer is taken for the output layer.
        lr, weight_decay: of both.

    Raises:
        ConfigError: a torch without Muon, or a network without hidden linear layers.
    """

    def __init__(self, model: nn.Module, lr: float, weight_decay: float):
        if not hasattr(torch.optim, "Muon"):
            raise ConfigError(f"Muon needs torch 2.9 or newer, this is {torch.__version__}. Use adamw.")
        linear = [layer.weight for layer in model.modules() if isinstance(layer, nn.Linear)][:-1]
        if not linear:
            raise ConfigError(f"Muon is for hidden linear layers, and {type(model).__name__} has none. Use adamw.")
        rest = [p for p in model.parameters() if all(p is not weight for weight in linear)]
        settings = {"lr": lr, "weight_decay": weight_decay}
        self.parts = [
            torch.optim.Muon(linear, adjust_lr_fn="match_rms_adamw", **settings), torch.optim.AdamW(rest, **settings)
        ]  # fmt: skip
        super().__init__(list(model.parameters()), settings)
        self._share_groups()

    def _share_groups(self) -> None:
        """Let a schedule that changes our groups change those of the parts: they are the same."""
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self, closure=None):
        """Do one step of both."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict:
        """Return the state of both."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state: dict) -> None:
        """Set the state of both."""
        for part, kept in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(kept)
        self._share_groups()


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict]:
    """Return what an optimizer trains: all parameters, or the output layer and the body with a rate of its own."""
    if not recipe.body_lr:
        return [{"params": list(model.parameters())}]
    head = list(model.output.parameters())
    body = [p for name, p in model.named_parameters() if not name.startswith("output.")]
    return [{"params": head}, {"params": body, "lr": recipe.body_lr}]


def make_schedule(optimizer, recipe: Recipe, steps_per_epoch: int):
    """Return the learning-rate schedule of a recipe, or None for a constant one.

    "step" and "cosine" move once an epoch, "one-cycle" every step (and leaves the momentum alone).
    """
    kinds = torch.optim.lr_scheduler
    if recipe.schedule.startswith("step"):
        return kinds.StepLR(optimizer, recipe.step_epochs, recipe.step_factor)
    if recipe.schedule == "cosine":
        return kinds.CosineAnnealingLR(optimizer, recipe.epochs)
    if recipe.schedule == "one-cycle":
        total = recipe.epochs * steps_per_epoch
        return kinds.OneCycleLR(
            optimizer, [g["lr"] for g in optimizer.param_groups], total_steps=total, cycle_momentum=False
        )
    return None


def autocast(device: torch.device, precision: str):
    """Return the context for one forward pass: bf16 where asked for, nothing otherwise."""
    enabled = pick_precision(precision, device) == "bf16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def pick_precision(precision: str, device: torch.device) -> str:
    """Return "float32" or "bf16": what a recipe's precision means on a device. Introduced in lab 09.

    Args:
        precision: as in `Recipe`; "auto" asks the device.
        device: where to compute.

    >>> pick_precision("bf16", torch.device("cpu"))
    'bf16'
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:  # on a processor without the instructions, bf16 is slower than float32
        able = getattr(torch.cpu, "get_capabilities", dict)()  # an older torch cannot say
        native = device.type == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return "bf16" if native else "float32"


def shows_progress(progress: bool | None) -> bool:
    """Tell whether the progress of a training may be shown at all."""
    return progress is not False and os.environ.get("LABKIT_PROGRESS") != "0"


def progress_bar(title: str, images: int, progress: bool | None):
    """Return a tqdm bar over images; `LABKIT_PROGRESS=0` turns all of them off (stored notebooks need that)."""
    from tqdm import TqdmWarning, tqdm

    off = not shows_progress(progress)
    if progress and not off:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TqdmWarning)  # without ipywidgets the bar is text: good enough
            from tqdm.auto import tqdm
    disable = True if off else (None if progress is None else False)  # None: tqdm itself asks for a terminal
    return tqdm(total=images, desc=title, unit=" images", leave=False, disable=disable)

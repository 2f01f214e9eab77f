"""What a training step costs: seconds, memory and energy of a few batches, each network in a process of its own.

For networks that are too large to be trained everywhere. Images per second say how long an epoch would take; that
time is extrapolated, and is called so wherever it is shown. Not here: the record of a training (ledger.py).
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from labkit.base.errors import LabkitError, unknown
from labkit.base.files import records_dir, write_atomic
from labkit.base.tables import duration
from labkit.records.estimates import NOT_RUN, Ratio

QUANTITIES = ("seconds_per_image", "memory", "joules_per_image")
NUM_CLASSES = 10


@dataclass(frozen=True)
class Step:
    """A step to be measured.

    Attributes:
        name: what tables call it; the name of an arm, where it tells what that arm would cost.
        model: name of the network.
        options: what the network takes beside channels, classes and image size.
        image_size: pixels.
        batch_size: images in the step.
        precision: "float32" or "bf16".
        images: training images of an epoch, for the time that is extrapolated; those of CIFAR-10 if not given.
    """

    name: str
    model: str
    options: dict = field(default_factory=dict)
    image_size: int = 32
    batch_size: int = 10
    precision: str = "float32"
    images: int = 40_000


@dataclass(frozen=True)
class StepCost:
    """What was measured of a step, in one process.

    Attributes:
        step: the fields of the `Step`.
        seconds: of each step but the first, which sets up memory and kernels.
        memory: bytes that the process took for network and steps, or GPU memory; None where it cannot be read.
        joules: energy of the steps in `seconds`, or None where it cannot be read.
        device, versions: where and with what.
    """

    step: dict
    seconds: list[float]
    memory: int | None
    joules: float | None
    device: str
    versions: dict

    @property
    def name(self) -> str:
        """The name of the step."""
        return self.step["name"]

    @property
    def seconds_per_image(self) -> float:
        """The median step, divided by its images."""
        return median(self.seconds) / self.step["batch_size"]

    @property
    def minutes_per_epoch(self) -> float:
        """What an epoch would take, extrapolated from these steps."""
        return self.seconds_per_image * self.step["images"] / 60

    @property
    def joules_per_image(self) -> float | None:
        """Energy of one image in training, forward and backward."""
        if self.joules is None:
            return None
        return self.joules / len(self.seconds) / self.step["batch_size"]


def measure(step: Step, steps: int = 3, device: str | None = None) -> StepCost:
    """Measure a few training steps (SGD with momentum) in a new process. Introduced in lab 11.

    Args:
        step: what is measured.
        steps: how many, beside a first one that does not count; at least 1.
        device: "cpu", "cuda" or "mps"; the fastest one present if not given.

    Raises:
        LabkitError: the process failed, such as for want of memory.
    """
    wanted = json.dumps({"step": asdict(step), "steps": steps, "device": device})
    child = [sys.executable, "-m", "labkit.experiments.cost"]
    done = subprocess.run(child, input=wanted, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise LabkitError(
            f"The step {step.name} could not be measured: {reason[0].rstrip('.')}. "
            "Where memory ran out, take a smaller batch_size."
        )
    return StepCost(**json.loads(done.stdout.splitlines()[-1]))


def _measure_here(step: Step, steps: int, device: str | None) -> StepCost:
    """Measure in this process, which is thrown away afterwards: its peak of memory belongs to this network alone."""
    import torch

    from labkit.experiments.energy import joules, spent
    from labkit.experiments.execute import describe_device, peak_memory, versions
    from labkit.models import build
    from labkit.training.device import pick_device, placed
    from labkit.training.optimizers import make_optimizer
    from labkit.training.recipe import Recipe

    where = pick_device(device)
    torch.manual_seed(0)
    X = torch.randn(step.batch_size, 3, step.image_size, step.image_size, device=where)  # (B, C, H, W)
    y = torch.randint(0, NUM_CLASSES, (step.batch_size,), device=where)
    _warm_up(where)
    before = peak_memory(where)
    model = build(step.model, in_channels=3, num_classes=NUM_CLASSES, image_size=step.image_size, **step.options)
    model = placed(model, where).train()
    optimizer = make_optimizer(model, Recipe(optimizer="sgd", lr=1e-3, momentum=0.9))
    seconds, energy = [], None
    for count in range(steps + 1):
        if count == 1:
            energy = joules(where)
        seconds.append(_one_step(model, optimizer, X, y, step.precision))
    after = peak_memory(where)
    return StepCost(
        asdict(step),
        seconds[1:],
        after - before if after is not None and before is not None else None,
        spent(energy, joules(where)),
        describe_device(where),
        versions(),
    )


def _warm_up(where) -> None:
    """Take one step of next to nothing: what torch itself loads for that is no cost of a network."""
    from torch import nn, randn, zeros

    from labkit.training.optimizers import make_optimizer
    from labkit.training.recipe import Recipe

    model = nn.Sequential(nn.Conv2d(1, 2, kernel_size=1), nn.Flatten()).to(where)
    optimizer = make_optimizer(model, Recipe(optimizer="sgd", lr=1e-3, momentum=0.9))
    _one_step(model, optimizer, randn(1, 1, 1, 1, device=where), zeros(1, device=where).long(), "float32")


def _one_step(model, optimizer, X, y, precision: str) -> float:
    """Train one step and return its seconds."""
    from labkit.training.device import autocast
    from labkit.training.losses import batch_loss, with_auxiliary

    began = time.perf_counter()
    with autocast(X.device, precision):
        loss = batch_loss(partial(with_auxiliary, model), X, y).total
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    loss.item()  # waits for a GPU
    return time.perf_counter() - began


def costs_path(lab: str) -> Path:
    """Return where the measured steps of a lab lie."""
    return records_dir() / lab / "steps.json"


def save(lab: str, costs: Iterable[StepCost]) -> None:
    """Write the measured steps of a lab, in place of older ones."""
    write_atomic(costs_path(lab), (json.dumps([asdict(cost) for cost in costs], indent=1) + "\n").encode())


def recorded(lab: str) -> list[StepCost]:
    """Return the measured steps of a lab; none where nothing was measured."""
    path = costs_path(lab)
    if not path.is_file():
        return []
    return [StepCost(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def not_trained(lab: str, name: str, epochs: int) -> str:
    """Return the verdict on what has no record: the time that it would take, or "not run" where no step was measured.

    Args:
        lab: name of the lab.
        name: of the step, that of the arm.
        epochs: of one run.
    """
    costs = [cost for cost in recorded(lab) if cost.name == name]
    if not costs:
        return "not run"
    minutes = median(cost.minutes_per_epoch for cost in costs) * epochs
    # a table's cell cuts off what is longer than 50
    return f"not trained here: {duration(minutes)} a run, extrapolated"


def values(lab: str, name: str, quantity: str) -> list[float]:
    """Return a quantity of a step, one value for each time that it was measured and could be read.

    Args:
        lab: name of the lab.
        name: of the step.
        quantity: "seconds_per_image" (s), "memory" (bytes) or "joules_per_image" (J).
    """
    if quantity not in QUANTITIES:
        raise unknown("quantity of a step", quantity, QUANTITIES)
    measured = [getattr(cost, quantity) for cost in recorded(lab) if cost.name == name]
    return [value for value in measured if value is not None]


def table(lab: str, names: Iterable[str]):
    """Return a table of measured steps, one row a name: the medians over the times that each was measured.

    The hours of an epoch are extrapolated from the steps. Introduced in lab 11.

    Args:
        lab: name of the lab.
        names: of the steps; one that was not measured has a row that says "not run".
    """
    import pandas as pd

    columns = ["images/s", "memory (MB)", "energy (J an image)", "an epoch, extrapolated (h)", "on"]
    costs, rows = recorded(lab), {}
    for name in names:
        mine = [cost for cost in costs if cost.name == name]
        rows[name] = _medians(mine) if mine else ["not run"] * len(columns)
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _medians(costs: list[StepCost]) -> list[str]:
    """Return the columns of `table` for the costs of one step."""
    megabytes = [cost.memory / 1e6 for cost in costs if cost.memory is not None]
    energy = [joules for cost in costs if (joules := cost.joules_per_image) is not None]
    return [
        f"{1 / median(cost.seconds_per_image for cost in costs):,.1f}",
        f"{median(megabytes):,.0f}" if megabytes else "cannot be read",
        f"{median(energy):.2g}" if energy else "cannot be read",
        f"{median(cost.minutes_per_epoch for cost in costs) / 60:.2g}",
        costs[0].device,
    ]


@dataclass(frozen=True)
class CostRatio:
    """What one step costs as a multiple of another, for claims. Introduced in lab 11.

    Attributes:
        lab: whose measured steps.
        quantity: see `values`.
        step, against: the two that are compared, in the order in which they were measured.
    """

    lab: str
    quantity: str
    step: str
    against: str

    def estimate(self, runs) -> Ratio:
        """Return the ratio of the two over the times that both were measured; no runs are needed for that."""
        pairs = (values(self.lab, name, self.quantity) for name in (self.step, self.against))
        missing = "not measured: it cannot be read here" if recorded(self.lab) else NOT_RUN
        return Ratio(tuple(a / b for a, b in zip(*pairs, strict=False)), missing=missing)


if __name__ == "__main__":
    told = json.load(sys.stdin)
    try:
        print(json.dumps(asdict(_measure_here(Step(**told["step"]), told["steps"], told["device"]))))
    except LabkitError as error:
        sys.exit(str(error))

"""The catalogue: what each lab trains, declared once; read by notebooks, command line and tests alike.

To add a lab: one entry in LABS (at the end of this file), a notebook of the same name, a test.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from statistics import median

from labkit import ledger
from labkit.errors import ConfigError, unknown
from labkit.files import bundled
from labkit.ledger import Claim, Run
from labkit.runner import checkpoint_path, same_training, train_run
from labkit.train import Recipe

BUDGETS = ("quick", "full")


@dataclass(frozen=True)
class Arm:
    """One of the things that a lab compares: a network, and what its recipe changes.

    Attributes:
        name: as the source's figures name it in reported.toml.
        model: name of the network.
        options: what the network takes beside channels, classes and image size.
        changes: fields of the budget's recipe that this arm sets differently.
    """

    name: str
    model: str
    options: dict
    changes: dict | None = None


@dataclass(frozen=True)
class Budget:
    """What a lab trains on at one budget.

    Attributes:
        dataset: name of the data set.
        recipe: how each arm is trained.
        seeds: number of runs of each arm, with seeds from 0.
        train_per_class: how many training images of each class are used; None for all.
    """

    dataset: str
    recipe: Recipe
    seeds: int
    train_per_class: int | None = None

    @property
    def images(self) -> str:
        """The training images in words, as tables and figures name them."""
        return self.dataset + (f", {self.train_per_class} a class" if self.train_per_class else "")


@dataclass(frozen=True)
class Lab:
    """A lab of the book: what it asks, what it trains, and what its source claims. Introduced in lab 03.

    Attributes:
        name: the name of its notebook.
        title: its question.
        source, section: where its figures stand in reported.toml.
        arms: what is compared; none in a lab that trains nothing.
        quick, full: the two budgets.
        claims: what the source says in words.
    """

    name: str
    title: str
    source: str
    section: str
    arms: tuple[Arm, ...] = ()
    quick: Budget | None = None
    full: Budget | None = None
    claims: tuple[Claim, ...] = ()

    def budget(self, name: str | None = None) -> tuple[str, Budget]:
        """Return a budget with its name; by default what `LABKIT_BUDGET` says, else "quick"."""
        name = name or os.environ.get("LABKIT_BUDGET") or "quick"
        if name not in BUDGETS:
            raise unknown("budget", name, BUDGETS)
        if not self.arms:
            raise ConfigError(f"{self.name} trains nothing: there is nothing to run or to compare. Open its notebook.")
        return name, getattr(self, name)

    def plan(self, budget: str | None = None, seeds: int | None = None, arms: list[str] | None = None) -> list[Run]:
        """Return the runs of a budget, seed by seed, each with what it will train and no result yet.

        Raises:
            ConfigError: an unknown budget or arm, or a number of seeds below 1.
        """
        name, chosen = self.budget(budget)
        seeds = chosen.seeds if seeds is None else seeds
        if seeds < 1:
            raise ConfigError(f"seeds must be at least 1, got {seeds}.")
        for arm in arms or ():
            if arm not in [a.name for a in self.arms]:
                raise unknown(f"arm of {self.name}", arm, [a.name for a in self.arms])
        wanted = [arm for arm in self.arms if not arms or arm.name in arms]
        return [
            Run(
                lab=self.name, arm=arm.name, budget=name, seed=seed, model=dict(name=arm.model, **arm.options),
                data={"name": chosen.dataset, "train_per_class": chosen.train_per_class},
                recipe=asdict(replace(chosen.recipe, **(arm.changes or {}))),
            )
            for seed in range(seeds)
            for arm in wanted
        ]  # fmt: skip

    def run(
        self,
        budget: str | None = None,
        seeds: int | None = None,
        arms: list[str] | None = None,
        *,
        device: str | None = None,
        again: bool = False,
        progress: bool | None = True,
        report: Callable[[Run], None] | None = None,
        callbacks: Callable[[Run], list] | None = None,
    ) -> list[Run]:
        """Train what has no finished record yet at this budget, and return the records of all its runs.

        Args:
            budget: "quick" or "full"; default: `LABKIT_BUDGET`, else "quick".
            seeds: how many seeds, from 0; default: the budget's.
            arms: names of the arms to run; default: all.
            device: "cpu", "cuda" or "mps"; default: the fastest one present.
            again: train anew what has a quick record already.
            progress: whether to show a bar, see `labkit.fit`.
            report: called with the growing record after every epoch.
            callbacks: called with the run, gives what `labkit.fit` calls after every epoch.
        """
        done = []
        for run in self.plan(budget, seeds, arms):
            path = ledger.record_path(run.lab, run.arm, run.budget, run.seed)
            if again and run.budget == "quick":
                for file in (path, checkpoint_path(run)):
                    file.unlink(missing_ok=True)
            known = ledger.read(path) if path.exists() else None
            if known and known.finished and same_training(known, run):
                done.append(known)
            else:
                done.append(train_run(run, path, device, progress, report, callbacks))
        return done

    def recorded(self, budget: str = "full") -> list[Run]:
        """Return the finished records of a budget that fit the catalogue as it is now, seed by seed."""
        folder = ledger.record_path(self.name, "x", budget, 0).parent
        plan = {(run.arm, run.recipe["epochs"]): run for run in self.plan(budget)}
        runs = [ledger.read(path) for path in sorted(folder.glob("*.json"))]
        fits = [r for r in runs if r.finished and (p := plan.get((r.arm, r.recipe["epochs"]))) and same_training(r, p)]
        order = [arm.name for arm in self.arms]
        return sorted(fits, key=lambda run: (run.seed, order.index(run.arm)))

    def mean(self, metric: str, arm: str, budget: str = "full") -> ledger.Summary:
        """Return mean, sd and number of a metric over the recorded runs of an arm; raise where there are none."""
        values = [run.value(metric) for run in self.recorded(budget) if run.arm == arm]
        if not values:
            raise ConfigError(
                f"{self.name} has no {budget} record of arm {arm!r}: labkit run {self.name} --budget {budget}"
            )
        return ledger.summarise(values)

    def compare(self):
        """Return a table, one row a reported figure: reported, recorded (mean ± sd over seeds), yours, verdict."""
        import pandas as pd

        full, quick = self.recorded("full"), self.recorded("quick")
        rows = []
        for arm, figures in ledger.reported(self.source, self.section).items():
            if not isinstance(figures, dict):
                continue
            for metric, value in figures.items():
                ours = [run.value(metric) for run in full if run.arm == arm]
                yours = [run.value(metric) for run in quick if run.arm == arm]
                rows.append({
                    "arm": arm, "figure": metric, "reported": f"{value:.2f}",
                    f"recorded ({self.full.images})": _unbroken(ledger.summarise(ours)) if ours else "not run",
                    f"yours ({self.quick.images})": _unbroken(ledger.summarise(yours)) if yours else "not run",
                    "verdict": ledger.verdict(value, ours),
                })  # fmt: skip
        return pd.DataFrame(rows).set_index(["arm", "figure"])

    def verdicts(self):
        """Return a table, one row a claim: what was measured, with its 95 % interval, and whether it holds."""
        import pandas as pd

        full = self.recorded("full")
        rows = [{"claim": c.says, "measured": c.measured(full), "verdict": c.decide(full)} for c in self.claims]
        return pd.DataFrame(rows).set_index("claim")

    def cost(self) -> str:
        """Return one line: what the notebook and the full budget cost, both from measured records."""
        parts = []
        measured = bundled("results") / self.name / "cost.json"
        if measured.is_file():
            quick = json.loads(measured.read_text())
            parts.append(f"Quick: {quick['seconds']:.0f} s on {quick['device']}")
        if not self.arms:
            parts.append("Trains nothing")
        elif full := self.recorded("full"):
            minutes = median(run.value("seconds_per_epoch") * len(run.history) for run in full) / 60
            parts.append(
                f"Full: {len(full)} runs of {full[0].recipe['epochs']} epochs on {self.full.images}, "
                f"{minutes:.1f} min each on {full[0].device}"
            )
        else:
            parts.append("Full: not run")
        return ". ".join(parts) + "."


def _unbroken(summary: ledger.Summary) -> str:
    """Return a summary that a narrow column of a table does not break over two lines."""
    return str(summary).replace(" ", "\N{NO-BREAK SPACE}")


def labs() -> list[Lab]:
    """Return all labs in the order of the book."""
    return list(LABS.values())


def lab(name: str) -> Lab:
    """Return a lab by name, such as "03-dropout". Introduced in lab 03.

    >>> lab("03-dropout").title
    'Dropout: does turning units off help?'
    """
    if name not in LABS:
        raise unknown("lab", name, LABS)
    return LABS[name]


_ALL = (
    Lab(
        name="01-counting-parameters",
        title="Counting: how many parameters does VGG-16 have, and where?",
        source="uchile",
        section="vgg_d",
    ),
    Lab(
        name="02-output-sizes",
        title="Sizes: what comes out of a convolution?",
        source="itba",
        section="conv_out",
    ),
    Lab(
        name="03-dropout",
        title="Dropout: does turning units off help?",
        source="uchile",
        section="dropout",
        arms=(
            Arm("p=0.5", "cnn", {"blocks": 2, "dropout": 0.5}),
            Arm("p=0.0", "cnn", {"blocks": 2, "dropout": 0.0}),
        ),
        quick=Budget("fashion-mnist-small", Recipe(epochs=30, batch_size=64, lr=3e-3), seeds=1, train_per_class=100),
        full=Budget("cifar10", Recipe(epochs=30), seeds=5),
        claims=(
            Claim(
                "The two validation accuracies are about equal (within 0.02)",
                "val_acc",
                "p=0.5",
                "p=0.0",
                "equal",
                0.02,
            ),
            Claim(
                "The validation loss is far lower with 0.5 (by 0.1 or more)",
                "val_loss",
                "p=0.5",
                "p=0.0",
                "lower",
                0.1,
            ),
            Claim(
                "0.0 over-fits: its validation loss ends 0.1 or more above its lowest",
                "val_loss_rise",
                "p=0.0",
                "",
                "higher",
                0.1,
            ),
        ),
    ),
)
LABS = {entry.name: entry for entry in _ALL}

"""What a lab is: its arms, its two budgets, its claims; and how its runs are planned, trained and compared.

Not here: which labs there are (index.py), how one run is trained (execute.py).
"""

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from labkit.base.errors import ConfigError, stoppable, unknown
from labkit.base.files import records_dir
from labkit.base.tables import duration
from labkit.data.chosen import Images
from labkit.experiments import cost
from labkit.experiments.cost import Step
from labkit.experiments.execute import Settings, execute, same_training
from labkit.records import claims, estimates, ledger, reports, spread
from labkit.records.claims import Claim, Verdict
from labkit.records.ledger import Run
from labkit.records.metrics import named
from labkit.records.statistics import binomial_sd
from labkit.training.recipe import Recipe

BUDGETS = ("quick", "full")


@dataclass(frozen=True)
class Arm:
    """One of the things that a lab compares: a network, and what its recipe changes.

    Attributes:
        name: as the source's figures name it in reported.toml.
        model: name of the network.
        options: what the network takes beside channels, classes and image size.
        changes: fields of the budget's recipe that this arm sets differently.
        images: fields of the budget's images that this arm sets differently.
        seeds: number of runs, where it is not the budget's.
        epochs_times: how many times the epochs of the budget it is trained for.
        embed: layers whose planes the records keep, see `labkit.analysis.embed.record`.
        fixed: which of "weights", "order" and "images" do not follow the seed, see `labkit.Run`.
        full_only: whether the quick budget leaves it out.
        same_as: the lab and the arm that keep its full records, where another lab trains the very same.

    Raises:
        ConfigError: an unknown draw in `fixed`.
    """

    name: str
    model: str
    options: dict
    changes: dict | None = None
    images: dict | None = None
    seeds: int | None = None
    epochs_times: float = 1.0
    embed: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    full_only: bool = False
    same_as: tuple[str, str] | None = None

    def __post_init__(self):
        for draw in self.fixed:
            if draw not in ledger.DRAWS:
                raise unknown("draw to hold fixed", draw, ledger.DRAWS)

    def recipe(self, base: Recipe) -> Recipe:
        """Return a budget's recipe as this arm changes it."""
        return replace(base, **{"epochs": round(base.epochs * self.epochs_times), **(self.changes or {})})

    def run(self, lab: str, name: str, budget: "Budget", seed: int) -> Run:
        """Return the run of this arm at a budget of a lab, with what it will train and no result yet."""
        return Run(
            lab=lab,
            arm=self.name,
            budget=name,
            seed=seed,
            model={"name": self.model} | self.options,
            data=replace(budget.images, **(self.images or {})).as_record(),
            recipe=self.recipe(budget.recipe).as_record(),
            embed=list(self.embed) if budget.planes else [],
            fixed=list(self.fixed),
        )


@dataclass(frozen=True)
class Budget:
    """What a lab trains on at one budget.

    Attributes:
        images: which ones.
        recipe: how each arm is trained.
        seeds: number of runs of each arm, with seeds from 0.
        planes: whether the records keep planes of the layers that the arms name.
    """

    images: Images
    recipe: Recipe
    seeds: int
    planes: bool = True


@dataclass(frozen=True)
class Figure:
    """Where a source's figure that stands alone belongs; figures by arm need none.

    Attributes:
        section: in reported.toml, such as "uam.simple_cnn".
        key: the names that lead to it there, such as ("test_per_class", "plane").
        arm: the arm that it is about.
        metric: what it is called here, or a function of a run.
        epoch: when it was read; None for the end of training.
        why_not: why it cannot be judged, which then is its verdict, such as "cannot be judged: other images".
        of: how it is read off the records of a budget, where it is about many runs together, such as the best of them;
            `arm` then says in words what it is about.
        says: in words, where it is another reading of the figure that might explain it, such as "with dropout off".
    """

    section: str
    key: tuple[str, ...]
    arm: str
    metric: str | Callable[[Run], float]
    epoch: int | None = None
    why_not: str = ""
    of: Callable[[str], list[float]] | None = None
    says: str = ""

    @property
    def label(self) -> str:
        """What tables call it."""
        name = self.metric if isinstance(self.metric, str) and not self.says else self.key[-1]
        return name + (f" (epoch {self.epoch})" if self.epoch else "") + (f" {self.says}" if self.says else "")

    @property
    def other(self) -> "Figure | None":
        """The figure under the setting that may explain it, as the section names it under "explained"; None for none.

        Such a setting is {says, metric, arm}: the metric and the arm where they are others.
        """
        return replace(self, **stated) if (stated := self._stated("explained")) and not self.says else None

    @property
    def value(self) -> float:
        """The reported figure."""
        source, _, section = self.section.partition(".")
        value: Any = reports.reported(source, section)
        for name in self.key:
            value = value[name]
        return value

    def _stated(self, what: str) -> Any:
        """Return what the section says of this quantity under one of `reports.ABOUT_FIGURES`; None for none."""
        source, _, section = self.section.partition(".")
        stated = reports.reported(source, section).get(what, {})
        return next((stated[name] for name in (self.metric, *reversed(self.key)) if name in stated), None)

    def judge(self, values: list[float], runs: list[Run]) -> Verdict:
        """Return the verdict on the figure beside the values of our runs, and the full runs themselves."""
        if self.why_not:
            return Verdict(self.why_not)
        metric = named(self.metric)
        if metric and metric.about:
            return claims.verdict_about(self.value, values)
        if self.of or (metric and metric.exact):  # one number of all runs together has no spread: it is met or not
            return claims.verdict_exact(self.value, values)
        drawn = self._drawn(values, [run for run in runs if run.arm == self.arm])
        return claims.verdict(self.value, values, drawn=drawn, discussed=self._stated("discussed"))

    def _drawn(self, values: list[float], runs: list[Run]) -> float:
        """Return the sd that the source's own images add to its figure, where they are others than ours."""
        images = self._stated("images")
        if not (images and values):
            return 0.0
        if "loss" not in self.label:
            return binomial_sd(spread.summarise(values).mean, images)
        split = self.label.partition("_")[0]
        sds = [run.final[split]["loss_sd"] for run in runs if "loss_sd" in run.final.get(split, {})]
        return spread.summarise(sds).mean / math.sqrt(images) if sds else 0.0


@dataclass(frozen=True)
class Lab:
    """A lab of the book: what it asks, what it trains, and what its source claims. Introduced in lab 03.

    Attributes:
        name: the name of its notebook.
        title: its question.
        sections: where its figures stand in reported.toml, such as "uchile.dropout"; the first is its home.
        arms: what is compared; none in a lab that trains nothing.
        quick, full: the two budgets.
        claims: what the source says in words.
        figures: the source's figures that do not stand under the name of an arm.
        steps: training steps whose cost is measured, see `labkit.experiments.cost`.
    """

    name: str
    title: str
    sections: tuple[str, ...]
    arms: tuple[Arm, ...] = ()
    quick: Budget | None = None
    full: Budget | None = None
    claims: tuple[Claim, ...] = ()
    figures: tuple[Figure, ...] = ()
    steps: tuple[Step, ...] = ()

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
        if seeds is not None and seeds < 1:
            raise ConfigError(f"seeds must be at least 1, got {seeds}.")
        for arm in arms or ():
            if arm not in [a.name for a in self.arms]:
                raise unknown(f"arm of {self.name}", arm, [a.name for a in self.arms])
        wanted = [a for a in self.arms if (not arms or a.name in arms) and not (a.full_only and name == "quick")]
        return [
            arm.run(self.name, name, chosen, seed)
            for seed in range(seeds or chosen.seeds)
            for arm in wanted
            if seeds or seed < (arm.seeds or chosen.seeds)
        ]

    def _owner(self, run: Run) -> Run:
        """Return a run under the lab and the arm that keep its record."""
        arm = next(arm for arm in self.arms if arm.name == run.arm)
        if run.budget == "quick" or not arm.same_as:
            return run
        return replace(run, lab=arm.same_as[0], arm=arm.same_as[1])

    @stoppable()
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
        settings, done = Settings(device, progress, report, callbacks), []
        for planned in self.plan(budget, seeds, arms):
            record = execute(self._owner(planned), settings, again=again)
            done.append(replace(record, lab=self.name, arm=planned.arm))
        return done

    def recorded(self, budget: str = "full", arms: list[str] | None = None) -> list[Run]:
        """Return the finished records of a budget that fit the catalogue as it is now, seed by seed.

        Args:
            budget: "quick" or "full".
            arms: only the runs of these; default: of all.
        """
        finished = []
        for planned in self.plan(budget, seeds=1, arms=arms):
            run = self._owner(planned)
            first = ledger.record_path(run.lab, run.arm, budget, 0)
            known = [ledger.read(path) for path in first.parent.glob(first.name.replace("-seed-0", "-seed-*"))]
            fits = [one for one in known if one.finished and one.arm == run.arm and same_training(one, run)]
            finished += [replace(one, lab=self.name, arm=planned.arm) for one in fits]
        return sorted(finished, key=lambda run: run.seed)  # stable: the arms stay in their order

    def mean(self, metric: str, arm: str, budget: str = "full", epoch: int | None = None) -> spread.Summary:
        """Return mean, sd and number of a metric over the recorded runs of an arm; reads "not run" without any.

        Args:
            metric: a name of `labkit.records.metrics.METRICS`.
            arm: whose runs.
            budget: "quick" or "full".
            epoch: as the runs stood after this epoch; at the end if not given.
        """
        return spread.summarise(_values(self.recorded(budget, [arm]), arm, metric, epoch))

    def first_epoch(self, metric: str, arm: str, value: float, budget: str = "full") -> int | None:
        """Return the first epoch whose mean of a metric over the recorded runs of an arm is at least a value.

        None where no epoch is, or nothing was recorded. Introduced in lab 04.

        Args:
            metric: a name of `labkit.records.metrics.METRICS` that every epoch has, such as "train_acc".
            arm: whose runs.
            value: what the mean has to reach.
            budget: "quick" or "full".
        """
        runs = self.recorded(budget, [arm])
        for epoch in range(1, min((len(run.history) for run in runs), default=0) + 1):
            if spread.summarise(_values(runs, arm, metric, epoch)).mean >= value:
                return epoch
        return None

    def compare(self, source: str | None = None):
        """Return a table, one row a reported figure: reported, recorded (mean ± sd over seeds), verdict, yours.

        "one more run" is the 95 % prediction interval that the verdict comes from, see `labkit.claims.verdict`. Under a
        figure that is not reproduced stands a setting that may explain it, where one is known, and whether it does.

        Args:
            source: only the figures of this source, such as "uchile"; default: all that the lab has.
        """
        import pandas as pd

        full, quick = self.recorded("full"), self.recorded("quick")
        rows = []
        for figure in self.reported_figures(source):
            rows.append(self._compared(figure, full, quick))
            if figure.other and rows[-1][-2].startswith(claims.NOT_REPRODUCED):
                *row, says, yours = self._compared(figure.other, full, quick)
                explains = not says.startswith(claims.NOT_REPRODUCED)
                says = "would explain it" if explains else says.replace(claims.NOT_REPRODUCED, "no")
                rows.append((*row, says, yours))
        recorded, quickly = (
            f"{whose} ({self.budget(name)[1].images})" for whose, name in (("recorded", "full"), ("yours", "quick"))
        )
        columns = ["arm", "figure", "reported", recorded, "one more run", "verdict", quickly]
        return pd.DataFrame(rows, columns=columns).set_index(["arm", "figure"])

    def _compared(self, figure: Figure, full: list[Run], quick: list[Run]) -> tuple:
        """Return a row of `compare`."""
        ours = self.values_of(figure, full)
        yours = figure.of("quick") if figure.of else _values(quick, figure.arm, figure.metric, None)
        whole, known = isinstance(figure.value, int), ours or figure.why_not or figure.of
        judged = figure.judge(ours, full) if known else Verdict(self.why_not(figure.arm))
        return (
            figure.arm,
            figure.label,
            f"{figure.value:,.{reports.decimals(figure.value)}f}",
            _shown(ours, whole),
            _between(judged, figure.value),
            judged.says,
            _shown(yours, whole),
        )

    def values_of(self, figure: Figure, runs: list[Run]) -> list[float]:
        """Return what stands beside a figure: a number for each full run of its arm, or one of all runs together."""
        return figure.of("full") if figure.of else _values(runs, figure.arm, figure.metric, figure.epoch)

    def why_not(self, arm: str) -> str:
        """Return what stands in place of a verdict where an arm has no record; see `labkit.cost.not_trained`."""
        epochs = next(one for one in self.arms if one.name == arm).recipe(self.budget("full")[1].recipe).epochs
        return cost.not_trained(self.name, arm, epochs)

    def reported_figures(self, source: str | None = None) -> Iterator[Figure]:
        """Yield the figures of the lab's sections: those that stand under an arm's name, then those declared here.

        Args:
            source: only those of this source, such as "uchile"; default: all.
        """
        declared = {figure.section for figure in self.figures}
        for section in self.sections:
            key, _, name = section.partition(".")
            if source not in (None, key) or section in declared:
                continue
            for arm, figures in reports.reported(key, name).items():
                if isinstance(figures, dict) and arm not in reports.ABOUT_FIGURES:
                    epoch = figures.get("epochs")  # when the source read them
                    yield from (Figure(section, (arm, m), arm, m, epoch) for m in figures if m != "epochs")
        yield from (figure for figure in self.figures if source in (None, figure.section.partition(".")[0]))

    def differences(self, metric: str, against: str, budget: str = "full"):
        """Return a table, one row an arm: the metric, and its difference from one arm with what that shows.

        Args:
            metric: a name of `labkit.records.metrics.METRICS`.
            against: the arm that the others are compared with.
            budget: whose records.

        Returns:
            A table of the metric (mean ± sd (n)), the difference of the means with its 95 % interval, and what that
            shows: "better", "worse", or "cannot tell" where the interval holds zero.
        """
        import pandas as pd

        if against not in [arm.name for arm in self.arms]:
            raise unknown(f"arm of {self.name}", against, [arm.name for arm in self.arms])
        runs, rows = self.recorded(budget), []
        for arm in self.arms:
            found, same = estimates.difference(runs, metric, arm.name, against), arm.name == against
            rows.append(
                {
                    "arm": arm.name,
                    metric: _shown(_values(runs, arm.name, metric, None), False),
                    f"difference from {against}": "–" if same else str(found),
                    "seen": "–" if same else found.seen,
                }
            )
        return pd.DataFrame(rows).set_index("arm")

    def difference(self, metric: str, arm: str, against: str, budget: str = "full"):
        """Return a metric of one arm less that of another over the records, with what decides it.

        See `labkit.estimates.difference`; introduced in lab 05.
        """
        return estimates.difference(self.recorded(budget, [arm, against]), metric, arm, against)

    def verdicts(self):
        """Return a table, one row a claim: what was measured with its 95 % interval, the margin, p, the verdict."""
        import pandas as pd

        full = self.recorded("full")
        rows = [claim.row(claim.decide(full)) for claim in self.claims]
        return pd.DataFrame(rows, columns=["claim", "measured", "margin", "p", "verdict"]).set_index("claim")

    def _own(self, runs: list[Run]) -> list[Run]:
        """Return the runs that no other lab trains for this one."""
        shared = {arm.name for arm in self.arms if arm.same_as}
        return [run for run in runs if run.arm not in shared]

    def cost(self) -> str:
        """Return one line: what the notebook and the full budget cost, both from measured records."""
        parts = []
        measured = records_dir() / self.name / "cost.json"
        if measured.is_file():
            quick = json.loads(measured.read_text())
            parts.append(f"Quick: {quick['seconds']:.0f} s on {quick['device']}")
        if not self.arms:
            parts.append("Trains nothing")
        elif full := self._own(self.recorded("full")):
            epochs = sorted({len(run.history) for run in full})
            runs = f"{len(full)} run{'s' if len(full) > 1 else ''} of {' or '.join(map(str, epochs))} epochs"
            minutes = sum(run.value("minutes") for run in full)
            parts.append(
                f"Full: {runs} on {self.budget('full')[1].images}, {duration(minutes)} of training on {full[0].device}"
            )
        else:
            parts.append("Full: not run")
        return ". ".join(parts) + "."


def _values(runs: list[Run], arm: str, metric: str | Callable[[Run], float], epoch: int | None) -> list[float]:
    """Return a metric of each run of an arm, at the end or after an epoch."""
    return [(run.until(epoch) if epoch else run).value(metric) for run in runs if run.arm == arm]


def _between(judged: Verdict, value: float) -> str:
    """Return a prediction interval as a table shows it, in the digits of the figure."""
    if judged.low is None or judged.high is None:
        return "–"
    digits = reports.decimals(value)
    return f"[{judged.low:.{digits}f},\N{NO-BREAK SPACE}{judged.high:.{digits}f}]"


def _shown(values: list[float], whole: bool) -> str:
    """Return values as a table shows them: a count, or mean ± sd that a narrow column does not break over two lines."""
    summary = spread.summarise(values)
    text = str(summary)
    if values and whole:
        text = f"{summary.mean:,.0f}" + (f" ± {summary.sd:,.0f} ({summary.n})" if summary.sd else "")
    return text.replace(" ", "\N{NO-BREAK SPACE}") if values else text

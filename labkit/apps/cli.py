"""The command line: labkit list · run · compare · count · transfer · predict · data · doctor.

Not here: book, test and notebooks, which run on a bare Python (workspace.py).
Each command reads its arguments, calls the library and prints.
"""

import click

from labkit.base.errors import LabkitError, unknown


class _Commands(click.Group):
    """A group whose help also names the commands that run without click."""

    def format_epilog(self, ctx, formatter):
        formatter.write_paragraph()
        formatter.write_text(
            "Also, in a clone: book (build the book), test (run all tests), notebooks (store their outputs). "
            "Any command takes --traceback to show where an error comes from."
        )


HOW_TO_READ = """\
ours, recorded, yours: mean ± sd (number of seeds). one more run: 95 % prediction interval, see lab 16.
measured: mean difference [95 % interval]. margin: the difference that counts. p of all: corrected by Holm."""


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="labkit")
def commands():
    """Train, compare and inspect the labs of the CNN coursework book."""


_track = click.option("--track", default=None, help="tensorboard, or wandb (offline, unless WANDB_MODE says online)")


@commands.command("list")
def list_labs():
    """List the labs, what they ask and what they cost."""
    from labkit.catalogue.index import labs

    for lab in labs():
        click.echo(f"{lab.name:28} {lab.title}\n{'':28} {lab.cost()}")


@commands.command()
@click.argument("name")
@click.option("--budget", default=None, help="quick or full  [default: LABKIT_BUDGET, else quick]")
@click.option("--seeds", type=int, default=None, help="How many seeds, from 0.  [default: the budget's]")
@click.option("--arm", "arms", multiple=True, help="Only this arm; may be given several times.")
@click.option("--device", default=None, help="cpu, cuda or mps  [default: the fastest one present]")
@_track
def run(name, budget, seeds, arms, device, track):
    """Train what has no record yet; a stopped run goes on after its last epoch.

    Several processes share one training: torchrun --nproc-per-node=2 -m labkit run LAB
    """
    from labkit.catalogue.index import lab
    from labkit.training import distributed
    from labkit.training.device import pick_device
    from labkit.training.trackers import follower, how_to_look

    with distributed.together(lambda: pick_device(device)):
        say = click.echo if distributed.is_first() else lambda text: None
        chosen, follow = lab(name), follower(track)
        plan = chosen.plan(budget, seeds, list(arms))
        say(f"{name}: {len(plan)} runs of the {plan[0].budget} budget on {chosen.budget(budget)[1].images}")
        runs = chosen.run(
            budget,
            seeds,
            list(arms),
            device=device,
            progress=None if distributed.is_first() else False,
            report=_print_epoch,
            callbacks=follow,
        )
        for one in runs:
            test = one.final["test"]
            say(f"{one.label:24} finished: test accuracy {test['acc']:.4f}, test loss {test['loss']:.4f}")
        if track:
            say(how_to_look(track))


def _print_epoch(run) -> None:
    row = run.history[-1]
    click.echo(
        f"{run.label:24} epoch {row['epoch']:3}/{run.recipe['epochs']}  "
        f"train {row['train_loss']:.4f} {row['train_acc']:.4f}  val {row['val_loss']:.4f} {row['val_acc']:.4f}  "
        f"{row['seconds']:.1f} s  {row['images_per_second']:.0f} images/s"
    )


@commands.command()
@click.argument("name")
@click.option("--repeats", type=click.IntRange(2), default=5, show_default=True, help="Processes for each network.")
@click.option("--device", default=None, help="cpu, cuda or mps  [default: the fastest one present]")
def steps(name, repeats, device):
    """Measure what a training step of each large network of a lab costs: seconds, memory, energy."""
    from labkit.catalogue.index import lab
    from labkit.experiments import cost

    chosen = lab(name)
    if not chosen.steps:
        raise LabkitError(f"{name} has no steps to measure. 11-architectures has.")
    costs = []
    for _ in range(repeats):  # they take turns: what slows the machine for a while slows all
        for step in chosen.steps:
            measured = cost.measure(step, device=device)
            costs.append(measured)
            memory = "unknown" if measured.memory is None else f"{measured.memory / 1e6:,.0f} MB"
            click.echo(f"{measured.name:36} {1 / measured.seconds_per_image:7.1f} images/s  {memory}")
    cost.save(name, costs)


@commands.command()
@click.argument("name")
def compare(name):
    """Print the reported figures of a lab (03-dropout) or of a whole source (uchile) beside ours, with verdicts."""
    import pandas as pd

    from labkit.catalogue import sources
    from labkit.catalogue.index import lab
    from labkit.records import reports

    if name in reports.reported():
        title = f"{reports.reported(name)['title']}: what it reports, and what we found"
        tables = [sources.compare_source(name), sources.claims_of(name)]
    else:
        chosen = lab(name)
        title, tables = chosen.title, [chosen.compare(), chosen.verdicts()]
    click.echo(title)
    with pd.option_context("display.width", 200, "display.max_rows", None, "display.max_colwidth", None):
        for table in tables:
            if len(table):
                click.echo(f"\n{table.to_string()}")
    click.echo(f"\n{HOW_TO_READ}")


@commands.command()
@click.argument("network")
def count(network):
    """Count a VGG network by hand and audit the source's own count: vgg-a to vgg-e; or any model by name."""
    from labkit import models
    from labkit.analysis import summaries
    from labkit.arithmetic import auditing, hand_count
    from labkit.records import reports

    if network.lower().startswith("vgg-"):
        letter = network[4:].upper()
        click.echo(str(hand_count.by_hand(letter)))
        if letter == "D":
            source = reports.reported("uchile", "vgg_d")
            audited = auditing.audit(
                source["lines"], source["total"], size_bytes=source["bytes"], mebibytes=source["mebibytes"]
            )
            click.echo(f"\nThe first coursework's count of the same network:\n{audited}")
        return
    known = [*(f"vgg-{letter.lower()}" for letter in hand_count.VGG), *models.available()]
    if network not in known:
        raise unknown("network to count", network, known)
    click.echo(str(summaries.summary(models.build(network), (3, 32, 32))))


@commands.command()
@click.argument("folder", type=click.Path())
@click.option("--route", "routes", multiple=True, help="Only this route; may be given several times.  [default: all]")
@click.option("--backbone", default="efficientnet_lite0", show_default=True, help="The network from ImageNet.")
@click.option(
    "--epochs", type=click.IntRange(1), default=None, help="Of the routes that are fine-tuned.  [default: 10]"
)
@click.option(
    "--size", type=click.IntRange(32), default=224, show_default=True, help="Pixels that each photograph is made."
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--device", default=None, help="cpu, cuda or mps  [default: the fastest one present]")
@click.option("--skip-unreadable", is_flag=True, help="Go on without photographs that cannot be read.")
@click.option("--out", type=click.Path(), default=None, help="Folder for model and report.  [default: transfer-NAME]")
def transfer(folder, routes, backbone, epochs, size, seed, device, skip_unreadable, out):
    """Train on your own photographs: a folder with one folder a class; write a model and a report."""
    from pathlib import Path

    from labkit.analysis.transfer import ROUTES, check_plan, compare_routes
    from labkit.apps import own_pictures
    from labkit.base.files import check_writable

    check_plan(routes, backbone, device)
    pictures = own_pictures.open_pictures(folder, size, skip_unreadable=skip_unreadable, seed=seed)
    for note in pictures.notes:
        click.echo(note, err=True)
    click.echo(f"{len(pictures.train)} photographs to learn from, {len(pictures.val)} to validate")
    target = Path(out or f"transfer-{pictures.train.name}")
    check_writable(target)  # before the training, not after
    done = compare_routes(
        pictures.train,
        pictures.val,
        routes or ROUTES,
        backbone=backbone,
        epochs=epochs,
        seed=seed,
        device=device,
        progress=None,
        started=lambda name: click.echo(f"{name} ..."),
    )
    click.echo(own_pictures.table(done).to_string())
    chosen = own_pictures.best(done)
    own_pictures.save_model(target / "model.pt", chosen.model, pictures.train.classes, chosen.name)
    report = own_pictures.write_report(target / "report.html", pictures, done)
    click.echo(f"Kept: {chosen.name}\nModel:  {target / 'model.pt'}\nReport: {report}")


@commands.command()
@click.argument("model", type=click.Path())
@click.argument("images", nargs=-1, required=True, type=click.Path())
def predict(model, images):
    """Name what photographs show, by a model that `labkit transfer` wrote."""
    from labkit.apps.own_pictures import predict_files

    unreadable = 0
    for path, chosen, score in predict_files(model, images):
        unreadable += score is None
        click.echo(f"{chosen}" if score is None else f"{path}  {chosen}  score {score:.2f}", err=score is None)
    raise SystemExit(1 if unreadable else 0)


@commands.command()
@click.argument("name")
@click.option("--budget", default="quick", show_default=True, help="quick or full")
@click.option("--sampler", default="grid", show_default=True, help="grid, random or tpe")
@click.option("--trials", type=click.IntRange(1), default=None, help="Of random and tpe: how many, over all workers.")
@click.option("--pruner", default="none", show_default=True, help="none, median or hyperband; not for grids")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes on this machine.")
@click.option("--storage", default=None, help="postgresql://...  [default: a SQLite file in the cache]")
@click.option("--device", default=None, help="cpu, cuda or mps  [default: the fastest one present]")
@_track
def search(name, budget, sampler, trials, pruner, workers, storage, device, track):
    """Train the points of a search; the same command elsewhere, with the same --storage, joins in."""
    from labkit.catalogue.index import search as find
    from labkit.search import workers as crew
    from labkit.search.grid import recorded, table
    from labkit.search.queue import drawn
    from labkit.search.storage import dashboard
    from labkit.training.trackers import how_to_look

    chosen = find(name)
    crew.run(
        chosen,
        budget,
        workers,
        sampler=sampler,
        trials=trials,
        pruner=pruner,
        storage=storage,
        device=device,
        track=track,
    )
    runs = recorded(chosen, budget) if sampler == "grid" else drawn(chosen, budget, sampler, storage)
    click.echo(table(runs, chosen).head(10).to_string())
    if track:
        click.echo(how_to_look(track))
    click.echo(dashboard(storage))


@commands.group()
def data():
    """Fetch the full data sets, or see what is in place."""


@data.command("fetch")
@click.argument("name")
@click.option("--mirror", "mirrors", multiple=True, help="Another address to try first; may be given several times.")
def data_fetch(name, mirrors):
    """Download cifar10, mnist or hymenoptera; every file is checked by its md5."""
    from labkit.data.download import fetch

    click.echo(f"{name} is ready in {fetch(name, tuple(mirrors))}")


@data.command("status")
def data_status():
    """Say for each data set whether it is in place and whole."""
    from labkit.base.files import data_dir
    from labkit.data.download import SOURCES, faults

    click.echo(f"data folder: {data_dir()}")
    for name in SOURCES:
        missing = list(faults(name))
        click.echo(f"{name:12} {'ready' if not missing else f'not ready: {missing[0]}'}")


@commands.command()
def doctor():
    """Check this machine: Python, torch, device, bundled images; say what is missing."""
    import platform
    import sys

    import torch

    from labkit.data.images import BUNDLED, load
    from labkit.training.device import pick_device

    problems = 0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else 1
    click.echo(f"Python      {platform.python_version()}" + ("  wanted: 3.11 to 3.13" if problems else ""))
    click.echo(f"torch       {torch.__version__}, {torch.get_num_threads()} threads")
    click.echo(f"device      {pick_device()}")
    try:
        click.echo(f"images      {load(BUNDLED).train}")
    except LabkitError as error:
        problems += 1
        click.echo(f"images      {error}")
    raise SystemExit(problems)

"""Figures of a search: the words are made from the records, what diverged is marked, and a browser draws Optuna's."""

import io
import math
import re

import numpy as np
import pytest
from PIL import Image

from labkit import plots
from labkit.base.errors import ConfigError
from labkit.data.chosen import Images
from labkit.experiments.design import Budget
from labkit.plots.interactive import copy_script
from labkit.search.grid import Range, Search, as_study, best, by_value, point_name, recorded
from labkit.search.queue import work
from labkit.training.recipe import Recipe
from tests.reading import BOOK, PAGE

SMALL = Budget(Images("fashion-mnist-small", train_per_class=4), Recipe(epochs=2, optimizer="sgd"), 1)
NOT_RUN = "Full: not run, so there is nothing to draw."


def made(space, **more) -> Search:
    return Search(name="made", model="mlp", options={}, space=space, quick=SMALL, full=SMALL, **more)


GRID = made({"data.image_size": (32, 64), "model.kernel_size": (3, 4, 5), "recipe.lr": (0.1, 0.001)})
RATES = made({"recipe.lr": (0.1, 0.01), "recipe.momentum": (0.0, 0.9)})
FREE = made({"recipe.lr": Range(1e-4, 1e-1, log=True), "model.channels": Range(8, 32, whole=True)})


def record(search, point, value, trial=0, images=1000, seed=0):
    """Return the record of a point that reached `value`."""
    run = search.run(point, "full", seed=seed, trial=trial)
    run.history = [{"epoch": 1, "val_acc": value, "val_loss": 3 - value, "seconds": 1.0}]
    run.model["num_classes"], run.data["val"] = 10, {"images": images}
    run.finished = True
    return run


def grid_records():
    """Records of the grid: 64 px is better by 0.1, kernels of 4 by 0.02, the learning rate does nothing."""
    reach = {32: 0.4, 64: 0.5}
    return [
        record(GRID, p, reach[p["data.image_size"]] + 0.02 * (p["model.kernel_size"] == 4), trial)
        for trial, p in enumerate(GRID.points())
    ]


def rate_records(values, images=1000):
    return [record(RATES, p, v, i, images) for i, (p, v) in enumerate(zip(RATES.points(), values, strict=True))]


def free_records(count=12):
    draw = np.random.default_rng(0)
    points = [
        {"recipe.lr": 10 ** draw.uniform(-4, -1), "model.channels": int(draw.integers(8, 33))} for _ in range(count)
    ]
    return [record(FREE, p, 0.3 + 0.01 * p["model.channels"], i) for i, p in enumerate(points)]


def size(picture):
    image = Image.open(io.BytesIO(picture.png)).convert("RGBA")
    assert (np.asarray(image)[[0, -1], [0, -1]] == 255).all()
    return image.size


def colours(picture):
    return {tuple(c) for c in np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")).reshape(-1, 3)}


@pytest.mark.parametrize("draw", [plots.parallel, plots.best_so_far, plots.slices, plots.importance])
def test_every_figure_of_no_record_says_so(draw):
    assert draw([], GRID, "Full").alt == NOT_RUN
    assert plots.heat_map([], RATES, "recipe.lr", "recipe.momentum", "Full").alt == NOT_RUN


def test_parallel_tells_the_best_and_what_the_best_share():
    alt = plots.parallel(grid_records(), GRID, "Grid").alt
    assert alt == (
        "Parallel lines of 12 points over input size (px), kernel size, learning rate and validation accuracy. Grid. "
        "fashion-mnist-small, 4 training images a class, 12 points. Best: validation accuracy 0.520 at input size (px) "
        "64, kernel size 4, learning rate 0.1. "
    )
    many = [record(GRID, p, 0.5 + 0.001 * i, i) for i, p in enumerate(GRID.points() * 3)]
    assert "Of the best 3: input size (px) 64 in 3, kernel size 5 in 2," in plots.parallel(many, GRID).alt
    assert size(plots.parallel(free_records(), FREE)) == (740, 420)


def test_best_so_far_follows_the_order_of_training():
    runs = rate_records([0.3, 0.5, 0.4, 0.45])
    said = "Best after 1: 0.300; after 1: 0.300; after 4: 0.500, reached at point 2."
    assert said in plots.best_so_far(runs, RATES).alt
    assert said in plots.best_so_far(runs[::-1], RATES).alt
    falling = made(RATES.space, metric="val_loss")
    assert "after 4: 2.500, reached at point 2." in plots.best_so_far(runs, falling).alt


def test_slices_give_the_mean_at_each_value():
    alt = plots.slices(grid_records(), GRID, "Grid").alt
    assert "input size (px): mean 0.407 at 32, 0.507 at 64." in alt
    assert "kernel size: mean 0.450 at 3, 0.470 at 4, 0.450 at 5." in alt
    assert "learning rate: mean 0.457 at 0.001, 0.457 at 0.1." in alt
    assert "channels: the best at 3" in plots.slices(free_records(), FREE).alt


def test_importance_finds_the_dimension_that_matters():
    alt = plots.importance(grid_records(), GRID, "Grid").alt
    shares = dict(re.findall(r"(?:^|; )([a-z ()]+) (\d\.\d+)", alt.split("points. ")[1]))
    assert next(iter(shares)) == "input size (px)"
    assert float(shares["input size (px)"]) > 0.8
    assert float(shares["learning rate"]) < 0.01
    assert plots.importance(grid_records()[:7], GRID, "Full").alt == NOT_RUN
    alike = [record(GRID, p, 0.5) for p in GRID.points()]
    assert plots.importance(alike, GRID, "Full").alt == NOT_RUN


def test_heat_map_marks_what_diverged_and_what_guesses():
    picture = plots.heat_map(rate_records([0.5, math.nan, 0.11, 0.30]), RATES, "recipe.lr", "recipe.momentum", "Rates")
    assert picture.alt.endswith("4 points. 0.01: 0.110 (chance) at 0, 0.300 at 0.9. 0.1: 0.500 at 0, diverged at 0.9.")
    assert any(np.allclose(colour, (0xF3, 0xD9, 0xC9), atol=2) for colour in colours(picture))
    plain = plots.heat_map(rate_records([0.5, 0.4, 0.2, 0.3]), RATES, "recipe.lr", "recipe.momentum")
    assert not any(np.allclose(colour, (0xF3, 0xD9, 0xC9), atol=2) for colour in colours(plain))


def test_chance_depends_on_the_number_of_images():
    """0.13 of 100 images may be guessing; of 10,000 it is not."""
    few = plots.heat_map(rate_records([0.13] * 4, 100), RATES, "recipe.lr", "recipe.momentum").alt
    many = plots.heat_map(rate_records([0.13] * 4, 10_000), RATES, "recipe.lr", "recipe.momentum").alt
    assert (few.count("chance"), many.count("chance")) == (4, 0)


def test_heat_map_of_points_that_all_diverged_and_of_an_unknown_dimension():
    alt = plots.heat_map(rate_records([math.nan] * 4), RATES, "recipe.lr", "recipe.momentum").alt
    assert alt.count("diverged") == 4
    with pytest.raises(ConfigError, match="has no dimension 'recipe.epochs'; it has recipe.lr, recipe.momentum"):
        plots.heat_map(rate_records([0.5] * 4), RATES, "recipe.epochs", "recipe.momentum")


def test_figures_leave_out_what_diverged():
    runs = rate_records([0.3, math.nan, 0.4, 0.45])
    for draw in (plots.parallel, plots.best_so_far, plots.slices):
        assert "3 points" in draw(runs, RATES).alt
    assert len(as_study(runs, RATES).trials) == 3
    assert [run.value("val_acc") for run in best(runs, RATES, 9)] == [0.45, 0.4, 0.3]


def test_a_point_that_diverges_is_finished_once_and_drawn_as_such(monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    wild = made({"recipe.lr": (1e30, 0.01), "recipe.momentum": (0.0,)})
    assert work(wild, "quick", device="cpu") == 2
    assert work(wild, "quick", device="cpu") == 0
    runs = list(recorded(wild, "quick"))
    assert [math.isnan(run.value("val_acc")) for run in runs] == [True, False]
    alt = plots.heat_map(runs, wild, "recipe.lr", "recipe.momentum").alt
    assert "1e+30: diverged at 0." in alt


def test_values_are_compared_at_equal_settings_of_all_others():
    runs = grid_records()
    runs.append(record(GRID, GRID.points()[0], 0.9, seed=1))  # a repeat must not count twice
    from labkit.records.estimates import setting_by_setting

    sizes = by_value(runs, GRID, "data.image_size")
    assert setting_by_setting(sizes, "val_acc", "image_size=64", "image_size=32").values == pytest.approx([0.1] * 6)
    kernels = by_value(runs, GRID, "model.kernel_size")
    assert setting_by_setting(kernels, "val_acc", "kernel_size=4", "kernel_size=5").values == pytest.approx([0.02] * 4)
    assert point_name(GRID.point_of(runs[0])) == runs[0].arm


def test_taps_tell_weights_and_windows():
    alt = plots.taps([(3, 1), (2, 2), (3, 2)], "Three kernels").alt
    assert alt == (
        "Grids of pixels with those that a kernel looks at. Three kernels: a 3 x 3 kernel with dilation 1 looks at 9 "
        "pixels of a window of 3 x 3; a 2 x 2 kernel with dilation 2 looks at 4 pixels of a window of 3 x 3; a 3 x 3 "
        "kernel with dilation 2 looks at 9 pixels of a window of 5 x 5."
    )
    for wrong in ([], [(3, 1)] * 5, [(6, 2)]):
        with pytest.raises(ConfigError, match="one to four kernels that reach over at most 9"):
            plots.taps(wrong)


def test_words_of_a_title_cannot_end_the_script():
    page = plots.slices(grid_records(), GRID, "</script>").page
    assert page.count("</script>") == 1


@pytest.mark.parametrize("width", [900, 390])
def test_a_browser_draws_each_figure(tmp_path, browser, width):
    """All four in one page: plotly.js is loaded once, nothing is complained about, nothing is wider than the page."""
    (tmp_path / "notebooks").mkdir()
    copy_script(tmp_path / "_static")
    figures = [
        draw(grid_records(), GRID, "Grid")
        for draw in (plots.parallel, plots.best_so_far, plots.slices, plots.importance)
    ]
    path = tmp_path / "notebooks" / "all.html"
    path.write_text(PAGE.format(marker=BOOK, ground="white", body="".join(f.page for f in figures)), encoding="utf-8")
    context = browser.new_context(viewport={"width": width, "height": 900})
    page, seen, asked = context.new_page(), [], []
    page.set_default_timeout(120_000)
    page.on("console", lambda message: seen.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_function("document.querySelectorAll('.lp-drawn').length == 4")
    assert sum(url.endswith("plotly.min.js") for url in asked) == 1
    assert seen == []
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth + 1")
    assert page.locator(".main-svg").first.bounding_box()["width"] > 0.8 * width
    page.emulate_media(media="print")
    assert page.locator(".lp-picture img").first.bounding_box()["width"] > 0.8 * min(width, 740)
    context.close()

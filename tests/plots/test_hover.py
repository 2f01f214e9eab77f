"""Points with their images under the pointer, in a real browser: the right image, and a picture where scripts fail."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from plotly.offline import get_plotlyjs_version

from labkit import plots
from labkit.base.errors import ConfigError
from labkit.data.images import ImageSet
from labkit.plots.hover import SYMBOLS, sheet
from labkit.plots.interactive import SCRIPT, copy_script
from tests.reading import BOOK, PAGE, serving

CLASSES = ("ant", "bee", "c<b>at")
PLACE = """([box, curve, number]) => {
  const plot = document.querySelectorAll(".lh-canvas")[box], {xaxis, yaxis} = plot._fullLayout;
  const {x, y} = plot.getBoundingClientRect(), trace = plot.data[curve];
  return [x + xaxis._offset + xaxis.d2p(trace.x[number]), y + yaxis._offset + yaxis.d2p(trace.y[number])];
}"""


def made(count=30, height=8, channels=1, classes=CLASSES):
    """Make images of which each is of one grey, its own, and points that stand apart from each other."""
    grey = (torch.arange(count) * 7 % 256).to(torch.uint8).view(-1, 1, 1, 1).expand(count, channels, height, height)
    data = ImageSet("made", "val", grey.clone(), torch.arange(count) % len(classes), tuple(classes))
    across, up = np.arange(count) % 6, np.arange(count) // 6
    return np.stack([across, up], axis=1) * 10.0, data


def some(title="Last layer", chosen=True, count=30):
    points, data = made(count)
    index = np.arange(count)[::-1].copy()
    return plots.hover_plane(points, data, index, (index + 1) % 3 if chosen else None, title, "silhouette 0.41")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Serve pages as the book has them, and one that is not of the book; give the address of their folder."""
    folder = tmp_path_factory.mktemp("hover")
    (folder / "notebooks").mkdir()
    copy_script(folder / "_static")
    one, two = some().page, some("Second <layer>", chosen=False).page
    bodies = {
        "one": (one, BOOK),
        "two": (f"{one}<p>between</p>{two}", BOOK),
        "twins": (one + one, BOOK),
        "elsewhere": (one, ""),
    }
    for name, (body, marker) in bodies.items():
        page = PAGE.format(marker=marker, ground="#121212" if name == "two" else "white", body=body)
        (folder / "notebooks" / f"{name}.html").write_text(page, encoding="utf-8")
    with serving(folder) as address:
        yield f"{address}/notebooks"


@pytest.fixture
def opened(browser):
    """Open a page in a context of its own; note what it asks for and what it complains about."""
    contexts = []

    def open_page(url, block=None, wait=True, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.asked, page.seen = [], []
        page.on("console", lambda message: page.seen.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.seen.append(str(error)))
        page.on("requestfailed", lambda request: page.seen.append(f"failed: {request.url}"))
        page.on("request", lambda request: page.asked.append(request.url))
        if block:
            page.route(block, lambda route: route.abort())
        page.goto(url, wait_until="load")
        if wait:
            page.wait_for_selector(".lh-drawn .main-svg")
        return page

    yield open_page
    for context in contexts:
        context.close()


def scripts(page):
    return [url for url in page.asked if url.endswith(".js")]


def size(page, selector):
    box = page.locator(selector).first.bounding_box()
    return box["width"], box["height"]


def words(page, box=0):
    return page.locator(".lh-words").nth(box).inner_text()


def grey_shown(page, box=0):
    """Return the grey in the middle of the image beside the pointer, as it is on the screen."""
    shot = page.locator(".lh-image").nth(box).screenshot()
    image = np.asarray(Image.open(io.BytesIO(shot)).convert("L"))
    assert np.ptp(image[4:-4, 4:-4].astype(int)) <= 1  # one tile alone: the sheet stands neither between two nor askew
    return int(image[image.shape[0] // 2, image.shape[1] // 2])


def test_the_plot_takes_the_place_of_the_picture(pages, opened):
    page = opened(f"{pages}/one.html", viewport={"width": 900, "height": 800})
    assert page.seen == []
    assert scripts(page) == [f"{pages.removesuffix('/notebooks')}/_static/{SCRIPT}"]
    assert size(page, ".lh-picture") == (1, 1)
    assert size(page, ".lh-canvas .main-svg")[1] > 400
    assert page.locator(".lh-head").inner_text() == "Last layer\nsilhouette 0.41"
    assert page.get_by_role("img", name="Plane of points of ant, bee").count() == 1  # still there for a screen reader
    assert page.locator(".lh-canvas .legendtext").all_text_contents() == list(CLASSES)


@pytest.mark.parametrize("number", [0, 9])
def test_pointing_at_a_point_shows_its_image(pages, opened, number):
    page = opened(f"{pages}/one.html", viewport={"width": 900, "height": 800})
    for curve in range(3):
        page.mouse.move(*page.evaluate(PLACE, [0, curve, number]))
        page.wait_for_function("document.querySelector('.lh-tip').style.opacity == 1")
        point = page.evaluate("([c, n]) => document.querySelector('.lh-canvas').data[c].customdata[n]", [curve, number])
        image = 29 - point  # the index ran backwards
        assert image % 3 == curve
        assert words(page) == f"true class: {CLASSES[curve]}\nchosen: {CLASSES[(curve + 1) % 3]}"
        place = page.locator(".lh-image").evaluate("node => node.style.backgroundPosition")
        row, column = divmod(point, 6)
        assert place == f"{-column * 112}px {-row * 112}px"
        assert grey_shown(page) == pytest.approx(image * 7, abs=1)
        page.mouse.move(2, 2)
        page.wait_for_function("document.querySelector('.lh-tip').style.opacity == 0")
        assert words(page) == ""
    assert page.seen == []


def test_arrow_keys_go_from_point_to_point(pages, opened):
    page = opened(f"{pages}/one.html")
    page.keyboard.press("Tab")
    assert page.locator(".lh-points").evaluate("node => node === document.activeElement")
    assert page.locator(".lh-points").evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
    shown = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
        shown.append(grey_shown(page) // 7)
    assert shown == [27, 24, 27, 2, 27]  # the images of class 0 from the last on; before the first, the last of all
    assert words(page) == "true class: ant\nchosen: bee"
    ring, point = page.locator(".lh-ring").bounding_box(), page.evaluate(PLACE, [0, 0, 0])
    assert [ring["x"] + 8, ring["y"] + 8] == pytest.approx(point, abs=1)
    page.keyboard.press("Escape")
    assert words(page) == ""


def test_keys_pass_over_a_class_that_is_switched_off(pages, opened):
    page = opened(f"{pages}/one.html")
    page.evaluate("Plotly.restyle(document.querySelector('.lh-canvas'), {visible: 'legendonly'}, [0, 1])")
    page.locator(".lh-points").press("ArrowRight")
    assert words(page) == f"true class: {CLASSES[2]}\nchosen: ant"


def test_a_tap_shows_the_image_on_a_phone(pages, opened):
    page = opened(f"{pages}/one.html", viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for curve, number in ((0, 0), (1, 9), (2, 5)):
        page.touchscreen.tap(*page.evaluate(PLACE, [0, curve, number]))
        page.wait_for_timeout(700)  # longer than a phone waits for a second tap
        assert words(page).startswith(f"true class: {CLASSES[curve]}\n")
        assert grey_shown(page) // 7 % 3 == curve
        tip, frame = (page.locator(f".lh-{name}").bounding_box() for name in ("tip", "points"))
        assert frame["x"] <= tip["x"]
        assert tip["x"] + tip["width"] <= frame["x"] + frame["width"] <= 390
    assert page.seen == []


def test_without_the_script_the_picture_stays(pages, opened):
    page = opened(f"{pages}/two.html", block=f"**/{SCRIPT}", wait=False, viewport={"width": 900, "height": 800})
    page.wait_for_timeout(300)
    assert size(page, ".lh-picture img") == (740, 520)
    assert size(page, ".lh-plot")[1] == 0
    assert page.locator(".lh-drawn").count() == 0
    assert not page.locator(".lh-hint").first.is_visible()
    assert [line for line in page.seen if not line.startswith(("failed", "Failed to load"))] == []
    assert len(scripts(page)) == 1  # and nothing is asked of another server


def test_with_scripts_off_the_picture_stays(pages, opened):
    page = opened(f"{pages}/one.html", wait=False, java_script_enabled=False)
    assert page.locator(".lh-picture img").is_visible()
    assert not page.locator(".lh-hint").is_visible()


def test_paper_shows_the_picture(pages, opened):
    page = opened(f"{pages}/one.html", viewport={"width": 900, "height": 800})
    page.emulate_media(media="print")
    assert size(page, ".lh-picture img") == (740, 520)
    assert size(page, ".lh-plot")[1] == 0
    assert page.seen == []


def test_two_plots_load_the_script_once(pages, opened):
    page = opened(f"{pages}/two.html", viewport={"width": 900, "height": 1400})
    page.wait_for_function("document.querySelectorAll('.lh-drawn .main-svg').length >= 2")
    assert len(scripts(page)) == 1
    page.mouse.move(*page.evaluate(PLACE, [1, 2, 3]))
    page.wait_for_function("document.querySelectorAll('.lh-tip')[1].style.opacity == 1")
    assert [words(page, 0), words(page, 1)] == ["", f"true class: {CLASSES[2]}"]
    assert page.locator(".lh-head").nth(1).inner_text().startswith("Second <layer>")
    assert page.locator(".labkit-hover").first.evaluate("node => getComputedStyle(node).backgroundColor") == (
        "rgb(255, 255, 255)"  # also on a dark page
    )
    assert page.seen == []


def test_one_figure_shown_twice(pages, opened):
    page = opened(f"{pages}/twins.html", viewport={"width": 900, "height": 1400})
    page.wait_for_function("document.querySelectorAll('.lh-drawn').length == 2")
    page.locator(".lh-points").nth(1).press("ArrowRight")
    assert [words(page, 0) == "", words(page, 1) == ""] == [True, False]


def test_a_page_opened_as_a_file(tmp_path, opened):
    (tmp_path / "notebooks").mkdir()
    copy_script(tmp_path / "_static")
    path = tmp_path / "notebooks" / "one.html"
    path.write_text(PAGE.format(marker=BOOK, ground="white", body=some().page), encoding="utf-8")
    page = opened(path.as_uri())
    assert page.seen == []


def test_elsewhere_the_script_comes_from_the_net(pages, opened):
    page = opened(f"{pages}/elsewhere.html", block="https://**", wait=False)
    page.wait_for_timeout(300)
    assert scripts(page) == [f"https://cdn.plot.ly/plotly-{get_plotlyjs_version()}.min.js"]
    assert page.locator(".lh-picture img").is_visible()


def test_other_outputs_are_those_of_a_picture():
    figure = some()
    bundle = figure._repr_mimebundle_()
    assert isinstance(figure, plots.Picture)
    assert Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).size == (740, 520)
    assert bundle["text/plain"] == repr(figure) == f"Figure: {figure.alt}"
    assert figure.alt.startswith("Plane of points of ant, bee, c<b>at. Last layer. 30 points of 3 classes.")
    assert 'alt="Plane of points of ant, bee, c&lt;b&gt;at.' in bundle["text/html"]
    assert some().page == figure.page  # the same figure is the same page


def test_words_of_the_data_cannot_end_the_script():
    points, data = made(classes=("ant", "</script><script>alert(1)</script>"))
    page = plots.hover_plane(points, data, range(30), title="</script>").page
    assert page.count("</script>") == 1


@pytest.mark.parametrize(("height", "channels", "shown"), [(28, 1, 28), (32, 3, 32), (224, 3, 64)])
def test_the_sheet_holds_each_image(height, channels, shown):
    _, data = made(7, height, channels)
    tiles = sheet(data)
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(tiles["image"].split(",")[1]))))
    assert image.shape[:2] == (3 * shown, 3 * shown)
    times = tiles["width"] // shown
    assert tiles["size"] == [3 * shown * times, 3 * shown * times]
    for number in range(7):
        row, column = divmod(number, tiles["columns"])
        tile = image[row * shown : (row + 1) * shown, column * shown : (column + 1) * shown]
        assert (tile == number * 7).all()


def test_wrong_input_is_refused():
    points, data = made()
    with pytest.raises(ConfigError, match="at most 2,000 points, since .* got 2,001. Take some of them, or draw all"):
        plots.hover_plane(np.zeros((2001, 2)), data, np.zeros(2001, int))
    for index in ([], [0, 30], [-1]):
        with pytest.raises(ConfigError, match="index must name at least one of the 30 images of made"):
            plots.hover_plane(points[: len(index)], data, index)
    with pytest.raises(ConfigError, match="30 points need one chosen class each, got 29"):
        plots.hover_plane(points, data, range(30), [0] * 29)
    with pytest.raises(ConfigError, match="31 points need one label each|30 points need one label each"):
        plots.hover_plane(points, data, range(29))


def test_every_shape_has_its_symbol():
    from labkit.plots.answers import SHAPES

    assert set(SYMBOLS) == set(SHAPES)
    assert len(set(SYMBOLS.values())) == len(SHAPES)


def test_copy_script_writes_only_what_is_new(tmp_path):
    path = copy_script(tmp_path / "_static")
    assert path == tmp_path / "_static" / SCRIPT
    assert f"plotly.js v{get_plotlyjs_version()}" in path.read_text(encoding="utf-8")[:200]
    assert "Licensed under the MIT license" in path.read_text(encoding="utf-8")[:400]
    before = path.stat().st_mtime_ns
    copy_script(tmp_path / "_static")
    assert path.stat().st_mtime_ns == before
    path.write_text("an older version")
    copy_script(tmp_path / "_static")
    assert path.stat().st_size > 1_000_000

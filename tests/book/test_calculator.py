"""The output-size calculator of lab 02, in a real browser, against `labkit.arithmetic.sizes.conv_out`.

The page of the built book is tested as a local file; small pages made here show what one page cannot.
"""

import random
import re
import shutil

import pytest

from labkit.arithmetic.sizes import conv_out
from tests.reading import ROOT, serving

STATIC = ROOT / "book" / "_static"
LABELS = ("Input size", "Kernel size", "Stride", "Padding", "Dilation")
LIMITS = ((1, 224), (1, 11), (1, 8), (0, 8), (1, 6))
PAGE = """<!doctype html><html lang="en" data-theme="light"><head>
<meta charset="utf-8"><title>calculator</title><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><link rel="stylesheet" href="size-calculator.css">
<script src="size-calculator.js"></script></head><body>{body}</body></html>"""
ONE = '<div class="size-calculator">Without JavaScript: use conv_out.</div>'
STARTED = (
    '<div class="size-calculator" data-size="32" data-kernel="5" data-stride="2" data-padding="2" '
    'data-dilation="1">fallback</div>'
)
ODD_START = '<div class="size-calculator" data-size="0" data-kernel="three" data-padding="">fallback</div>'


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """Serve small pages with the two files of the calculator; give the address of their folder."""
    folder = tmp_path_factory.mktemp("calculator")
    for name in ("size-calculator.js", "size-calculator.css"):
        shutil.copy(STATIC / name, folder)
    bodies = {"one": ONE, "two": ONE + STARTED, "none": "<p>No calculator.</p>", "odd": ODD_START}
    for name, body in bodies.items():
        (folder / f"{name}.html").write_text(PAGE.format(body=body), encoding="utf-8")
    with serving(folder) as address:
        yield address


@pytest.fixture(scope="session")
def calculator_url(html):
    """The page under test: that of lab 02 in the built book, opened as a local file, as a reader may."""
    return (html / "notebooks" / "02-output-sizes.html").as_uri()


def is_ours(message):
    """Tell an error of the calculator from what the theme around it writes to the console."""
    return message.type == "error" and "size-calculator" in message.location["url"]


@pytest.fixture
def page(browser):
    """A fresh page; the test fails on an uncaught error or an error message of the calculator."""
    page = browser.new_page()
    page.set_default_timeout(20_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if is_ours(message) else None)
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def calculator(page, calculator_url):
    page.goto(calculator_url)
    return page.locator(".size-calculator").first


def number(calculator, label):
    return calculator.get_by_role("spinbutton", name=label)


def slider(calculator, label):
    return calculator.get_by_role("slider", name=label)


def enter(calculator, *setting):
    for label, value in zip(LABELS, setting, strict=True):
        number(calculator, label).fill(str(value))


def result(calculator):
    return calculator.locator("output").inner_text()


def expected(setting):
    """Return the sentence the calculator has to show for a setting."""
    try:
        out = conv_out(*setting)
    except ValueError as error:
        return str(error)
    return f"Output size: {out} × {out} pixel{'s' if out > 1 else ''}"


def random_settings(count, seed=2):
    """Draw settings from the whole range; every second one has a small input, so that some are impossible."""
    draw = random.Random(seed)
    return [tuple(draw.randint(low, min(high, 20) if i % 2 else high) for low, high in LIMITS) for i in range(count)]


def test_200_settings_agree_with_conv_out(calculator):
    settings = random_settings(200)
    wanted = [expected(setting) for setting in settings]
    assert 20 < sum(sentence.startswith("A kernel") for sentence in wanted) < 180
    boxes = [number(calculator, label).element_handle() for label in LABELS]  # looked up once: it is slow
    output = calculator.locator("output").element_handle()
    shown = []
    for setting in settings:
        for box, value in zip(boxes, setting, strict=True):
            box.fill(str(value))
        shown.append(output.inner_text())
    assert shown == wanted


def test_formula_ends_in_the_output_size(calculator):
    enter(calculator, 224, 7, 2, 3, 1)
    assert calculator.locator(".sc-formula li").all_inner_texts() == [
        "= floor((224 + 2 × 3 − 1 × (7 − 1) − 1) / 2) + 1",
        "= floor((224 + 6 − 6 − 1) / 2) + 1",
        "= floor(223 / 2) + 1",
        "= 111 + 1",
        "= 112",
    ]


def test_exposed_function_raises_the_same_sentences(calculator):
    too_low = [(0, 3, 1, 0, 1), (7, 0, 1, 0, 1), (7, 3, 0, 0, 1), (7, 3, 1, -1, 1), (7, 3, 1, 0, 0)]
    settings = [*random_settings(50, seed=3), *too_low]
    call = """(all) => all.map((s) => {
        try { return window.sizeCalculator.convOut(...s); }
        catch (e) { return e instanceof RangeError ? e.message : "not a RangeError"; }
    })"""

    def python(setting):
        try:
            return conv_out(*setting)
        except ValueError as error:
            return str(error)

    assert calculator.page.evaluate(call, settings) == [python(setting) for setting in settings]
    assert calculator.page.evaluate("window.sizeCalculator.convOut(7, 3)") == conv_out(7, 3)


def test_impossible_setting_draws_no_window(calculator):
    enter(calculator, 5, 5, 1, 1, 2)
    assert result(calculator) == (
        "A kernel that reaches over 9 pixels does not fit into 7 (size 5, padding 1). "
        "Use a larger input, more padding or a smaller kernel."
    )
    assert calculator.get_by_role("img").count() == 0
    assert calculator.locator(".sc-formula li").count() == 0
    enter(calculator, 5, 3, 1, 1, 2)
    assert calculator.get_by_role("img").count() == 2


@pytest.mark.parametrize("typed", ["", "2.5", "0", "12", "-3", "1e5"])
def test_wrong_number_says_what_is_expected(calculator, typed):
    enter(calculator, 7, 3, 1, 0, 1)
    kernel = number(calculator, "Kernel size")
    kernel.fill(typed)
    assert result(calculator).startswith("Kernel size must be a whole number from 1 to 11; now it is ")
    assert kernel.get_attribute("aria-invalid") == "true"
    assert calculator.get_by_role("img").count() == 0
    kernel.fill("5")
    assert kernel.get_attribute("aria-invalid") == "false"
    assert result(calculator) == "Output size: 3 × 3 pixels"


def test_letters_in_a_number_field(calculator):
    kernel = number(calculator, "Kernel size")
    kernel.press("ControlOrMeta+a")
    kernel.press_sequentially("e-")
    assert "it is empty or not a number" in result(calculator)


def test_keyboard_alone_reaches_and_moves_every_slider(calculator):
    enter(calculator, 9, 3, 1, 0, 1)
    calculator.page.evaluate("document.activeElement.blur()")
    slider(calculator, "Input size").focus()
    calculator.page.keyboard.press("ArrowRight")
    assert result(calculator) == "Output size: 8 × 8 pixels"
    for label in LABELS[1:]:
        calculator.page.keyboard.press("Tab")  # the number of the control before
        calculator.page.keyboard.press("Tab")
        handle = slider(calculator, label)
        assert handle.evaluate("node => node === document.activeElement")
        assert handle.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
        before, reach = result(calculator), handle.input_value()
        calculator.page.keyboard.press("ArrowRight")
        assert number(calculator, label).input_value() == handle.input_value() == str(int(reach) + 1)
        assert result(calculator) != before


def test_tab_from_the_top_of_the_page(page, pages):
    page.goto(f"{pages}/one.html")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert result(page) == "Output size: 6 × 6 pixels"


def test_slider_and_number_follow_each_other(calculator):
    number(calculator, "Input size").fill("40")
    assert slider(calculator, "Input size").input_value() == "40"
    number(calculator, "Input size").fill("200")  # beyond the slider, which stays at its end
    assert slider(calculator, "Input size").input_value() == "64"
    assert slider(calculator, "Input size").get_attribute("aria-valuetext") == "200 pixels"
    slider(calculator, "Input size").press("ArrowLeft")
    assert number(calculator, "Input size").input_value() == "63"


def marked(calculator, name):
    found = calculator.locator(f".sc-{name}[data-row]")
    return found.evaluate_all("all => all.map((n) => [Number(n.dataset.row), Number(n.dataset.column)])")


def test_window_moves_over_the_padded_input(calculator):
    enter(calculator, 8, 3, 2, 1, 2)
    assert marked(calculator, "tap") == [[y, x] for y in (0, 2, 4) for x in (0, 2, 4)]
    assert marked(calculator, "made") == [[0, 0]]
    slider(calculator, "Output pixel row").press("End")
    slider(calculator, "Output pixel column").press("ArrowRight")
    assert marked(calculator, "tap") == [[y, x] for y in (4, 6, 8) for x in (2, 4, 6)]
    assert marked(calculator, "made") == [[2, 1]]
    label = calculator.get_by_role("img").first.get_attribute("aria-label")
    assert label == (
        "Input of 8 by 8 pixels with padding 1 on each side. The output pixel in row 3, column 2 reads "
        "rows 4, 6, 8 and columns 2, 4, 6."
    )
    number(calculator, "Input size").fill("6")  # the output shrinks to 2: the window goes to its last place
    assert marked(calculator, "made") == [[1, 1]]


@pytest.mark.parametrize(
    ("setting", "keeps", "past"),
    [
        ((7, 3, 1, 0, 1), 1, 0),
        ((8, 3, 2, 0, 1), 1, 1),
        ((8, 3, 2, 1, 1), 1, 1),
        ((7, 2, 1, 0, 1), None, 0),
        ((7, 2, 3, 0, 2), 1, 1),
        ((20, 1, 8, 0, 1), 0, 3),
        ((12, 3, 5, 1, 1), 1, 1),
        ((13, 3, 7, 1, 1), 1, 5),
    ],
)
def test_facts_beside_the_result(calculator, setting, keeps, past):
    size, kernel, stride, padding, dilation = setting
    enter(calculator, *setting)
    text = calculator.locator(".sc-facts").inner_text()
    if keeps is None:
        assert "No padding keeps the size at stride 1" in text
    else:
        assert f"At stride 1, padding {keeps} keeps the size" in text
        assert conv_out(size, kernel, 1, keeps, dilation) == size
    out = conv_out(*setting)
    read = {i * stride + k * dilation for i in range(out) for k in range(kernel)}
    room = size + 2 * padding
    assert room - 1 - max(read) == past
    assert (f"Past the last window, {past} pixel" in text) == (past > 0)
    between = re.search(r"Unread between the pixels of the windows: (\d+) column", text)
    assert (int(between[1]) if between else 0) == room - len(read) - past


def test_remainder_tells_padding_from_input(calculator):
    enter(calculator, 8, 3, 2, 1, 1)
    assert "1 pixel at the right edge (and as many at the bottom) is read by no window: padding only." in (
        calculator.locator(".sc-facts").inner_text()
    )
    enter(calculator, 13, 3, 7, 1, 1)
    assert "are read by no window: 4 of the input, the rest padding." in (calculator.locator(".sc-facts").inner_text())


def test_large_input_is_counted_but_not_drawn(calculator):
    enter(calculator, 22, 3, 1, 1, 1)
    assert calculator.get_by_role("img").count() == 2
    enter(calculator, 23, 3, 1, 1, 1)
    assert result(calculator) == "Output size: 23 × 23 pixels"
    assert calculator.get_by_role("img").count() == 0
    assert "only up to 24 pixels with padding; this input has 25" in calculator.inner_text()


def test_two_calculators_do_not_disturb_each_other(page, pages):
    page.goto(f"{pages}/two.html")
    first, second = page.locator(".size-calculator").all()
    assert [result(first), result(second)] == [expected((7, 3, 1, 0, 1)), expected((32, 5, 2, 2, 1))]
    number(first, "Stride").fill("2")
    enter(second, 6, 3, 1, 1, 1)
    assert [result(first), result(second)] == [expected((7, 3, 2, 0, 1)), expected((6, 3, 1, 1, 1))]
    ids = page.locator("[id]").evaluate_all("all => all.map((n) => n.id)")
    assert len(ids) == len(set(ids))
    assert "fallback" not in page.locator("body").inner_text()


def test_start_values_that_cannot_be_used_are_ignored(page, pages):
    page.goto(f"{pages}/odd.html")
    assert result(page) == expected((7, 3, 1, 0, 1))


def test_other_pages_are_left_alone(page, pages):
    page.goto(f"{pages}/none.html")
    assert page.locator("body").inner_html() == "<p>No calculator.</p>"


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_cut_off(calculator, width):
    calculator.page.set_viewport_size({"width": width, "height": 900})
    for setting in ((7, 3, 1, 0, 1), (8, 2, 1, 8, 1), (224, 11, 8, 8, 6), (1, 11, 1, 0, 6)):
        enter(calculator, *setting)
        inner, outer = calculator.evaluate("node => [node.scrollWidth, node.clientWidth]")
        assert inner <= outer

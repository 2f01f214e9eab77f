"""The power calculator of lab 16, in a real browser, against `labkit.statistics.runs_needed`."""

import pytest

from labkit.records.statistics import runs_needed


@pytest.fixture
def calculator(browser, html):
    """The calculator of the built page, opened as a local file; the test fails on an uncaught error."""
    page = browser.new_page()
    page.set_default_timeout(20_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((html / "notebooks" / "16-luck.html").as_uri())
    yield page.locator(".power-calculator").first
    page.close()
    assert errors == []


def enter(calculator, difference, sd):
    calculator.get_by_role("spinbutton", name="Difference").fill(str(difference))
    calculator.get_by_role("spinbutton", name="Spread").fill(str(sd))


def result(calculator):
    return calculator.locator("output").inner_text()


@pytest.mark.parametrize("ratio", [0.1, 0.2, 0.3, 0.5, 0.8, 1, 1.7, 2.5, 4, 10])
def test_it_needs_as_many_runs_as_statsmodels_says(calculator, ratio):
    enter(calculator, 1, ratio)
    shown = int(result(calculator).split()[0].replace(",", ""))
    assert abs(shown - runs_needed(1, ratio)) <= 1
    assert result(calculator).endswith(f"runs an arm, {2 * shown:,} in all.")


def test_it_starts_at_one_point_and_one_point(calculator):
    assert result(calculator) == "17 runs an arm, 34 in all."
    assert calculator.get_attribute("role") == "group"
    assert "needs JavaScript" not in calculator.inner_text()


@pytest.mark.parametrize(("difference", "sd"), [("", 1), (0, 1), (-1, 1), (101, 1), (1, 0)])
def test_what_it_cannot_take_is_a_sentence(calculator, difference, sd):
    enter(calculator, difference, sd)
    name = "Spread of the runs (sd)" if sd == 0 else "Difference that matters"
    assert result(calculator) == f"{name} must be a number from 0.01 to 100."


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_cut_off(calculator, width):
    calculator.page.set_viewport_size({"width": width, "height": 900})
    enter(calculator, 0.01, 100)
    inner, outer = calculator.evaluate("node => [node.scrollWidth, node.clientWidth]")
    assert inner <= outer

"""The bar of a training: what it shows, and when there is none."""

import pytest

from labkit.training.progress import progress_bar, shows_progress


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    monkeypatch.delenv("LABKIT_PROGRESS", raising=False)


def test_it_counts_images_under_its_title_and_goes_away():
    bar = progress_bar("epoch 2/3", 120, True)
    assert (bar.desc, bar.total, bar.unit, bar.leave, bar.disable) == ("epoch 2/3", 120, " images", False, False)
    bar.close()


@pytest.mark.parametrize(("progress", "hidden"), [(True, False), (False, True), (None, True)])
def test_there_is_one_where_it_is_wanted_and_by_default_on_a_terminal_alone(progress, hidden):
    bar = progress_bar("epoch 1/1", 10, progress)
    assert bool(bar.disable) is hidden  # no test has a terminal
    bar.close()


@pytest.mark.parametrize("value", ["0", "1", ""])
@pytest.mark.parametrize("progress", [True, False, None])
def test_the_environment_turns_all_of_them_off(monkeypatch, value, progress):
    monkeypatch.setenv("LABKIT_PROGRESS", value)
    assert shows_progress(progress) is (progress is not False and value != "0")
    if value == "0":
        bar = progress_bar("epoch 1/1", 10, progress)
        assert bar.disable
        bar.close()

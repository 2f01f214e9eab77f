"""Estimates: which runs are compared, what has an interval and what has none, and how it is printed."""

import math
from dataclasses import replace

import numpy as np
import pytest

from labkit.records.claims import Value
from labkit.records.estimates import (
    NOT_RUN,
    Exact,
    Gap,
    Mean,
    Ratio,
    Share,
    _drew,
    _together,
    difference,
    of_arm,
    setting_by_setting,
    share_of,
)
from labkit.records.ledger import Run
from labkit.records.statistics import above, mean_interval, paired, welch, wilson
from tests.making import make_run

A, B = (0.70, 0.72, 0.71), (0.65, 0.66, 0.67)


def runs_of(arm: str, values, **drawn) -> list[Run]:
    made = [make_run(arm, seed, val_acc=value) for seed, value in enumerate(values)]
    return [replace(run, data=run.data | drawn) for run in made]


def test_runs_that_share_nothing_are_compared_by_welch():
    found = difference(runs_of("a", A) + runs_of("b", B), "val_acc", "a", "b")
    assert found == Gap(A, B, better="higher")
    assert found.interval() == welch(A, B)
    assert found.mean == pytest.approx(0.05)
    assert (found.above(0.02), found.below(0.02)) == (above(A, B, 0.02), above(B, A, -0.02))
    assert str(found) == "+0.050 [+0.027, +0.073] (n = 3)"
    assert found.seen == "better"
    assert difference(runs_of("a", A) + runs_of("b", B), "val_loss", "a", "b").better == "lower"


RISING = (0.60, 0.64, 0.68, 0.72), (0.59, 0.63, 0.66, 0.71)


def test_runs_that_drew_the_same_and_rise_together_are_compared_pair_by_pair():
    drawn = {"draw_split": True}
    found = difference(runs_of("a", RISING[0], **drawn) + runs_of("b", RISING[1], **drawn), "val_acc", "a", "b")
    assert isinstance(found, Mean)
    assert found.interval() == pytest.approx(paired(*RISING))
    assert str(found) == "+0.013 [+0.005, +0.020] (n = 4 pairs, r = 1.00)"
    assert found.seen == "better"


@pytest.mark.parametrize(
    ("one", "other", "values"),
    [
        ({}, {}, RISING),  # nothing was drawn
        ({"draw_split": True}, {}, RISING),  # one of the two drew
        ({"draw_per_class": 5}, {"draw_per_class": 10}, RISING),  # they drew other images
        ({"draw_split": True}, {"draw_split": True}, (RISING[0], RISING[1][::-1])),  # what they share does not show
        ({"draw_split": True}, {"draw_split": True}, (RISING[0], RISING[1][:3])),  # a seed is missing
        ({"draw_split": True}, {"draw_split": True}, (RISING[0], (0.6,) * 4)),  # no correlation can be had
    ],
)
def test_otherwise_they_share_nothing(one, other, values):
    found = difference(runs_of("a", values[0], **one) + runs_of("b", values[1], **other), "val_acc", "a", "b")
    assert isinstance(found, Gap)


def test_what_was_drawn_is_the_set_the_split_and_the_number():
    run = make_run()
    assert _drew(run) == ()
    run.data = {"name": "made", "draw_split": True}
    assert _drew(run) == ("made", True, None)
    run.data = {"name": "made", "draw_per_class": 5}
    assert _drew(run) == ("made", None, 5)
    run.fixed = ["weights"]
    assert _drew(run) == ("made", None, 5)
    run.fixed = ["images"]
    assert _drew(run) == ()


def test_a_correlation_must_be_more_than_chance():
    assert _together([(1, 1), (2, 2)]) is None  # of two pairs there is always one
    assert _together([(1, 1), (2, 2), (3, 3.1)]) == pytest.approx(0.9995, abs=1e-3)
    assert _together([(1, 1), (2, 3), (3, 2)]) is None
    assert _together([(1, 3), (2, 2), (3, 1.1)]) is None  # they go against each other
    assert _together([(1, 1), (1, 2), (1, 3)]) is None
    assert _together([(1, 1), (2, 1), (3, 1)]) is None
    five = [(1, 1.4), (2, 2.6), (3, 1.9), (4, 4.4), (5, 3.0)]
    assert _together(five) is None  # r = 0.71, p = 0.09
    assert _together([*five, (6, 6.0), (7, 5.0)]) == pytest.approx(0.849, abs=1e-3)


def test_images_that_do_not_follow_the_seed_are_not_shared_by_drawing():
    made = [replace(run, fixed=["images"]) for arm, v in zip("ab", RISING, strict=True) for run in runs_of(arm, v)]
    made = [replace(run, data=run.data | {"draw_split": True}) for run in made]
    assert isinstance(difference(made, "val_acc", "a", "b"), Gap)


def test_the_choice_between_pairs_and_welch_keeps_the_size_of_the_test():
    """Where the true difference is 0, about one interval in twenty leaves it out, whatever the correlation."""
    rng, repeats = np.random.default_rng(0), 600
    for r in (0.0, 0.5, 0.9):
        wrong = 0
        for _ in range(repeats):
            shared, own = rng.normal(0, math.sqrt(r), 8), rng.normal(0, math.sqrt(1 - r), (2, 8))
            arms = [runs_of(arm, shared + x, draw_split=True) for arm, x in zip("ab", own, strict=True)]
            low, high = difference(arms[0] + arms[1], "val_acc", "a", "b").interval()
            wrong += not low <= 0 <= high
        assert wrong / repeats < 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)


def test_unfinished_runs_and_other_arms_do_not_count():
    made = [make_run("a", 1, 0.2), make_run("c", 0, 0.9), make_run("a", 0, 0.1), make_run("a", 2, 0.3, finished=False)]
    assert of_arm(made, "val_acc", "a") == Mean((0.1, 0.2), signed=False)  # by seed
    assert difference([*made, make_run("b", 5, 0.4)], "val_acc", "a", "b") == Gap((0.1, 0.2), (0.4,), "higher")


@pytest.mark.parametrize(
    ("found", "why", "shown"),
    [
        (Gap((), B), NOT_RUN, "not run"),
        (Gap(A, ()), NOT_RUN, "not run"),
        (Mean(()), NOT_RUN, "not run"),
        (Gap((0.5,), (0.4,)), "one run has no interval", "+0.100 (n = 1: no interval)"),
        (Gap(A, (0.4,)), "one run has no interval", "+0.310 (n = 3 and 1: no interval)"),
        (Gap((1.0, 1.0), (2.0, 2.0)), "all runs are equal: no interval", "-1.000 (n = 2: no interval)"),
        (Mean((3.0, 3.0, 3.0)), "all runs are equal: no interval", "+3.000 (n = 3: no interval)"),
        (Mean((0.5, math.nan)), "a run has no number", "a run has no number"),
        (Gap((0.5, math.inf), B), "a run has no number", "a run has no number"),
        (Ratio((), missing="not measured"), "not measured", "not measured"),
        (Ratio((2.0,)), "one run has no interval", "one run has no interval"),
        (Share(0, 0), NOT_RUN, "not run"),
    ],
)
def test_what_has_no_interval_says_why(found, why, shown):
    assert found.why_not == why
    assert str(found) == shown
    if isinstance(found, Gap | Mean):
        assert found.seen == why


@pytest.mark.parametrize(
    ("found", "seen"),
    [
        (Mean((0.02, 0.03, 0.025), better="higher"), "better"),
        (Mean((-0.02, -0.03, -0.025), better="higher"), "worse"),
        (Mean((0.02, 0.03, 0.025), better="lower"), "worse"),
        (Mean((0.02, 0.03, 0.025)), "higher"),
        (Mean((-2.0, -3.0, -2.5)), "lower"),
        (Mean((0.02, -0.03, 0.025), better="higher"), "cannot tell"),
        (Mean((0.2, 0.21, 0.19), neutral=0.2), "cannot tell"),
        (Exact(5.0, better="lower"), "worse"),
        (Exact(-5.0, better="lower"), "better"),
        (Exact(0.0), "the same"),
    ],
)
def test_better_needs_an_interval_that_leaves_out_zero(found, seen):
    assert found.seen == seen


def test_a_count_has_no_spread_and_no_number_of_runs():
    made = [replace(make_run("a", s), model={"params": 10}) for s in range(3)]
    made += [replace(make_run("b", s), model={"params": 13}) for s in range(2)]
    found = difference(made, "params", "a", "b")
    assert found == Exact(-3.0)
    assert str(found) == "-3 (exact)"
    assert (found.interval(), found.seen, found.needed(1)) == ((-3.0, -3.0), "lower", "")
    assert (found.above(-4), found.above(-3), found.below(-3), found.below(-2)) == (0, 1, 1, 0)
    assert str(of_arm(made, "params", "a")) == "10 (exact)"
    assert of_arm(made, "params", "a", neutral=9) == Exact(10.0, 9, signed=False)


def test_a_mean_beside_a_value_is_shown_without_a_sign():
    found = of_arm(runs_of("a", A), "val_acc", "a", neutral=0.5)
    assert found.neutral == 0.5
    assert Value("val_acc", "a", than=0.5).estimate(runs_of("a", A)) == found
    assert str(found) == "0.710 [0.685, 0.735] (n = 3)"
    assert found.interval() == mean_interval(A)
    assert found.above(0.69) == pytest.approx(above(A, [0.0] * 3, 0.69, pairs=True))
    assert found.below(0.69) == pytest.approx(1 - found.above(0.69))


def test_settings_are_compared_one_by_one():
    runs = runs_of("a", A) + runs_of("b", B[:2])
    found = setting_by_setting(runs, "val_acc", "a", "b")
    assert found.values == pytest.approx((0.05, 0.06))
    assert (found.better, found.what, found.neutral) == ("higher", "settings", 0.0)
    assert setting_by_setting(runs, lambda run: run.value("val_acc"), "b", "a").values == pytest.approx((-0.05, -0.06))
    assert setting_by_setting(runs, lambda run: run.value("val_acc"), "b", "a").better == ""
    assert str(found).endswith("(n = 2 settings)")


def test_half_and_twice_weigh_the_same():
    found = Ratio((2.0, 2.0, 0.5, 0.5))
    assert found.mean == pytest.approx(1)
    low, high = found.interval()
    assert low * high == pytest.approx(1)
    assert found.above(1) == pytest.approx(found.below(1)) == pytest.approx(0.5)
    assert str(Ratio((2.0, 2.1, 1.9))) == "× 2.00 [1.76, 2.26] (n = 3)"


def test_a_share_of_runs_has_wilsons_interval_and_its_test():
    found = share_of(runs_of("a", A), lambda run: run.value("val_acc") > 0.705, "a")
    assert (found.successes, found.n, found.mean) == (2, 3, 2 / 3)
    assert found.interval() == wilson(2, 3)
    assert str(found) == "2 of 3 runs [0.21, 0.94]"
    for successes in range(11):  # the two-sided p is below 0.05 exactly where the interval leaves the value out
        share = Share(successes, 10)
        low, high = share.interval()
        assert (2 * min(share.above(0.5), share.below(0.5)) < 0.05) == (not low <= 0.5 <= high)
    assert found.needed(0.1) == ""


def test_how_many_runs_would_decide_is_more_than_there_are():
    assert Gap((0.1, 0.2, 0.3), (0.1, 0.2, 0.3)).needed(0.1) == "17 runs an arm"
    assert Gap(A, B).needed(5.0) == "4 runs an arm"
    assert Mean((0.1, 0.2, 0.3)).needed(0.1) == "9 runs"
    assert Mean((0.1, 0.2, 0.3), what="pairs").needed(9.0) == "4 pairs"
    assert Ratio((1.0, 2.0, 4.0)).needed(0.1).endswith("measurements")


def test_what_the_missing_runs_cost_is_that_of_the_recorded_ones():
    """17 an arm, 3 of them there: 14 of 5 minutes in one arm and of 7 in the other."""
    values = (0.1, 0.2, 0.3)
    runs = [run for arm in ("a", "b") for run in runs_of(arm, values)]
    for run in runs:
        run.history = [row | {"seconds": 30.0 if run.arm == "a" else 42.0} for row in run.history for _ in range(5)]
    found = difference(runs, "val_acc", "a", "b")
    assert found.needed(0.1) == "17 runs an arm (2.8 h)"
    assert of_arm(runs, "val_acc", "a").needed(0.1) == "9 runs (30 min)"
    drawn = [replace(run, data=run.data | {"draw_split": True}) for run in runs]
    for run in drawn:  # as high in both arms but for a little, so that they are pairs
        run.history[-1]["val_acc"] += 0.001 * run.seed**2 * (run.arm == "a")
    found = difference(drawn, "val_acc", "a", "b")
    assert found.what == "pairs"
    assert found.needed(1.0) == "4 pairs (12 min)"


def test_from_a_thousand_on_there_are_no_decimals():
    assert str(Gap((2000.0,), (500.0,))) == "+1,500 (n = 1: no interval)"
    assert str(Gap((1000.0,), (0.0,))) == "+1,000 (n = 1: no interval)"
    assert str(Gap((999.9,), (0.0,))) == "+999.900 (n = 1: no interval)"

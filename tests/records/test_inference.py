"""Intervals and tests: against scipy and statsmodels, on what has no answer, and by simulation."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats import multitest, proportion, weightstats
from statsmodels.stats import power as sm_power

from labkit.base.errors import ConfigError
from labkit.records import inference
from labkit.records.inference import (
    correlation,
    holm,
    mean_interval,
    paired,
    power,
    prediction_interval,
    tost,
    welch,
    wilson,
)


def draws(seed, sizes=(2, 12)):
    rng = np.random.default_rng(seed)
    return [rng.normal(rng.normal(), rng.uniform(0.1, 2), rng.integers(*sizes)) for _ in range(2)]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_on_random_runs_each_is_the_librarys(seed, level):
    a, b = draws(seed)
    found = stats.ttest_ind(a, b, equal_var=False).confidence_interval(level)
    assert welch(a, b, level) == pytest.approx((found.low, found.high))
    low, high = weightstats.DescrStatsW(a).tconfint_mean(1 - level)
    assert mean_interval(a, level) == pytest.approx((low, high))
    wider = (high - low) / 2 * math.sqrt(len(a) + 1)
    assert prediction_interval(a, level) == pytest.approx((a.mean() - wider, a.mean() + wider))
    n = min(len(a), len(b))
    assert paired(a[:n], b[:n], level) == pytest.approx(tuple(stats.ttest_rel(a[:n], b[:n]).confidence_interval(level)))
    assert correlation(a[:n], b[:n]) == pytest.approx(stats.pearsonr(a[:n], b[:n])[0])
    successes, of = (seed * 7) % 31, 30
    assert wilson(successes, of, level) == pytest.approx(
        proportion.proportion_confint(successes, of, 1 - level, method="wilson")
    )


@pytest.mark.parametrize("seed", range(10))
def test_two_one_sided_tests_are_welchs_against_both_margins(seed):
    a, b = draws(seed, (3, 12))
    margin = 0.1 + seed / 5
    lower = stats.ttest_ind(a + margin, b, equal_var=False, alternative="greater").pvalue
    upper = stats.ttest_ind(a - margin, b, equal_var=False, alternative="less").pvalue
    assert tost(a, b, margin) == pytest.approx(max(lower, upper))


@pytest.mark.parametrize("seed", range(10))
def test_holms_is_that_of_statsmodels_in_the_order_given(seed):
    p = np.random.default_rng(seed).uniform(0, 0.2, 6)
    assert holm(p) == pytest.approx(multitest.multipletests(p, method="holm")[1])
    order = np.argsort(p)
    by_hand = np.minimum(1, np.maximum.accumulate(np.sort(p) * np.arange(6, 0, -1)))
    assert np.array(holm(p))[order] == pytest.approx(by_hand)


@pytest.mark.parametrize(("difference", "sd", "n"), [(0.01, 0.01, 5), (-0.01, 0.01, 5), (0.02, 0.01, 3), (0, 1, 10)])
def test_power_is_that_of_statsmodels(difference, sd, n):
    found = sm_power.TTestIndPower().power(abs(difference) / sd, n, 0.05)
    assert power(difference, sd, n) == pytest.approx(found)


# -- what has no answer ------------------------------------------------------------------------------------------------

A, B = [0.1, 0.2, 0.4], [0.3, 0.1, 0.2]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: prediction_interval([0.5]), "at least two runs, got 1. Train more seeds"),
        (lambda: prediction_interval([]), "at least two runs, got 0"),
        (lambda: prediction_interval([0.5, 0.5]), "all 2 runs are 0.5. What cannot vary has no interval"),
        (lambda: prediction_interval([0.5, math.nan]), "numbers that are none: .nan."),
        (lambda: mean_interval([1, math.inf, 2]), "numbers that are none: .inf."),
        (lambda: prediction_interval(A, 1.0), "between 0 and 1, such as 0.95; got 1.0"),
        (lambda: prediction_interval(A, 0), "between 0 and 1"),
        (lambda: prediction_interval(A, "0.95"), "level must be a number"),
        (lambda: welch([0.5], A), "a: an interval needs at least two runs, got 1"),
        (lambda: welch(A, []), "b: an interval needs at least two runs, got 0"),
        (lambda: welch([1, 1], [2, 2]), "without any spread there is no interval"),
        (lambda: welch(A, [1, math.nan]), "b has numbers that are none"),
        (lambda: paired(A, B[:2]), "as many runs in one arm as in the other, got 3 and 2"),
        (lambda: paired([1, 2], [2, 3]), "all 2 runs are -1"),
        (lambda: correlation([1, 1], [2, 3]), "nothing that could rise and fall together"),
        (lambda: tost(A, B, 0), "A margin is above 0, got 0"),
        (lambda: tost(A, B, -0.1), "A margin is above 0"),
        (lambda: tost(A, B, math.inf), "A margin is above 0"),
        (lambda: tost(A, [0.1], 0.1), "b: an interval needs at least two runs"),
        (lambda: holm([]), "at least one"),
        (lambda: holm([0.5, 1.1]), "p-values from 0 to 1"),
        (lambda: holm([math.nan]), "p-values from 0 to 1"),
        (lambda: wilson(3, 0), "n must be a whole number of at least 1"),
        (lambda: wilson(4, 3), "successes must be a whole number of at least 0 and at most 3"),
        (lambda: wilson(1.5, 3), "successes must be a whole number"),
        (lambda: power(0.1, 0, 5), "an sd above 0, got 0.1 and 0"),
        (lambda: power(math.nan, 1, 5), "a finite difference"),
        (lambda: power(0.1, 1, 1), "n must be a whole number of at least 2"),
    ],
)
def test_what_has_no_answer_is_a_sentence(call, words):
    with pytest.raises(ConfigError, match=words):
        call()


def test_one_arm_without_spread_still_has_an_interval():
    assert welch([1, 1, 1], [2, 2.5, 3])[1] < 0


# -- by simulation -----------------------------------------------------------------------------------------------------

REPEATS = 2_000
ERROR = 3 * math.sqrt(0.05 * 0.95 / REPEATS)  # three standard errors of a share of 5 %


@pytest.mark.parametrize("n", [2, 3, 10])
def test_intervals_cover_at_their_level(n):
    rng, missed = np.random.default_rng(n), np.zeros(3)
    for _ in range(REPEATS):
        a, b, one_more = rng.normal(0.5, 1, n), rng.normal(0.0, 1, n), rng.normal(0.5, 1)
        for i, ((low, high), truth) in enumerate(
            ((mean_interval(a), 0.5), (prediction_interval(a), one_more), (paired(a, b), 0.5))
        ):
            missed[i] += not low <= truth <= high
    assert missed / REPEATS == pytest.approx(0.05, abs=ERROR)


@pytest.mark.parametrize(("n", "m", "ratio"), [(5, 5, 1), (5, 5, 4), (4, 10, 3)])
def test_welchs_test_keeps_its_size_where_the_spreads_differ(n, m, ratio):
    rng, alarms = np.random.default_rng(n * m), 0
    for _ in range(REPEATS):
        low, high = welch(rng.normal(0, 1, n), rng.normal(0, ratio, m))
        alarms += not low <= 0 <= high
    assert alarms / REPEATS == pytest.approx(0.05, abs=ERROR + 0.005)  # Welch's is nearly exact


def test_equal_is_said_wrongly_no_more_often_than_one_in_twenty():
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(REPEATS):
        wrong += tost(rng.normal(1.0, 0.5, 10), rng.normal(0.0, 0.5, 10), margin=1.0) < 0.05
    assert wrong / REPEATS == pytest.approx(0.05, abs=ERROR)


def test_power_is_the_share_of_intervals_that_leave_out_zero():
    rng, seen = np.random.default_rng(1), 0
    for _ in range(REPEATS):
        low, high = welch(rng.normal(1.5, 1, 6), rng.normal(0.0, 1, 6))
        seen += not low <= 0 <= high
    assert seen / REPEATS == pytest.approx(power(1.5, 1.0, 6), abs=0.04)


def test_the_level_is_that_of_the_book():
    assert inference.LEVEL == 0.95

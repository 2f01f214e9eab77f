"""Intervals and tests: against scipy and statsmodels, on what has no answer, and by simulation."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats import multitest, proportion, weightstats
from statsmodels.stats import power as sm_power

from labkit.base.errors import ConfigError
from labkit.records import statistics
from labkit.records.statistics import (
    above,
    binomial_sd,
    cluster_interval,
    correlation,
    holm,
    mcnemar,
    mean_interval,
    paired,
    power,
    prediction_interval,
    runs_needed,
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


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("margin", [-0.5, 0.0, 0.4])
@pytest.mark.parametrize("seed", range(5))
def test_above_is_scipys_one_sided_test(seed, margin, pairs):
    a, b = draws(seed, (5, 6))
    test = stats.ttest_rel if pairs else lambda a, b, **how: stats.ttest_ind(a, b, equal_var=False, **how)
    assert above(a, b, margin, pairs=pairs) == pytest.approx(test(a - margin, b, alternative="greater").pvalue)
    assert tost(a, b, 2.0, pairs=pairs) == max(above(a, b, -2, pairs=pairs), above(b, a, -2, pairs=pairs))


@pytest.mark.parametrize(("only_a", "only_b"), [(12, 9), (0, 5), (20, 3), (1, 1)])
def test_mcnemars_is_the_binomial_test_of_the_images_that_differ(only_a, only_b):
    assert mcnemar(only_a, only_b) == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)


def test_clusters_of_one_value_each_are_the_interval_of_a_mean():
    x = draws(3, (8, 9))[0]
    low, high = cluster_interval(x, range(len(x)))
    assert (low, high) == pytest.approx(mean_interval(x), abs=1e-9)


def test_values_said_twice_are_no_more_than_values_said_once():
    x = draws(4, (12, 13))[0]
    once = mean_interval(x)
    twice = cluster_interval(np.repeat(x, 10), np.repeat(range(len(x)), 10))
    assert (twice[1] - twice[0]) / (once[1] - once[0]) == pytest.approx(1, abs=0.05)
    alone = mean_interval(np.repeat(x, 10))
    assert alone[1] - alone[0] < 0.4 * (once[1] - once[0])  # what would be said of them as if they were independent


def test_other_images_widen_where_one_more_run_may_lie():
    runs = [0.70, 0.72, 0.71]
    plain, wide = prediction_interval(runs), prediction_interval(runs, drawn=binomial_sd(0.71, 200))
    assert wide[0] < plain[0] < plain[1] < wide[1]
    drawn = 0.71 * 0.29 / 200
    degrees = 2 * ((1e-4 * 4 / 3 + drawn) / (1e-4 * 4 / 3)) ** 2
    half = stats.t.ppf(0.975, degrees) * math.sqrt(1e-4 * 4 / 3 + drawn)
    assert wide == pytest.approx((0.71 - half, 0.71 + half))
    assert prediction_interval(runs, drawn=1e-9) == pytest.approx(plain, abs=1e-4)


@pytest.mark.parametrize(("difference", "n"), [(3, 30), (3.4, 20), (6, 10), (10, 5), (100, 2)])
def test_a_difference_that_cannot_be_overlooked_has_a_power_of_1(difference, n):
    assert power(difference, 1, n) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("difference", "sd"), [(0.01, 0.01), (-0.02, 0.01), (0.005, 0.008)])
def test_so_many_runs_show_it_in_four_cases_of_five(difference, sd):
    n = runs_needed(difference, sd)
    assert power(difference, sd, n) >= 0.8 > power(difference, sd, n - 1)


def test_two_runs_are_the_least():
    assert runs_needed(1.0, 0.001) == 2


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


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(90, 100, 0.826, 0.945), (0, 10, 0, 0.278), (10, 10, 0.722, 1), (1, 2, 0.095, 0.905)],
)
def test_the_interval_of_a_share_is_wilsons(right, count, low, high):
    assert wilson(right, count) == pytest.approx((low, high), abs=5e-4)
    share, z = right / count, 1.959964
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * (share * (1 - share) / count + z**2 / (4 * count**2)) ** 0.5
    assert wilson(right, count) == pytest.approx((middle - half, middle + half), abs=1e-6)


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
        (lambda: above(A, B, math.nan), "A margin is a finite number, got nan"),
        (lambda: above(A, B[:2], pairs=True), "as many runs in one arm"),
        (lambda: prediction_interval(A, drawn=-1), "An sd is 0 or above, got -1"),
        (lambda: prediction_interval(A, drawn=math.inf), "An sd is 0 or above"),
        (lambda: binomial_sd(1.5, 10), "A share lies between 0 and 1, got 1.5"),
        (lambda: binomial_sd(0.5, 0), "images must be a whole number of at least 1"),
        (lambda: runs_needed(0, 1), "No number of runs shows a difference of 0"),
        (lambda: runs_needed(1, 0), "an sd above 0"),
        (lambda: mcnemar(0, 0), "nothing that could tell them apart"),
        (lambda: mcnemar(-1, 3), "only_a must be a whole number of at least 0"),
        (lambda: cluster_interval(A, "ab"), "got 3 values and 2 names"),
        (lambda: cluster_interval(A, "aaa"), "All values are of one cluster"),
        (lambda: cluster_interval([1, 1], "ab"), "all 2 runs are 1"),
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


def test_a_figure_from_other_images_is_covered_at_the_level():
    """Runs with a spread of their own, judged on many images; the other one on 200 alone."""
    rng, missed = np.random.default_rng(5), 0
    for _ in range(REPEATS):
        runs, other = rng.normal(0.7, 0.01, 5), rng.binomial(200, np.clip(rng.normal(0.7, 0.01), 0, 1)) / 200
        low, high = prediction_interval(runs, drawn=binomial_sd(0.7, 200))
        missed += not low <= other <= high
    assert missed / REPEATS == pytest.approx(0.05, abs=ERROR + 0.005)


def test_clusters_are_covered_where_their_values_go_together():
    rng, missed = np.random.default_rng(6), np.zeros(2)
    for _ in range(300):
        shared = np.repeat(rng.normal(0, 1, 40), 5)
        x, names = shared + rng.normal(0, 0.5, 200), np.repeat(range(40), 5)
        for i, (low, high) in enumerate((cluster_interval(x, names), mean_interval(x))):
            missed[i] += not low <= 0 <= high
    assert missed[0] / 300 < 0.1 < 0.2 < missed[1] / 300  # without clusters a quarter of the intervals is false


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
    assert statistics.LEVEL == 0.95

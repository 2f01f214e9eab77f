"""Verdicts on figures and claims: at their boundaries, with what has no answer, and corrected for their number."""

import numpy as np
import pytest
from scipy import stats

from labkit.base.errors import ConfigError
from labkit.records.claims import (
    Claim,
    Decision,
    Difference,
    Share,
    Value,
    Verdict,
    corrected,
    shown_p,
    verdict,
    verdict_about,
    verdict_exact,
)
from labkit.records.estimates import Exact, Gap, Mean, Ratio
from labkit.records.statistics import binomial_sd, holm, prediction_interval
from tests.making import make_run

# -- figures -----------------------------------------------------------------------------------------------------------


def test_a_figure_drawn_from_the_same_runs_is_reproduced_95_times_in_100():
    rng = np.random.default_rng(0)
    draws = rng.normal(10, 3, (2000, 6))  # so wide that the widening for rounding does not matter
    share = np.mean([verdict(row[0], list(row[1:])).says == "reproduced" for row in draws])
    assert 0.935 < share < 0.965


@pytest.mark.parametrize(
    ("figure", "values", "says"),
    [
        (0.5, [], "not run"),
        (0.5, [0.5], "cannot tell: one run has no interval"),
        (14, [14, 14, 14], "cannot tell: all runs are equal: no interval"),
        (14, [15, 15, 15], "cannot tell: all runs are equal: no interval"),
        (0.5, [0.5, float("nan")], "cannot tell: a run has no number"),
        (0.9, [0.5, 0.51, 0.49], "not reproduced: ours is 0.40 lower"),
        (106, [100, 111, 105], "reproduced"),
        (106, [80, 81, 82], "not reproduced: ours is 25 lower"),
        (100, [90.25, 90.75], "not reproduced: ours is 9.5 lower"),
        (0.9894, [0.9912, 0.9913, 0.9911], "not reproduced: ours is 0.0018 higher"),
        (0.99, [0.9912, 0.9913, 0.9911], "reproduced"),  # it may have been 0.9912
        (0.905, [0.93, 0.931, 0.929], "not reproduced: ours is 0.025 higher"),
        (6.96, [1.0, 2.0, 3.0], "reproduced"),  # mean ± t·sd·√(1 + 1/n) ends at 2 ± 4.9683
        (6.98, [1.0, 2.0, 3.0], "not reproduced: ours is 4.98 lower"),
        (-2.99, [1.0, 2.0, 3.0], "not reproduced: ours is 4.99 higher"),
    ],
)
def test_a_verdict_is_as_exact_as_the_printed_figure(figure, values, says):
    assert str(verdict(figure, values)) == says


def test_a_verdict_shows_its_interval_with_the_rounding():
    found = verdict(0.65, [0.651, 0.655, 0.653])
    low, high = prediction_interval([0.651, 0.655, 0.653])
    assert (found.low, found.high) == pytest.approx((low - 0.005, high + 0.005))
    assert verdict(0.9, [0.5, 0.51, 0.49]).low is not None  # where it is not reproduced, too
    assert verdict(0.5, [0.5]).low is None


def test_an_interval_wider_than_what_is_discussed_cannot_tell():
    values = [0.651, 0.655, 0.653]  # the interval is 0.030 wide, rounding included
    assert verdict(0.65, values, discussed=0.031).says == "reproduced"
    assert verdict(0.65, values, discussed=0.029).says == "cannot tell: wider than the 0.029 discussed"
    assert verdict(0.9, values, discussed=0.029).says == "not reproduced: ours is 0.25 lower"
    assert verdict(20, [5, 20, 14], discussed=9).says == "cannot tell: wider than the 9 discussed"


def test_what_is_inside_includes_the_ends():
    values = [0.651, 0.655, 0.653]
    low, high = prediction_interval(values)
    for end in (low - 0.005, high + 0.005):
        inside = verdict(round(end, 2), values, drawn=0.0)
        assert inside.low <= inside.high
    counts = [10, 12, 14]
    found = verdict(12, counts)
    low, high = prediction_interval(counts)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-8)  # a count is not rounded


def test_the_sources_own_images_widen_the_interval():
    values = [0.651, 0.655, 0.653]
    assert verdict(0.70, values).says.startswith("not reproduced")
    assert verdict(0.70, values, drawn=binomial_sd(0.65, 200)).says == "reproduced"


@pytest.mark.parametrize(
    ("figure", "values", "says"),
    [
        (813_802, [813_802, 813_802], "exact"),
        (813_802, [813_803], "not reproduced: ours is 1 higher"),
        (25_000, [24_234, 24_234], "not reproduced: ours is 766 lower"),
        (0.905, [0.9052], "exact"),  # as far as it is printed
        (0.905, [0.906], "not reproduced: ours is 0.001 higher"),
        (1, [], "not run"),
    ],
)
def test_a_count_is_the_same_or_not(figure, values, says):
    assert verdict_exact(figure, values) == Verdict(says)


@pytest.mark.parametrize(
    ("ours", "says"),
    [
        (105, "reproduced: about the same"),
        (95, "reproduced: about the same"),
        (105.1, "not reproduced: ours is 5% higher"),
        (94, "not reproduced: ours is 6% lower"),
    ],
)
def test_round_figures_may_be_off_by_a_twentieth(ours, says):
    assert verdict_about(100, [ours]).says == says
    assert verdict_about(100, []).says == "not run"


# -- claims ------------------------------------------------------------------------------------------------------------


class Given:
    """A measure that is what it is told."""

    def __init__(self, found):
        self.found = found

    def estimate(self, runs):
        return self.found


def around(centre: float, half: float = 0.01, neutral: float = 0.0) -> Mean:
    """Return a mean of five values whose 95 % interval is `centre` ± `half`."""
    spread = np.array([-2, -1, 0, 1, 2]) / 2.7764 / np.sqrt(2.5) * np.sqrt(5)
    return Mean(tuple(centre + half * spread), neutral=neutral)


def decide(expect: str, found, margin: float) -> str:
    return Claim("", "", Given(found), expect, margin, "A reason.").decide([]).verdict


def test_the_mean_that_these_tests_make_has_the_interval_that_they_say():
    assert around(0.2, 0.05).interval() == pytest.approx((0.15, 0.25), abs=1e-4)


@pytest.mark.parametrize(
    ("expect", "centre", "says"),
    [
        ("higher", 0.115, "holds"),
        ("higher", 0.105, "unclear"),
        ("higher", 0.095, "unclear"),
        ("higher", 0.085, "does not hold"),
        ("higher", -0.5, "does not hold"),
        ("lower", -0.115, "holds"),
        ("lower", -0.105, "unclear"),
        ("lower", -0.085, "does not hold"),
        ("lower", 0.5, "does not hold"),
        ("not higher", 0.085, "holds"),
        ("not higher", -0.5, "holds"),
        ("not higher", 0.095, "unclear"),
        ("not higher", 0.105, "unclear"),
        ("not higher", 0.115, "does not hold"),
        ("equal", 0.0, "holds"),
        ("equal", 0.092, "holds"),  # two tests at 5 % are a 90 % interval: 0.0077 wide on each side
        ("equal", 0.093, "unclear"),
        ("equal", -0.092, "holds"),
        ("equal", -0.093, "unclear"),
        ("equal", 0.109, "unclear"),
        ("equal", 0.111, "does not hold"),
        ("equal", -0.111, "does not hold"),
    ],
)
def test_a_claim_is_decided_at_its_margin(expect, centre, says):
    assert decide(expect, around(centre), margin=0.1) == says
    if expect != "not higher":  # the margin counts from the value that stands for no difference
        assert decide(expect, around(1 + centre, neutral=1.0), margin=0.1) == says


def test_an_interval_wider_than_twice_the_margin_has_no_power():
    assert decide("higher", around(0.01, half=0.0099), 0.01) == "unclear"
    assert decide("higher", around(0.01, half=0.0101), 0.01) == "no power: 7 runs would decide"
    assert decide("equal", around(0.0, half=0.1), 0.01).startswith("no power: ")
    assert decide("higher", around(0.5, half=0.1), 0.01) == "holds"  # wide, and still above


@pytest.mark.parametrize("centre", [-0.105, -0.095, 0.0, 0.08, 0.095, 0.105])
def test_the_p_of_a_claim_is_that_of_students_test_at_its_margin(centre):
    """Two-sided where the claim has a direction: below 0.05 exactly where the 95 % interval leaves the margin out."""
    found = around(centre)

    def two_sided(limit: float) -> float:
        return float(stats.ttest_1samp(found.values, limit).pvalue)

    def p_of(expect: str) -> float:
        p = Claim("", "", Given(found), expect, 0.1, "A reason.").decide([]).p
        assert p is not None
        return p

    assert p_of("higher") == p_of("not higher") == pytest.approx(two_sided(0.1))
    assert p_of("lower") == pytest.approx(two_sided(-0.1))
    one_sided = two_sided(0.1 if centre > 0 else -0.1) / 2  # "equal" takes the worse of two tests, each at 0.05
    assert p_of("equal") == pytest.approx(one_sided if abs(centre) < 0.1 else min(2 * one_sided, 1 - one_sided))


def test_a_count_needs_no_test():
    for found, says in ((Exact(3.0), "holds"), (Exact(-3.0), "does not hold")):
        decision = Claim("", "", Given(found), "higher", 1.0, "A reason.").decide([])
        assert (decision.verdict, decision.p) == (says, None)


def test_what_is_too_wide_to_tell_shows_its_interval_all_the_same():
    found = verdict(0.65, [0.651, 0.655, 0.653], discussed=0.01)
    low, high = prediction_interval([0.651, 0.655, 0.653])
    assert (found.low, found.high) == pytest.approx((low - 0.005, high + 0.005))


@pytest.mark.parametrize(
    ("found", "says", "shown"),
    [
        (Gap((), ()), "not run", "not run"),
        (Ratio((), missing="not measured: it cannot be read here"), "not measured: it cannot be read here", None),
        (Gap((1.0,), (2.0,)), "no power: one run has no interval", "-1.000 (n = 1: no interval)"),
        (Mean((3.0, 3.0)), "no power: all runs are equal: no interval", "+3.000 (n = 2: no interval)"),
        (Mean((3.0, float("nan"))), "no power: a run has no number", "a run has no number"),
    ],
)
def test_what_has_no_interval_is_not_decided(found, says, shown):
    decision = Claim("", "", Given(found), "higher", 0.1, "A reason.").decide([])
    assert decision == Decision(shown or says, says, None)


@pytest.mark.parametrize("margin", [0, -0.1, float("inf"), float("nan")])
def test_a_margin_is_above_zero(margin):
    with pytest.raises(ConfigError, match="The margin of a claim is above 0"):
        Claim("", "", Value("val_acc", "a"), "higher", margin, "A reason.")


def test_a_margin_needs_a_reason_and_an_expectation_is_known():
    with pytest.raises(ConfigError, match="needs a sentence that says why its margin is 0.1"):
        Claim("", "it is so", Value("val_acc", "a"), "higher", 0.1, "")
    with pytest.raises(ConfigError, match="Did you mean 'higher'"):
        Claim("", "", Value("val_acc", "a"), "highr", 0.1, "A reason.")


def runs_with(arm: str, losses) -> list:
    return [make_run(arm, seed, val_loss=loss) for seed, loss in enumerate(losses)]


def test_claims_are_decided_by_records():
    runs = runs_with("a", (0.80, 0.81, 0.82, 0.83)) + runs_with("b", (1.00, 1.011, 1.02, 1.031))

    def said(about, expect, margin):
        return Claim("", "", about, expect, margin, "A reason.").decide(runs)

    gap = Difference("val_loss", "a", "b")
    lower = said(gap, "lower", 0.1)
    assert (lower.verdict, lower.measured) == ("holds", "-0.200 [-0.223, -0.178] (n = 4)")
    assert lower.p == pytest.approx(2 * gap.estimate(runs).below(-0.1))
    assert said(gap, "lower", 0.3).verdict == said(gap, "equal", 0.1).verdict == "does not hold"
    assert said(Value("val_loss", "a", than=0.5), "higher", 0.1).verdict == "holds"
    assert said(Value("val_loss", "a", than=0.5), "higher", 0.1).measured == "0.815 [0.794, 0.836] (n = 4)"
    share = said(Share(lambda run: run.value("val_loss") > 0.5, "a"), "higher", 0.01)
    assert (share.verdict, share.measured) == ("holds", "4 of 4 runs [0.51, 1.00]")
    assert said(Difference("val_loss", "a", "c"), "lower", 0.1).verdict == "not run"


def test_the_row_of_a_claim_has_what_its_verdict_comes_from():
    claim = Claim("", "it is so", Given(around(0.2)), "higher", 0.05, "A reason.")
    says, measured, margin, p, said = claim.row(claim.decide([]))
    assert (says, margin, p, said) == ("it is so", "0.05", "< 0.001", "holds")
    assert measured == "+0.200 [+0.190, +0.210] (n = 5)"


@pytest.mark.parametrize(("p", "shown"), [(None, "–"), (0.0009, "< 0.001"), (0.001, "0.001"), (0.25, "0.250")])
def test_a_p_is_printed_in_three_digits(p, shown):
    assert shown_p(p) == shown


def test_of_many_claims_some_hold_by_luck_and_are_unclear_once_corrected():
    ps = [0.001, 0.03, None, 0.04, 0.2]
    said = ["holds", "holds", "not run", "does not hold", "unclear"]
    found = corrected(Decision("", v, p) for p, v in zip(ps, said, strict=True))
    assert [p for p, _ in found if p is not None] == pytest.approx(holm([0.001, 0.03, 0.04, 0.2]))
    assert [v for _, v in found] == ["holds", "unclear", "not run", "unclear", "unclear"]
    assert corrected([]) == []
    assert corrected([Decision("", "not run")]) == [(None, "not run")]


def test_holm_keeps_false_alarms_of_a_whole_family_at_one_in_twenty(monkeypatch):
    monkeypatch.setattr("gc.collect", lambda: 0)  # which statsmodels calls each time; here it takes 0.3 s
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(200):
        claims = [Claim("", "", Given(Mean(tuple(rng.normal(9, 1, 5)))), "higher", 9, "Why.") for _ in range(5)]
        alarms += any(v in ("holds", "does not hold") for _, v in corrected(one.decide([]) for one in claims))
    assert alarms / 200 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)

"""Parameters are recovered from panels simulated with known ones: a small version of the benchmark, and its tests."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from benchmarks.coverage import coverage, holm, outside, rejected, table
from benchmarks.headline import EFFECTS
from benchmarks.recovery import FIRST, Setting, recovered, report, template
from benchmarks.simulated import CENSUS, DISTURBANCES, MEMORY, simulated_panel
from calibration.fitting.problem import Problem
from pysd_runner.data import Data

SMALL = Setting(regions=4, years=9)
PANELS = 8
TRUTH = {"q_a": 0.5, "tau_m": 1.0, "lambda_s": 1.2, "h_s": 0.8}


@pytest.fixture(scope="module")
def panels():
    return recovered(SMALL, PANELS)


class Silent(np.random.Generator):
    """Makes no errors."""

    def standard_normal(self, size=None, *_, **__):
        return np.zeros(size)


def simulated(disturbance: str = "none", *, rng: np.random.Generator | None = None, regions: int = 6) -> Data:
    model, start, _, surveys = template(regions, 9)
    rng = rng or np.random.default_rng(5)
    return simulated_panel(model, start, 9, TRUTH, rng, disturbance=disturbance, surveys=surveys)


def later(panel: Data, name: str) -> np.ndarray:
    """Logarithms of what was simulated."""
    return np.log(panel.array(name)[:, panel.years.index(FIRST) + 1 :])


def test_truths_lie_where_the_posterior_says(panels):
    """Wide for eight panels, and still too narrow for intervals half as wide as they should be."""
    assert not [item.problem for item in panels if item.problem]
    ranks = np.array([item.normal for item in panels])
    # Parameters of one panel are nearly independent under the prior they were drawn from.
    low, high = binom.ppf([0.0005, 0.9995], ranks.size, 0.8) / ranks.size
    assert low < np.mean(np.abs(2 * ranks - 1) < 0.8) < high
    narrow = ndtr(2 * ndtri(np.clip(ranks, 1e-9, 1 - 1e-9)))
    assert np.mean(np.abs(2 * narrow - 1) < 0.8) < low
    # What the panel settles is found, not only covered.
    place = panels[0].keys.index("y_h")
    truth, found = (np.log([getattr(item, name)[place] for item in panels]) for name in ("truth", "estimate"))
    assert np.corrcoef(truth, found)[0, 1] > 0.5


@pytest.mark.parametrize(("disturbance", "memory"), [("none", 0.0), ("persistent", MEMORY), ("distances", 1.0)])
def test_a_simulated_panel_without_errors_leaves_no_residuals(disturbance, memory):
    panel = simulated(disturbance, rng=Silent(np.random.PCG64(0)))
    model, _, space, _ = template(6, 9)
    problem = Problem(model, panel, start=FIRST)
    known = {key: model.spec.parameters[key].value for key in space.keys} | TRUTH
    labels = []
    for series, left in zip(problem.series, problem.raw_residuals(space.to_vector(known)), strict=True):
        labels.append(series.label)
        # What an indicator is away from its share in the first year is forgotten, fades, or stays.
        fading = 0.0 if series.increments or series.national else left[:, :1] * memory ** np.arange(left.shape[1])
        assert np.nanmax(np.abs((left - fading)[:, 1:])) < 1e-6
    assert labels[-1] == "skill_level:digital_skill_intermediate"


def test_a_survey_is_made_in_its_year_with_its_known_error():
    silent, noisy = (simulated(rng=rng) for rng in (Silent(np.random.PCG64(0)), np.random.default_rng(5)))
    assert list(silent.national["digital_skill_intermediate"]) == [2023]
    assert len(noisy.national["internet_penetration"]) == 10
    many = [simulated(rng=np.random.default_rng(seed), regions=2) for seed in range(60)]
    found = np.array([panel.national["digital_skill_intermediate"][2023] for panel in many])
    assert found.std(ddof=1) == pytest.approx(0.04, rel=0.3)


def test_disturbances_change_what_they_say_and_nothing_else():
    plain = simulated()
    made = {name: simulated(name) for name in DISTURBANCES}
    for name in plain.variables:
        np.testing.assert_array_equal(made["none"][name], plain[name])
    apart = {name: later(made["census"], name) - later(plain, name) for name in plain.variables}
    assert np.abs(apart["output"]).max() < 1e-12
    for change in apart.values():
        assert np.abs(change[:, : CENSUS - 1]).max() < 1e-12
    jump = apart["population"][:, -1]
    assert 0.005 < np.abs(jump).max() < 0.12
    for name in ("output_per_head", "mobile_internet_per_100", "broadband_ports_per_100"):
        np.testing.assert_allclose(apart[name][:, CENSUS - 1 :], np.repeat(-jump[:, None], 4, axis=1), atol=1e-12)
    np.testing.assert_array_equal(made["census"]["ict_employment_share"], plain["ict_employment_share"])
    # Unlike errors: each region's are a multiple of what they were.
    silent = simulated(rng=Silent(np.random.PCG64(0)))
    before, after = (
        np.diff(later(item, "output_per_head") - later(silent, "output_per_head"))
        for item in (plain, made["heteroskedastic"])
    )
    ratio = after / before
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), rtol=1e-6)
    assert np.ptp(np.log(ratio[:, 0])) > 0.3
    # Regions start elsewhere, so that shares move another way while the first year is as observed.
    assert np.abs(later(made["start"], "output_per_head") - later(plain, "output_per_head")).max() > 0.01
    assert made["start"].values["output_per_head"][:, : -len(later(plain, "output")[0])].tolist() == (
        plain.values["output_per_head"][:, : -len(later(plain, "output")[0])].tolist()
    )


def test_right_ranks_pass_and_wrong_ones_are_named():
    rng = np.random.default_rng(3)
    ranks = rng.uniform(size=(400, 5))
    keys = ["a", "b", "c", "d", "e"]
    assert not rejected([coverage(key, ranks[:, place]) for place, key in enumerate(keys)])
    assert not outside(coverage("all", ranks))
    narrow = ranks.copy()
    narrow[:, 1] = ndtr(1.5 * ndtri(ranks[:, 1]))
    rows = [coverage(key, narrow[:, place]) for place, key in enumerate(keys)]
    assert {key for key, _ in rejected(rows)} == {"b"}
    lines = table(rows, rejected(rows))
    assert [line[0] for line in lines if "*" in line] == ["b"]
    assert outside(coverage("all", ndtr(1.5 * ndtri(ranks)))) == [0.5, 0.8, 0.95]


def test_standard_errors_are_clustered_by_panel():
    ranks = np.array([[0.5, 0.5, 0.5, 0.5], [0.01, 0.01, 0.01, 0.01], [0.5, 0.5, 0.01, 0.01], [0.5, 0.5, 0.5, 0.01]])
    found = coverage("all", ranks)
    shares = np.array([1.0, 0.0, 0.5, 0.75])
    for level in (0.5, 0.8, 0.95):
        assert found.covered[level] == shares.mean()
        assert found.errors[level] == pytest.approx(np.sqrt(((shares - shares.mean()) ** 2).sum() / 3 / 4))
    assert not found.binomial
    assert "(21.3)" in table([found], ())[1]


def test_holm_steps_down():
    assert holm([0.01, 0.02, 0.03, 0.2]) == [True, False, False, False]
    assert holm([0.2, 0.001, 0.017, 0.02]) == [False, True, False, False]
    assert holm([0.001, 0.002, 0.003]) == [True, True, True]


def test_true_effects_are_ranked_without_measured_effects_and_with_them():
    made = recovered(replace(SMALL, effects=True), 2)
    assert not [item.problem for item in made if item.problem]
    for item in made:
        assert all(0 <= item.effects[name] <= 1 for name in EFFECTS)
    lines, record = report(replace(SMALL, effects=True), [item for item in made for _ in range(2)])
    assert any(line.startswith("gap_closed with evidence, within 43-57, 74-86, 92-98 %") for line in lines)
    assert set(record["panels"][0]["effects"]) >= set(EFFECTS)

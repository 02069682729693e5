"""Series, whitening, errors and shocks against plain loops and known laws."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from calibration.fitting.bind import line_of
from calibration.observation import (
    HUBER_K,
    Absent,
    HuberLoss,
    Noise,
    Series,
    Whitening,
    build_series,
    estimate_noise,
    summarise_shocks,
)
from calibration.observation.build import recounts
from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.paths import models_folder
from pysd_runner.data import Data, load_data
from pysd_runner.spec import ModelSpec, load_spec
from pysd_runner.study.equations import variable_itself
from tests.calibration.panels import FIRST, made_panel, without
from tests.provinces import with_variable


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return load_spec(models_folder() / "regional_digital" / "model.toml")


@pytest.fixture(scope="module")
def panel() -> Data:
    return made_panel(5, 6, noise=1.0)


def series_of(values: np.ndarray, *, relative: bool = False, increments: bool = False) -> Series:
    return Series(
        measurement="m",
        indicator="i",
        expression=variable_itself("o", ("region",)),
        relative=relative,
        increments=increments,
        declared_sd=0.5,
        times=np.arange(values.shape[1], dtype=float),
        values=values,
    )


def test_terms_of_the_observations(spec: ModelSpec, panel: Data) -> None:
    """Against loops over cells: growth less the mean growth of the year, logs less their mean."""
    found = {item.label: item for item in build_series(spec, panel, first_year=FIRST, last_year=FIRST + 6)[0]}
    head = panel.array("output_per_head")
    start = panel.years.index(FIRST)
    growth = found["output:output_per_head"].values
    for year in range(1, 7):
        changes = [np.log(row[start + year] / row[start + year - 1]) for row in head]
        for region, change in enumerate(changes):
            assert growth[region, year] == pytest.approx(change - sum(changes) / 5, abs=1e-12)
    assert np.isnan(growth[:, 0]).all()
    ports = panel.array("broadband_ports_per_100")
    levels = found["access:broadband_ports_per_100"].values
    for year in range(7):
        logs = [np.log(row[start + year]) for row in ports]
        np.testing.assert_allclose(levels[:, year], np.array(logs) - sum(logs) / 5, atol=1e-12)
    assert found["access_level:internet_penetration"].values.shape == (1, 7)


def test_the_first_year_gives_no_residual(spec: ModelSpec, panel: Data) -> None:
    for item in build_series(spec, panel, first_year=FIRST, last_year=FIRST + 6)[0]:
        assert not item.used[:, 0].any()
        assert item.seen[:, 0].all() == (not item.increments)


def test_missing_and_unusable_cells_are_left_out_and_counted(spec: ModelSpec, panel: Data) -> None:
    ports = panel.array("broadband_ports_per_100").copy()
    ports[0, -1], ports[1, -2] = np.nan, 0.0
    holed = with_variable(panel, "broadband_ports_per_100", ports, unit="per 100 persons")
    found = {item.label: item for item in build_series(spec, holed, first_year=FIRST, last_year=FIRST + 6)[0]}
    item = found["access:broadband_ports_per_100"]
    assert (item.missing, item.unusable, int(item.used.sum())) == (2, 1, 28)
    # The mean of a year is over the regions that were seen, for the model as for the panel.
    logs = np.log(ports[1:, -1])
    np.testing.assert_allclose(item.values[1:, -1], logs - logs.mean(), atol=1e-12)
    outcome = np.exp(np.arange(35.0).reshape(1, 5, 7) / 10)
    predicted = item.predicted(outcome, np.array([2.0]))[0]
    assert np.isnan(predicted[0, -1])
    assert predicted[1:, -1].mean() == pytest.approx(0, abs=1e-12)


def test_a_gap_costs_two_changes(spec: ModelSpec, panel: Data) -> None:
    head = panel.array("output_per_head").copy()
    head[2, 4] = np.nan
    holed = with_variable(panel, "output_per_head", head, unit="yuan/(Year*Person)")
    item = build_series(spec, holed, first_year=FIRST, last_year=FIRST + 6)[0][0]
    assert item.missing == 2
    assert np.isnan(item.values[2]).sum() == 3


def test_what_is_absent_says_why(spec: ModelSpec, panel: Data) -> None:
    bare = without(panel, "firms_with_ecommerce", national=False)
    absent = build_series(spec, bare, first_year=FIRST, last_year=FIRST + 6)[1]
    reasons = {(item.measurement, item.indicator): item.why for item in absent}
    assert "natural_growth" in reasons["population", "population"]
    assert reasons["application", "firms_with_ecommerce"] == "not in the panel"
    assert "no such national series" in reasons["access_level", "internet_penetration"]
    assert str(Absent("a", "b", "why")) == "a (b): why"


def peopled(panel: Data, logs: np.ndarray) -> Data:
    """The panel with a population of these logarithms; totals of output stay."""
    people = np.exp(logs)
    head = panel.array("output") / people
    counted = with_variable(panel, "population", people, unit="Person")
    return with_variable(counted, "output_per_head", head, unit="yuan/(Year*Person)")


def test_joints_of_the_shipped_panel_are_found() -> None:
    """Those that its documentation names, and a year of quarantine in Hubei; no region that grows fast or stops to."""
    panel = load_data("china")
    recent, every = tuple(range(2014, 2025)), panel.years
    names = [region.name_en for region in panel.regions]
    found = {(names[region], recent[year]) for region, year in np.argwhere(recounts(panel, recent))}
    assert found == {("Hubei", 2020)}
    found = {(names[region], every[year]) for region, year in np.argwhere(recounts(panel, every))}
    assert {("Hunan", 2005), ("Guangxi", 2005), ("Guizhou", 2005), ("Guangxi", 2010), ("Shanxi", 2010)} <= found
    # Beijing grew by 5 percent a year until 2010, Xinjiang by 2 until 2020.
    assert {name for name, _ in found}.isdisjoint({"Beijing", "Shanghai", "Guangdong", "Xinjiang"})


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), growth=st.floats(-0.05, 0.08), turn=st.integers(3, 8))
def test_fast_growth_and_its_end_are_no_joints_and_a_jump_is(seed: int, growth: float, turn: int) -> None:
    panel = made_panel(3, 9)
    rng = np.random.default_rng(seed)
    changes = 0.002 * rng.standard_normal((3, len(panel.years) - 1))
    changes[0] += growth
    changes[1, turn:] += growth
    logs = 17 + np.concatenate([np.zeros((3, 1)), np.cumsum(changes, axis=1)], axis=1)
    assert not recounts(peopled(panel, logs), panel.years).any()
    logs[2, turn + 1 :] += 0.04
    found = recounts(peopled(panel, logs), panel.years)
    assert found.sum() == 1
    assert found[2, turn + 1]


def test_a_joint_is_left_out_of_growth_and_counted(spec: ModelSpec, panel: Data) -> None:
    logs = np.log(panel.array("population"))
    place = panel.years.index(FIRST + 4)
    moved = logs.copy()
    moved[3, place:] += 0.05
    years = {"first_year": FIRST, "last_year": FIRST + 6}
    plain, joined = (build_series(spec, peopled(panel, made), **years)[0] for made in (logs, moved))
    found, before = joined[0], plain[0]
    assert (before.recounted, before.missing) == (0, 0)
    assert (found.recounted, found.missing) == (1, 1)
    assert np.isnan(found.values[3, 4])
    # The other regions of that year are compared with the mean of those that are left.
    growth = np.diff(np.log(panel.array("output") / np.exp(logs)), axis=1)[:, place - 1]
    others = np.delete(growth, 3)
    np.testing.assert_allclose(np.delete(found.values[:, 4], 3), others - others.mean(), atol=1e-12)
    np.testing.assert_allclose(np.delete(found.values, 4, axis=1), np.delete(before.values, 4, axis=1), atol=1e-12)
    assert "1 left out because population was counted anew" in line_of(found)
    assert "missing" not in line_of(found)
    # Levels keep their cells: the error of a share is not that of a change.
    assert all(item.recounted == 0 for item in joined[1:])


def test_without_population_or_with_gaps_nothing_is_a_joint(panel: Data) -> None:
    assert not recounts(without(panel, "population"), panel.years).any()
    assert not recounts(panel, panel.years[:1]).any()
    people = np.full_like(panel.array("population"), np.nan)
    people[0] = panel.array("population")[0]
    people[1, ::2] = 1e6
    assert not recounts(with_variable(panel, "population", people, unit="Person"), panel.years).any()


def test_natural_growth_lets_population_be_compared(spec: ModelSpec, panel: Data) -> None:
    grown = with_variable(panel, "natural_growth", np.zeros_like(panel.array("population")), unit="1/Year")
    found = build_series(spec, grown, first_year=FIRST, last_year=FIRST + 6)[0]
    assert "population:population" in [item.label for item in found]


def test_a_share_in_the_panel_is_observed_directly(spec: ModelSpec, panel: Data) -> None:
    shares = panel.array("mobile_internet_per_100") / 130
    item = next(
        item
        for item in build_series(
            spec, with_variable(panel, "access", shares, unit="Dmnl"), first_year=FIRST, last_year=FIRST + 6
        )[0]
        if item.indicator == "access"
    )
    assert (item.relative, item.increments, item.loading) == (False, False, "")
    np.testing.assert_allclose(item.values, np.log(shares[:, -7:]), atol=1e-12)


def whitened_slowly(series: Series, residuals: np.ndarray, noise: Noise) -> list[float]:
    found = []
    for region, year in zip(*np.nonzero(series.used), strict=True):
        earlier = [k for k in range(year) if series.seen[region, k]]
        rho, sd = noise.persistence, noise.sd
        if earlier:
            gap = year - earlier[-1]
            mean = rho**gap * residuals[region, earlier[-1]]
            variance = sd**2 * sum(rho ** (2 * k) for k in range(gap))
        else:
            mean, variance = 0.0, sd**2 / (1 - rho**2)
        found.append((residuals[region, year] - mean) / np.sqrt(variance))
    return found


@given(seed=st.integers(0, 10_000), rho=st.floats(0, 0.97))
def test_whitening_equals_a_loop_over_cells(seed: int, rho: float) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(rng.uniform(size=(4, 7)) < 0.3, np.nan, rng.normal(size=(4, 7)))
    series, residuals = series_of(values), rng.normal(size=(4, 7))
    noise = Noise(0.3, rho)
    cells = Whitening(series)
    np.testing.assert_allclose(
        cells.standardised(residuals, noise), whitened_slowly(series, residuals, noise), rtol=1e-9, atol=1e-12
    )
    many = cells.standardised(np.stack([residuals, 2 * residuals]), noise, persistence=np.array([rho, rho]))
    np.testing.assert_allclose(many[1], 2 * cells.standardised(residuals, noise), rtol=1e-12)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_errors_are_found_again(rho: float) -> None:
    rng = np.random.default_rng(1)
    residuals = np.zeros((40, 30))
    for year in range(1, 30):
        residuals[:, year] = rho * residuals[:, year - 1] + 0.2 * rng.normal(size=40)
    noise = estimate_noise(series_of(np.zeros((40, 30))), residuals)
    assert noise.persistence == pytest.approx(rho, abs=0.05)
    assert noise.sd == pytest.approx(0.2, rel=0.05)


def test_removing_the_mean_of_the_year_is_allowed_for() -> None:
    rng = np.random.default_rng(2)
    residuals = rng.normal(size=(3, 400))
    residuals -= residuals.mean(axis=0)
    series = series_of(np.zeros((3, 400)), relative=True)
    assert estimate_noise(series, residuals, persistence=0.0).sd == pytest.approx(1.0, rel=0.05)
    assert summarise_shocks(series, residuals, prior_sd=1.0).sd == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("pairs", [2, 8, 50])
def test_persistence_is_held_near_zero_as_if_by_four_pairs_without_any(pairs: int) -> None:
    """Of residuals that are all alike every pair says one."""
    noise = estimate_noise(series_of(np.zeros((1, pairs + 1))), np.ones((1, pairs + 1)))
    assert noise.persistence == pytest.approx(pairs / (pairs + 4))


def test_wild_cells_hardly_move_the_errors() -> None:
    rng = np.random.default_rng(3)
    residuals = rng.normal(size=(20, 20))
    clean = estimate_noise(series_of(np.zeros((20, 20))), residuals)
    residuals[3, 5], residuals[8, 9] = 80.0, -50.0
    wild = estimate_noise(series_of(np.zeros((20, 20))), residuals)
    assert wild.sd == pytest.approx(clean.sd, rel=0.05)
    assert wild.persistence == pytest.approx(clean.persistence, abs=0.05)


def test_few_cells_leave_the_declared_error() -> None:
    residuals = np.array([[0.0, 1e-9]])
    noise = estimate_noise(series_of(np.zeros((1, 2))), residuals)
    assert 0.4 < noise.sd < 0.5
    assert noise.persistence == 0.0


def test_the_robust_scale_solves_its_equation() -> None:
    values = np.random.default_rng(4).standard_t(3, size=300)
    inside = 2 * norm.cdf(HUBER_K) - 1
    expected = inside - 2 * HUBER_K * norm.pdf(HUBER_K) + HUBER_K**2 * (1 - inside)

    def miss(sd: float) -> float:
        return float(np.minimum(values**2, HUBER_K**2 * sd**2).sum() / expected + 4 * 0.25 - 304 * sd**2)

    assert HuberLoss().sd(values, freedom=300, declared=0.5, weight=4) == pytest.approx(brentq(miss, 0.5, 3), rel=1e-6)


@given(residual=st.floats(-50, 50))
def test_bounded_residuals_give_hubers_loss(residual: float) -> None:
    size = abs(residual)
    loss = 0.5 * residual**2 if size <= HUBER_K else HUBER_K * size - 0.5 * HUBER_K**2
    assert 0.5 * float(HuberLoss().bent(np.array([residual]))[0]) ** 2 == pytest.approx(loss, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("sd", "persistence"), [(0.0, 0.0), (float("nan"), 0.0), (1.0, -0.1), (1.0, 0.99)])
def test_impossible_errors_are_refused(sd: float, persistence: float) -> None:
    with pytest.raises(InvalidInput):
        Noise(sd, persistence)


def test_shocks_have_their_size_memory_and_tails() -> None:
    rng = np.random.default_rng(0)
    residuals = np.zeros((60, 60))
    for year in range(1, 60):
        residuals[:, year] = 0.4 * residuals[:, year - 1] + 0.02 * rng.standard_t(4, size=60) / np.sqrt(2)
    series = series_of(np.concatenate([np.full((60, 1), np.nan), np.zeros((60, 59))], axis=1), increments=True)
    shocks = summarise_shocks(series, residuals, prior_sd=0.02)
    assert shocks.sd == pytest.approx(0.02 / np.sqrt(1 - 0.4**2), rel=0.06)
    assert shocks.persistence == pytest.approx(0.4, abs=0.04)
    assert 3 < shocks.degrees < 7
    assert "Student-t" in shocks.words
    normal = summarise_shocks(series, 0.02 * rng.normal(size=(60, 60)), prior_sd=0.02)
    assert normal.degrees > 25


def test_few_shocks_say_nothing_about_tails() -> None:
    series = series_of(np.array([[np.nan, 0.0, 0.0]]), increments=True)
    shocks = summarise_shocks(series, np.zeros((1, 3)), prior_sd=0.03)
    assert np.isnan(shocks.degrees)
    assert 0.01 < shocks.sd < 0.03
    assert "Student" not in shocks.words

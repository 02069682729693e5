"""Estimators of the policy tests find jumps that were put in, and are left out without their data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm

from benchmarks import policy_tests as tests
from benchmarks.policy_tests import FILES, PERIODS, Estimate, jump, main, panel_effect, read, regions_of
from pysd_runner.data import load_data


def made(effect: float, seed: int = 0) -> pd.DataFrame:
    """Regions of ten countries with a jump of growth at 75."""
    rng = np.random.default_rng(seed)
    running, country = rng.uniform(45, 110, 400), rng.integers(0, 10, 400)
    below = running < 75
    growth = 8 - 0.1 * (running - 75) + effect * below + rng.normal(0, 2, 10)[country] + rng.normal(0, 1, 400)
    return pd.DataFrame({"running": running, "country": country.astype(str), "growth": growth})


@pytest.mark.parametrize("countries", [False, True])
@pytest.mark.parametrize("effect", [0.0, 3.0])
def test_a_jump_is_found_and_none_where_there_is_none(effect: float, countries: bool) -> None:
    found = [jump(made(effect, seed), "growth", 75, countries=countries) for seed in range(40)]
    values = np.array([item.value for item in found])
    assert abs(values.mean() - effect) < 4 * values.std(ddof=1) / np.sqrt(40)
    if countries:
        covered = [abs(item.value - effect) < 2.262 * item.error for item in found]
        assert np.mean(covered) > 0.8
    assert abs(jump(made(effect), "growth", 95, countries=True).value) < 1.2


def test_errors_are_robust_to_clusters() -> None:
    statsmodels = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(3)
    groups, x = np.repeat(np.arange(12), 10), rng.normal(size=120)
    y = 2 * x + rng.normal(size=12)[groups] + rng.normal(size=120)
    regressors = np.column_stack([x, np.ones(120)])
    theirs = statsmodels.OLS(y, regressors).fit(cov_type="cluster", cov_kwds={"groups": groups})
    found, errors = tests.least_squares(y, regressors, groups)
    assert_allclose(found, theirs.params)
    assert_allclose(errors, theirs.bse)


def test_power_is_that_of_a_normal_test() -> None:
    drawn = norm(2.0, 1.3).rvs(400_000, random_state=0)
    rejected = np.mean(np.abs(drawn / 1.3) > norm.ppf(0.975))
    assert_allclose(Estimate(value=0, error=1.3, count=9).power(-2.0), rejected, atol=0.003)
    assert_allclose(Estimate(value=0, error=1.3, count=9).power(0.0), 0.05)


def test_a_row_says_whether_the_estimate_lies_inside() -> None:
    predicted = {"name": "a", "median": 2.0, "low": 1.0, "high": 5.0}
    row = tests.row_of(predicted, Estimate(value=0.5, error=1.0, count=9))
    assert (row["inside"], row["inside_with_error"], row["width"]) == (False, True, 2.0)
    assert row["power"] == Estimate(value=0, error=1.0, count=9).power(2.0)
    assert tests.row_of(predicted, None)["estimate"] == ""


def test_effects_of_listing_are_found_beside_trends() -> None:
    rng = np.random.default_rng(0)
    dose = np.cumsum(rng.uniform(0, 0.3, (20, 1)) * (np.arange(12) == 6), axis=1)
    outcome = 5 * dose + rng.normal(size=(20, 1)) * np.arange(12) + rng.normal(0, 0.01, (20, 12))
    found, chance = panel_effect(outcome, dose, trends=True)
    assert_allclose(found.value, 5, atol=0.3)
    assert chance == 0.001
    assert panel_effect(outcome - 5 * dose, dose, trends=True)[1] > 0.01


def test_lists_of_broadband_china_have_117_places() -> None:
    table = pd.read_csv(tests.BROADBAND)
    assert list(table.filter(like="listed").sum()) == [39 + 2, 39, 39]
    shares = tests.listed(load_data("china", panel=True), [2013, 2014, 2019])
    assert shares[:, 0].max() == 0
    assert shares.max() == 1


def files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made files of the structural funds whose regions all lie where the list says."""
    codes = [code for text in tests.LISTED.values() for code in text.split()]
    heads_file, totals_file, payments_file = FILES
    rich = ["DE11", "DE12", "ES30", "ITC4", "FR10", "AT11"]
    years = (2000, 2001, 2002, 2006, 2007, 2008, 2009, 2013, 2019)
    heads = [("EU27_2020", year, 100) for year in years]
    heads += [(code, year, 80 + (code == "EL41")) for code in codes for year in years]
    heads += [(code, year, 83.0) for code in rich for year in years]
    pd.DataFrame(heads, columns=["geo", "time", "obs_value"]).to_csv(folder / heads_file, index=False)
    totals = [(code, "MIO_EUR", 2014, 1000) for code in codes + rich]
    pd.DataFrame(totals, columns=["geo", "unit", "TIME_PERIOD", "OBS_VALUE"]).to_csv(folder / totals_file, index=False)
    paid = [(code, year, 1e7) for code in codes for year in range(2007, 2020)]
    pd.DataFrame(paid, columns=["nuts2_id", "year", "erdf_eur"]).to_csv(folder / payments_file, index=False)
    digests = {name: tests.hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    monkeypatch.setattr(tests, "FILES", digests)


def test_the_cut_off_parts_listed_from_other_regions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(tmp_path, monkeypatch)
    tables = read(tmp_path)
    assert tables is not None
    regions = regions_of(PERIODS[0], tables, outcomes=True)
    assert_allclose(tests.cutoff_of(PERIODS[0], regions), (82.05, 1.0), atol=0.06)
    assert_allclose(regions.loc["ES11", "money"], 1.383, atol=0.001)
    assert regions["growth"].abs().max() == 0
    assert "growth" not in regions_of(PERIODS[1], tables, outcomes=False)
    low, high = PERIODS[0].money(tests.CUTOFF)
    assert_allclose([low, high], [0.333, 0.847], atol=0.001)


def test_without_data_the_structural_funds_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tests, "PERMUTATIONS", 9)
    target = tmp_path / "tests.csv"
    target.write_bytes(tests.RESULTS.read_bytes())
    before = pd.read_csv(target, keep_default_na=False).set_index("name")
    assert main(["--data", str(tmp_path), "--results", str(target)]) == 0
    assert "structural funds: left out" in capsys.readouterr().out
    after = pd.read_csv(target, keep_default_na=False).set_index("name")
    assert (after.loc["funds_2007_13"] == before.loc["funds_2007_13"]).all()


def test_another_file_is_refused(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_text("another")
    with pytest.raises(SystemExit, match="another file"):
        read(tmp_path)

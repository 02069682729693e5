"""Residual tests: against statsmodels, values of R, laws, and bad input."""

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.datasets import grunfeld, macrodata
from statsmodels.stats import diagnostic
from statsmodels.tsa.stattools import acf

from calibration.sdeval import autocorrelation, breusch_pagan, cross_dependence, ljung_box
from pysd_runner.core.errors import InvalidInput

# The vector whose statistics R's car::durbinWatsonTest gave, as recorded in the tests of statsmodels.
CAR = np.array([
    -0.1184, -1.3403, 0.0063, -0.612, -0.3869, -0.2313, -2.8485, -0.2167, 0.4153, 1.8492,
    -0.3706, 0.9726, -0.1501, -0.0337, -1.4423, 1.2489, 0.9182, -0.2331, -0.6182, 0.183,
])  # fmt: skip


@pytest.fixture(scope="module")
def macro() -> tuple[np.ndarray, np.ndarray]:
    """Residuals and regressors of investment on growth and the rate of interest, as in the tests of statsmodels."""
    data = macrodata.load_pandas().data
    investment, output = (400 * np.diff(np.log(data[name].to_numpy())) for name in ("realinv", "realgdp"))
    regressors = np.stack([output, data["realint"].to_numpy()[:-1]])
    fitted = sm.OLS(investment, sm.add_constant(regressors.T)).fit()
    return np.asarray(fitted.resid), regressors


def test_a_large_mean_costs_no_digits() -> None:
    step = np.array([0, 0, 1, 1, 0, 0]) / 128
    assert autocorrelation(254.90625 + step, lags=4) == pytest.approx(autocorrelation(step, lags=4), abs=1e-12)


def test_ljung_box_of_r(macro: tuple[np.ndarray, np.ndarray]) -> None:
    """Box.test(residuals, lag = 4, type = "Ljung-Box")."""
    found = ljung_box(macro[0], lags=4)
    assert float(found.statistic) == pytest.approx(5.23587172795227, abs=1e-12)
    assert float(found.p_value) == pytest.approx(0.263940335284713, abs=1e-12)


def test_breusch_pagan_of_r(macro: tuple[np.ndarray, np.ndarray]) -> None:
    """Value of lmtest::bptest, studentised."""
    found = breusch_pagan(*macro)
    assert float(found.statistic) == pytest.approx(0.709924388395087, abs=1e-12)
    assert float(found.p_value) == pytest.approx(0.701199952134347, abs=1e-12)


def test_breusch_pagan_of_statsmodels(macro: tuple[np.ndarray, np.ndarray]) -> None:
    residuals, regressors = macro
    expected = diagnostic.het_breuschpagan(residuals, sm.add_constant(regressors[0]))[0]
    assert float(breusch_pagan(residuals, regressors[0]).statistic) == pytest.approx(expected, rel=1e-12)


def test_autocorrelation_of_statsmodels_with_gaps() -> None:
    series = CAR.copy()
    series[[3, 11]] = np.nan
    found = autocorrelation(series, lags=5)
    # The deviations that are given sum to zero, so filling the gaps with zero leaves their mean at zero.
    assert found == pytest.approx(acf(np.nan_to_num(series - np.nanmean(series)), nlags=5, fft=False), abs=1e-12)
    assert autocorrelation(CAR, lags=5) == pytest.approx(acf(CAR, nlags=5, fft=False), abs=1e-12)


def test_pesaran_by_hand() -> None:
    """Three series, two alike and one opposite, over six moments: (1 - 1 - 1) sqrt(6) sqrt(2 / 6)."""
    one = CAR[:6]
    found = cross_dependence([one, 2 * one, -one])
    assert float(found.statistic) == pytest.approx(-np.sqrt(2), abs=1e-12)
    assert float(found.p_value) == pytest.approx(0.157299207050285, abs=1e-12)
    assert np.isnan(cross_dependence([one]).statistic)


def test_pesaran_of_r() -> None:
    """Printed by pcdtest(inv ~ value + capital, data = Grunfeld, model = "within") of plm: 4.6612 and 3.144e-06."""
    data = grunfeld.load_pandas().data
    # R's copy of the data has ten of the eleven firms.
    data = data[data["firm"] != "American Steel"]
    columns = ["invest", "value", "capital"]
    within = (data[columns] - data.groupby("firm")[columns].transform("mean")).to_numpy()
    residuals = sm.OLS(within[:, 0], within[:, 1:]).fit().resid
    found = cross_dependence(residuals.reshape(10, 20))
    assert float(found.statistic) == pytest.approx(4.6612, abs=5e-5)
    assert float(found.p_value) == pytest.approx(3.144e-06, abs=5e-10)


def test_what_is_not_defined_is_missing() -> None:
    assert np.isnan(autocorrelation([0.1, 0.1, 0.1], lags=1)).all()
    assert np.isnan(breusch_pagan([1.0, -1.0, 1.0], [1.0, 2.0, 3.0]).statistic)
    assert np.isnan(breusch_pagan([1.0, -2.0, 1.0], [3.0, 3.0, 3.0]).statistic)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: autocorrelation([1.0, 2.0], lags=2), "from 0 to 1"),
        (lambda: ljung_box(CAR, lags=0), "at least 1"),
        (lambda: breusch_pagan(CAR, CAR[:5]), "must have the shape"),
        (lambda: cross_dependence([1.0, np.inf]), "infinite"),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        call()

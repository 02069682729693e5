"""The page of any model in a browser."""

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="llvmlite cannot be loaded here, so nothing can be compiled")

from pysd_runner.core.errors import UnsupportedFeature
from pysd_runner.data import load_data
from pysd_runner.model import load_model
from pysd_runner.reports.explorer.page import constants_explored, page_of
from pysd_runner.spec import FittedParameters
from pysd_runner.spec.own import record_of, weak_parameter
from pysd_runner.study.equations import equations_of
from pysd_runner.study.projection import project
from tests.engine.small_models import FEATURES, write_model
from tests.reports.explorer.browser import opened, outcomes, settled

HOSTILE = '</script><img src=x onerror="window.hacked=1">'
EQUATIONS = (
    f"Contact Rate = 9 ~ 1/Year [1, 20] ~ contacts {HOSTILE} |\n"
    "Infectivity = 0.08 ~~|\nDuration = 4 ~ Year ~|\nPopulation = 1000 ~~|\n"
    "R: young, old ~~|\nweight[R] = 0.3, 0.7 ~~|\n"
    "infection[R] = weight[R]*Contact Rate*Infectivity*SUM(Infected[R!])*Susceptible/Population ~~|\n"
    "Susceptible = INTEG(-SUM(infection[R!]), Population - 3) ~~|\n"
    "Infected[R] = INTEG(infection[R] - Infected[R]/Duration, 1.5) ~~|"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(write_model(tmp_path_factory.mktemp("own"), EQUATIONS, final=40, step=0.25, saveper=1))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "obs.csv"
    path.write_text("year,Susceptible\n" + "".join(f"{year},{997 - year}\n" for year in range(10)), encoding="utf-8")
    return load_data(path)


def written(folder, *arguments, **settings):
    path = folder / "own.html"
    path.write_text(page_of(constants_explored(*arguments, **settings)), encoding="utf-8")
    return path


def fit_of(model, name, draws):
    """A fit of one parameter, as a calibration writes it."""
    declared = weak_parameter(name, value=9.0, limits=(1.0, 20.0))
    return FittedParameters(
        model=model.name,
        model_sha256=model.sha256,
        panel="obs",
        panel_sha256="0",
        first_year=0,
        last_year=10,
        regions=(),
        keys=(name,),
        estimates=(9.0,),
        standard_errors=(1.0,),
        covariance=((0.01,),),
        contraction=(0.9,),
        at_bound=("",),
        status="converged",
        message="",
        residual_sd={},
        provenance={"declarations": [record_of(declared)], "equations": equations_of(model)},
        draws=tuple((float(value),) for value in draws),
    )


def repeated(page, model, folder, *arguments, **settings):
    """Outcomes of the page, and those of the scenario it gives away."""
    with page.expect_download() as download:
        page.click("#do-yaml")
    download.value.save_as(folder / "mine.yaml")
    future = project(model, None, [str(folder / "mine.yaml")], *arguments, **settings)
    scenario = future.scenarios[-1]
    for key, values in zip(
        page.evaluate("gapsim.record.outcomes.map((item) => item.key)"), outcomes(page)[0], strict=True
    ):
        theirs = future[key].sel(scenario=scenario)
        theirs = theirs.transpose(
            *(dim for dim in theirs.dims if dim not in ("time", "draw")), "time", "draw"
        ).to_numpy()
        yield key, np.array(values).reshape(theirs.shape), theirs


def test_downloaded_scenario_is_repeated_by_a_run(model, data, browser, tmp_path):
    with opened(browser, written(tmp_path, model, data)) as page:
        settled(page, lambda: page.fill("[id='constant.Contact Rate']", "12"))
        settled(page, lambda: page.fill("[id='constant.weight[old]']", "0.5"))
        found = list(repeated(page, model, tmp_path))
        assert page.input_value("#outcome") == "Susceptible"
        assert page.evaluate("gapsim.seen.values.length") == 10
        assert page.locator("#fan circle").count() >= 10
    assert [key for key, *_ in found] == ["Susceptible", "Infected"]
    for key, ours, theirs in found:
        assert np.abs(ours - theirs).max() <= 1e-12 * np.abs(theirs).max(), key


def test_fit_gives_a_fan_and_factors(model, browser, tmp_path):
    rng = np.random.default_rng(1)
    fitted = fit_of(model, "Contact Rate", rng.uniform(7, 11, 50))
    with opened(browser, written(tmp_path, model, None, fitted, draws=10, seed=2)) as page:
        settled(page, lambda: page.fill("[id='constant.Contact Rate']", "0.5"))
        assert page.input_value("[id='constant.Contact Rate']") == "0.5"
        found = list(repeated(page, model, tmp_path, fitted, draws=10, seed=2))
        spread = page.evaluate("gapsim.series[0].spreads[20]")
    assert spread["low"] < spread["middle"] < spread["high"]
    for key, ours, theirs in found:
        assert ours.shape[-1] == 10
        assert np.abs(ours - theirs).max() <= 1e-12 * np.abs(theirs).max(), key


def test_names_of_a_model_are_text(model, browser, tmp_path):
    with opened(browser, written(tmp_path, model)) as page:
        assert HOSTILE in page.inner_text("label[for='constant.Contact Rate']")
        assert page.evaluate("window.hacked") is None
        assert page.locator("img").count() == 0


def test_models_that_need_python_are_refused_by_name(tmp_path):
    with pytest.raises(UnsupportedFeature, match="DELAY FIXED"):
        page_of(constants_explored(load_model(write_model(tmp_path, FEATURES["pipe"] + "\ns = INTEG(a, 0) ~~|"))))


LEVERS = """schema = 2
[levers.fewer]
constant = "Contact Rate"
to = 3
label = "contacts"
[outcomes.Infected]
better = "lower"
"""


def test_the_page_opens_on_levels_that_were_observed_and_on_levers(model, tmp_path, browser):
    path = tmp_path / model.path.name
    path.write_text(model.path.read_text(encoding="utf-8"), encoding="utf-8")
    path.with_suffix(".toml").write_text(LEVERS, encoding="utf-8")
    (tmp_path / "obs.csv").write_text("year,R,Infected\n0,old,1.5\n1,old,2\n2,old,3\n", encoding="utf-8")
    with opened(browser, written(tmp_path, load_model(path), load_data(tmp_path / "obs.csv", entity="R"))) as page:
        assert page.input_value("#outcome") == "Infected"
        assert page.input_value("#area") == "old"
        assert page.locator("#difference circle").count() >= 3
        assert page.locator("#fan *").count() == page.locator(".warning").count() == 0
        assert "beside what was observed" in page.inner_text("#sentence")
        assert page.locator("#regions thead th").count() == 2
        first = page.locator("input[type=range]").first
        assert first.get_attribute("id") == "constant.Contact Rate"
        assert [first.get_attribute(name) for name in ("min", "max", "value")] == ["3", "9", "9"]
        assert page.inner_text("legend >> nth=0") == "Levers"
        settled(page, lambda: page.fill("[id='constant.Contact Rate']", "5"))
        assert page.locator("#fan circle").count() >= 3
        assert page.locator("#difference circle").count() == 0
        assert "the difference is" in page.inner_text("#sentence")
        settled(page, lambda: page.click("#reset"))
        assert page.locator("#difference circle").count() >= 3
        page.click("#language")
        assert "模型原状" in page.inner_text("#sentence")
        assert page.inner_text("legend >> nth=0") == "政策工具"

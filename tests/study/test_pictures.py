"""Pictures of any model."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest

from calibration import Problem, fit
from calibration.uncertainty import identify, sample
from pysd_runner import load_data, load_model, project, run_ensemble
from pysd_runner.core.errors import InvalidInput
from pysd_runner.ensemble import latin_hypercube
from pysd_runner.plots.over_time import plot_fan, plot_profile
from pysd_runner.scenarios import Scenario
from pysd_runner.study.equations import diagram, flows_of, save_diagram
from tests.documentation.readme import ROOT
from tests.study.models import SIR, infections, made


@pytest.fixture(scope="module")
def sir(tmp_path_factory):
    return made(tmp_path_factory.mktemp("sir"), SIR, unit="day", stop=60)


def test_a_diagram_shows_every_stock_and_flow_of_the_equations(sir, tmp_path):
    found = {(flow.name, flow.stock, flow.is_inflow) for flow in flows_of(sir)}
    assert ("Infection", "Infected", True) in found
    assert ("Infection", "Susceptible", False) in found
    root = ElementTree.fromstring(diagram(sir))  # noqa: S314
    texts = " ".join(root.itertext())
    for name in ("Infected", "Susceptible", "Contact Rate"):
        assert name in texts
    assert save_diagram(sir, tmp_path / "sir.svg").read_text().startswith("<svg")


def test_a_large_model_is_drawn_as_its_stocks_and_flows_and_the_picture_of_the_docs_is_current():
    model = load_model("regional_digital")
    picture = diagram(model)
    assert (ROOT / "docs" / "images" / "stocks.svg").read_text(encoding="utf-8") == picture
    root = ElementTree.fromstring(picture)  # noqa: S314
    texts = " ".join(root.itertext())
    assert all(name[:21] in texts for name, item in model.variables.items() if item.kind == "stock")
    assert "Digital Depreciation" in texts
    assert "Coverage" not in texts.split()


@pytest.fixture(scope="module")
def problem(sir):
    return Problem(sir, infections(sir), free=["Contact Rate", "Duration"])


@pytest.fixture(scope="module")
def found(problem):
    return fit(problem)


def test_a_sample_is_what_arviz_takes(problem, found):
    drawn = sample(problem, found, 200, steps=300)
    tree = drawn.to_datatree(problem)
    posterior = tree["posterior"]
    assert posterior["Duration"].dims == ("chain", "draw")
    assert posterior["Duration"].attrs["units"] == "day"
    assert posterior.sizes["chain"] == drawn.chains.shape[0] * drawn.chains.shape[1]
    assert set(drawn.draws[:, 1]) <= set(posterior["Duration"].to_numpy().ravel())
    assert "infected" in tree["observed_data"]
    with pytest.raises(InvalidInput, match="the sample is of"):
        drawn.to_datatree(problem.again(free=["Duration"], until=None))
    arviz = pytest.importorskip("arviz", minversion="1.0")
    summary = arviz.summary(tree)
    assert list(summary.index) == ["Contact Rate", "Duration"]


def test_profiles_and_a_sensitivity_fan_are_drawn_from_results(sir, problem, found):
    assert "Contact Rate, Duration" in identify(problem, found).plot().sentence
    design = latin_hypercube(sir, {"Contact Rate": (4, 9), "Duration": (3, 5)}, 20)
    ensemble = run_ensemble(sir, design, outcomes=["Infected"])
    figure = ensemble.plot("infected")
    assert figure.sentence.startswith("Infected (person), 60 day")
    wide = np.quantile(ensemble["Infected"][0, :, -1], (0.05, 0.95))
    last = figure.data[(figure.data["time"] == 60) & figure.data["quantile"].isin([0.05, 0.95])]
    np.testing.assert_allclose(last["value"], wide)


def test_notebooks_show_at_most_a_screen(sir, tmp_path):
    columns = {f"column {number}": [1.0, 2.0] for number in range(50)}
    shown = load_data({"day": [0, 1], **columns})._repr_html_()
    assert shown.count("<tr") <= 24
    scenarios = [Scenario.of(f"s{number}", {"Contact Rate": number}) for number in range(1, 30)]
    assert project(sir, None, scenarios, outcomes=["Infected"])._repr_html_().count("<tr") <= 24


def test_profiles_say_what_they_show():
    curves = pd.DataFrame({"key": "a", "value": [0, 1, 2], "rise": [2, 0, 2], "data_rise": [1, 0, 1]})
    assert "90 % interval" in plot_profile(curves).sentence


def test_a_fan_draws_on_given_axes_and_refuses_too_much(sir):
    from matplotlib.figure import Figure

    future = project(sir, None, [Scenario.of(f"s{n}", {"Contact Rate": 4 + n}) for n in range(3)])
    axes = Figure().add_subplot()
    assert plot_fan(future["Infected"], ax=axes) is axes
    with pytest.raises(InvalidInput, match="one picture holds"):
        plot_fan({str(n): future["Infected"] for n in range(3)})
    with pytest.raises(InvalidInput, match="needs dimensions draw and time"):
        plot_fan(future["Infected"].mean("draw"))

"""Pictures of any model."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest

from pysd_runner import project
from pysd_runner.core.errors import InvalidInput
from pysd_runner.general.diagram import diagram, flows_of, save_diagram
from pysd_runner.plots.over_time import plot_fan
from pysd_runner.plots.sensitivity import plot_pairs, plot_phase, plot_profile, plot_tornado, ranges_of
from pysd_runner.scenarios import Scenario
from tests.general.models import SIR, made


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


def test_a_tornado_has_the_longest_bar_on_top():
    axes = plot_tornado({"a": (1, 2), "b": (0, 5)}, 1.5)
    assert [item.get_text() for item in axes.get_yticklabels()] == ["a", "b"]
    assert ranges_of(["a", "b"], np.array([1.0, 2, 0, 5])) == {"a": (1, 2), "b": (0, 5)}
    with pytest.raises(InvalidInput):
        plot_tornado({}, 0)


def test_pairs_profiles_and_phases_say_what_they_show(sir):
    draws = pd.DataFrame(np.random.default_rng(0).standard_normal((50, 2)), columns=["a", "b"])
    assert plot_pairs(draws).sentence.startswith("50 draws of a, b")
    curves = pd.DataFrame({"key": "a", "value": [0, 1, 2], "rise": [2, 0, 2], "data_rise": [1, 0, 1]})
    assert "90 % interval" in plot_profile(curves).sentence
    future = project(sir, None, [Scenario.of("less", {"Contact Rate": 4})])
    axes = plot_phase(future["Susceptible"], future["Infected"])
    assert len(axes.get_legend().get_texts()) == 2


def test_a_fan_draws_on_given_axes_and_refuses_too_much(sir):
    from matplotlib.figure import Figure

    future = project(sir, None, [Scenario.of(f"s{n}", {"Contact Rate": 4 + n}) for n in range(3)])
    axes = Figure().add_subplot()
    assert plot_fan(future["Infected"], ax=axes) is axes
    with pytest.raises(InvalidInput, match="one picture holds"):
        plot_fan({str(n): future["Infected"] for n in range(3)})
    with pytest.raises(InvalidInput, match="needs dimensions draw and time"):
        plot_fan(future["Infected"].mean("draw"))

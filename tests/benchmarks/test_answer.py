"""The figures of the policy answer are those of the runs they speak of."""

import re
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.answer import Ground, comparison_lines, future_lines, lever_lines, skill_lines
from calibration.forecasting import target_of
from pysd_runner.model import load_model
from pysd_runner.panel import load_data
from pysd_runner.spec import Baseline
from tests.study.test_projection import fit_of

DRAWS, UNTIL = 4, 2035
NUMBER = r"-?\d+\.\d+"


@pytest.fixture(scope="module")
def ground() -> Ground:
    """A fit made by hand, and a forecast that wanders from the last year."""
    panel = load_data("china")
    model = load_model("regional_digital", regions=len(panel.regions))
    random = np.random.default_rng(0)
    start = target_of(panel).values[:, -1:]
    paths = start + np.cumsum(random.normal(0, 0.01, (DRAWS, len(panel.regions), UNTIL - panel.years[-1])), axis=2)
    baseline = Baseline(
        paths=paths - paths.mean(axis=1, keepdims=True),
        regions=panel.codes,
        years=tuple(range(panel.years[-1] + 1, UNTIL + 1)),
        origin=panel.years[-1],
        panel=panel.name,
        panel_sha256=panel.sha256,
        provenance={},
    )
    drawn = random.lognormal(np.log((0.03, 0.17)), 0.1, (DRAWS, 2))
    fitted = replace(
        fit_of(model, panel, panel.years[-1]), keys=("g0", "lam_U"), draws=tuple(map(tuple, drawn.tolist()))
    )
    return Ground(model=model, panel=panel, fits={"main": fitted}, baseline=baseline, until=UNTIL, draws=DRAWS, seed=0)


def test_levels_of_skills_without_an_anchor_are_a_case_of_their_own(ground):
    first, *cases = skill_lines(ground)
    assert first.startswith("1.")
    middles = [float(re.findall(NUMBER, line.split("close ")[1])[0]) for line in cases]
    assert len(cases) == 2
    assert middles[0] != middles[1]


def test_what_a_policy_closes_is_split_without_a_rest(ground):
    lines = list(comparison_lines(ground))
    parts = {name: float(value) for name, value in re.findall(rf"need, (\w+): ({NUMBER})", "\n".join(lines[-4:]))}
    assert set(parts) == {"who", "what", "interaction", "total"}
    # Medians of four draws, which add up only about.
    assert abs(parts["who"] + parts["what"] + parts["interaction"] - parts["total"]) < 0.1
    assert sum("regions below gain" in line for line in lines) == 10


def test_the_run_is_the_forecast_and_no_money_changes_nothing(ground):
    text = "\n".join(future_lines(ground))
    assert float(re.findall(r"run and forecast: (\S+)", text)[0]) < 1e-6
    assert float(re.findall(r"changes output by (\S+)", text)[0]) < 1e-12
    assert "from the forecast: the gap to the leader widens" in text
    assert "the model alone: the gap to the leader widens" in text


def test_each_lever_stands_beside_what_is_plausible(ground):
    lines = list(lever_lines(ground))
    assert sum("only_skills: prior" in line for line in lines) == 3
    assert sum("plausible -" in line for line in lines) == 3

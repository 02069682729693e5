"""Errors of the indicators from which start values are inferred: their law, their streams, what they leave alone."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pysd_runner.data import load_data
from pysd_runner.model import load_model
from pysd_runner.study import draws as drawing
from pysd_runner.study.draws import common_draws, indicator_errors
from pysd_runner.study.region_inputs import region_inputs

SHARES = {"Initial Access Share", "Initial Skill Share", "Initial Application Share", "Schooling Index"}
INDICATORS = {"mobile_internet_per_100", "broadband_ports_per_100", "ict_employment_share", "firms_with_ecommerce"}


@pytest.fixture(scope="module")
def panel():
    return load_data("china", panel=True)


@pytest.fixture(scope="module")
def model(panel):
    return load_model("regional_digital", regions=len(panel.regions))


def common(model, panel, draws=6, seed=0):
    return common_draws(model, panel, None, None, bounds=(2024, 2030), draws=draws, seed=seed)


def skills_of(draws, seed):
    """Start values of skills, made in another process."""
    panel = load_data("china", panel=True)
    return common(load_model("regional_digital", regions=31), panel, draws, seed).values["Initial Skill Share"]


def drawn(model, draws, seed=0, fitted=None):
    return indicator_errors(model.spec, fitted, (draws, 31), np.random.default_rng(seed))


@pytest.mark.parametrize("year", [2014, 2024])
def test_errors_of_zero_change_no_bit(model, panel, year):
    zeros = {name: np.zeros((3, 31)) for name in INDICATORS}
    with_errors = region_inputs(model, panel, year, errors=zeros).values
    for name, values in region_inputs(model, panel, year).values.items():
        assert_array_equal(np.broadcast_to(values, with_errors[name].shape), with_errors[name])


def test_shares_spread_by_the_error_over_the_loading(model, panel):
    errors = drawn(model, 4000)
    assert set(errors) == INDICATORS
    # Without ceilings nothing bends the shares.
    values = region_inputs(model, panel, 2024, errors=errors, parameters={"a_max": 1e3, "y_h": 0.0}).values
    spec = model.spec

    def apart(name):
        logs = np.log(values[name][0])
        return np.sqrt(np.mean([np.var(logs[:, place] - logs[:, place - 1]) for place in range(31)]))

    skills, access = spec.measurements["skills"], spec.measurements["access"]
    one = skills.sd / spec.parameters[skills.loading].value
    assert apart("Schooling Index") == pytest.approx(np.sqrt(2) * one, rel=0.02)
    # Access is the mean of the logs of two indicators.
    two = access.sd / np.sqrt(2) / spec.parameters[access.loading].value
    assert apart("Initial Access Share") == pytest.approx(np.sqrt(2) * two, rel=0.02)


def test_the_nation_starts_where_it_did(model, panel):
    found = region_inputs(model, panel, 2024, errors=drawn(model, 50)).values
    people = found["Initial Population"]
    schooling = (found["Schooling Index"] * people).sum(axis=-1) / people.sum(axis=-1)
    assert_allclose(schooling, 1.0, rtol=1e-12)


def test_a_fit_says_how_large_the_errors_are(model):
    declared = drawn(model, 5)
    twice = drawn(model, 5, fitted=SimpleNamespace(residual_sd={"skills": 2 * model.spec.measurements["skills"].sd}))
    for name in INDICATORS:
        assert_array_equal(twice[name], declared[name] * (2 if name == "ict_employment_share" else 1))


def test_more_draws_keep_those_there_were_and_seeds_differ(model):
    few, many, other = drawn(model, 4), drawn(model, 9), drawn(model, 4, seed=1)
    for name in INDICATORS:
        assert_array_equal(many[name][:4], few[name])
        assert not np.isin(few[name], other[name]).any()


def test_nothing_but_start_shares_moves(model, panel, monkeypatch):
    found = common(model, panel)
    monkeypatch.setattr(drawing, "indicator_errors", lambda *_: {})
    before = common(model, panel)
    assert found.parameters.keys() == before.parameters.keys()
    for key, values in before.parameters.items():
        assert_array_equal(found.parameters[key], values)
    moved = set()
    for name, values in before.values.items():
        now = found.values[name]
        pair = [getattr(item, "values", item) for item in (values, now)]
        if not np.array_equal(*pair):
            moved.add(name)
    assert moved == SHARES


def test_a_single_draw_starts_from_what_was_observed(model, panel):
    found = common(model, panel, draws=1).values
    inputs = region_inputs(model, panel, 2024)
    assert_array_equal(found["Schooling Index"], inputs.values["Schooling Index"])


def test_another_process_draws_the_same(model, panel):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        theirs = pool.submit(skills_of, 3, 0).result()
    assert_array_equal(common(model, panel, 3).values["Initial Skill Share"], theirs)

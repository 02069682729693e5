"""Forms of growth from skills: what each changes, and a row of the table against its parts."""

import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.growth_forms import CHANNELS, FORMS, KEY, MIXES, Cells, row_of, widened, with_form
from calibration.commands.calibrate import compared
from pysd_runner import load_data, load_model
from pysd_runner.policy.ranking import compare
from pysd_runner.scenarios import with_comparisons
from pysd_runner.scenarios.crossing import REFERENCE, distinct
from pysd_runner.study.draws import common_draws

DRAWS, UNTIL = 12, 2030


@pytest.fixture(scope="module")
def panel():
    return load_data("china", panel=True)


@pytest.fixture(scope="module")
def shipped(panel):
    return load_model("regional_digital", regions=len(panel.regions))


@pytest.fixture(scope="module")
def ran(shipped, panel):
    model = with_form(shipped, FORMS["no growth term"])
    common = common_draws(model, panel, None, None, bounds=(2024, UNTIL), draws=DRAWS, seed=0, shocks=False)
    found = compare(model, panel, common, distinct(with_comparisons(compared(model), model=model)), (2024, UNTIL))
    return model, common, found


@pytest.mark.parametrize("name", FORMS)
def test_a_form_changes_the_declarations_in_memory_alone(shipped, name):
    form, before = FORMS[name], dict(shipped.spec.parameters)
    changed = with_form(shipped, form)
    found = changed.spec.parameters
    assert (found["centring"].value, found["cost_index"].value) == (form.centring, form.costs)
    assert found[KEY].prior == (form.prior or before[KEY].prior)
    assert found[KEY].lower <= found[KEY].value <= found[KEY].upper
    assert {key for key in found if found[key] != before[key]} <= {KEY, "centring", "cost_index"}
    assert shipped.spec.parameters == before
    assert changed.sha256 == shipped.sha256


def test_no_two_forms_are_the_same():
    assert len({(str(item.prior), item.centring, item.costs) for item in FORMS.values()}) == len(FORMS) == 5


def test_a_row_says_what_the_runs_say(ran, panel):
    model, common, found = ran
    row = row_of(model, panel, found, common)
    numbers = {
        head: float(re.findall(r"-?\d+\.\d+", cell)[0]) for head, cell in row.items() if head.startswith("closed")
    }
    closed = found.effects["gap_closed"]
    for head, name in MIXES.items():
        assert_allclose(numbers[f"closed: {head}"], closed.sel(scenario=name).median(), atol=0.006)
    need = closed.sel(scenario=MIXES["mean mix"]) - closed.sel(scenario=REFERENCE)
    assert row["need over head"].startswith(f"{float(need.median()):.2f} (")
    beijing = [region.name_en for region in panel.regions].index("Beijing")
    own = found.regional["own_change"].sel(scenario=MIXES["zoned"]).isel(region=beijing).to_numpy()
    assert row["Beijing worse off, zoned"].startswith(f"{(own < 0).mean():.2f} ±")


def test_without_any_channel_digitalisation_widens_nothing(ran, panel):
    model, common, _ = ran
    declared = model.declarations.parameters
    off = {declared[key].variable: np.zeros(DRAWS) for key in CHANNELS}
    bare = replace(common, values={**common.values, **off})
    assert_allclose(widened(model, panel, bare), 0.0, atol=1e-12)
    assert (np.abs(widened(model, panel, common)) > 1e-6).all()


def test_cells_have_the_errors_of_independent_draws():
    values = np.random.default_rng(0).normal(1.0, 1.0, 4000)
    cells = Cells(np.arange(values.size))
    middle, error = (float(item) for item in re.match(r"(\S+) \(.*\) ±(\S+)", cells.size(values)).groups())
    assert middle == pytest.approx(1.0, abs=0.06)
    assert error == pytest.approx(np.sqrt(np.pi / 2) / np.sqrt(values.size), abs=0.006)
    assert cells.share(values > 1) == f"{(values > 1).mean():.2f} ±0.01"

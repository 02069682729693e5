"""Outcomes of the parts of the aim against plain loops over regions; when all parts improve; bad declarations."""

import shutil

import numpy as np
import pytest
import xarray as xr

from pysd_runner.core.errors import InvalidModel
from pysd_runner.core.paths import model_folder
from pysd_runner.model import load_model
from pysd_runner.policy.effects import Start
from pysd_runner.policy.parts import all_parts_improve, declared_outcomes
from pysd_runner.policy.ranking import compare, start_of
from pysd_runner.policy.study import end_effects
from pysd_runner.scenarios import load_scenario
from pysd_runner.scenarios.crossing import single_levers
from pysd_runner.spec.aims import Aim, RegionalOutcome
from tests.policy.places import inputs, policy, study

KEYS = ("services_closed", "mobility_change", "migration_change", "savings_change")


def level(key, data, draw, start):
    """One outcome at the end of one run, region by region."""
    count = len(start.output)
    own = {name: [float(values[0, draw, place, -1]) for place in range(count)] for name, values in data.items()}
    people = [value / sum(start.population) for value in start.population]
    national = {name: sum(people[place] * own[name][place] for place in range(count)) for name in own}
    heads = [start.output[place] / start.population[place] for place in range(count)]
    behind = [place for place in range(count) if heads[place] < sum(start.output) / sum(start.population)]
    reach = own["Public Service Reach"]
    return {
        "services_closed": 100
        * (national["Public Service Reach"] - sum(reach[place] for place in behind) / len(behind)),
        "mobility_change": 100 * national["Mobility"],
        "migration_change": 1000 * sum(own["Unskilled Outflow"] + own["Skilled Outflow"]) / sum(own["Population"]),
        "savings_change": 100 * sum(own["Pooled Funds"]) / sum(own["Investable Funds"]),
    }[key]


@pytest.mark.parametrize("key", KEYS)
def test_each_outcome_is_a_plain_loop(key):
    start = start_of(inputs().panel)
    names = sorted({name for item in KEYS for name in study().outcomes[item].variables})
    none, own = (study().simulated([values], names) for values in (study().none, policy()))
    found = end_effects(study(), [policy()], [study().outcomes[key]])[key][0]
    sign = -1 if key == "services_closed" else 1
    for draw in range(study().draws):
        change = level(key, own, draw, start) - level(key, none, draw, start)
        assert abs(change) > 1e-9
        assert found[draw] == pytest.approx(sign * change, rel=1e-9, abs=1e-12)


def test_slopes_of_what_is_linear_do_not_depend_on_the_values():
    rng = np.random.default_rng(0)
    for key in ("services_closed", "mobility_change"):
        item = study().outcomes[key]
        data = {name: rng.uniform(0, 1, (2, 3, 4, 2)) for name in item.variables}
        slopes = item.slopes(data)
        whole = sum(slopes[name] * data[name] for name in item.variables).sum(axis=2)
        assert whole == pytest.approx(item.value(data), rel=1e-12)
        # Where every region has the same there is no shortfall, and the mean is what they have.
        same = item.value({name: np.ones((1, 1, 4, 1)) for name in item.variables})
        assert same == pytest.approx(0.0 if key == "services_closed" else 100.0, abs=1e-12)


def test_the_comparison_has_what_a_study_has_and_counts_draws_in_which_all_parts_improve():
    none, need = (load_scenario(name, model=inputs().model) for name in ("baseline", "zoned_need"))
    only = next(item for item in single_levers(0.003, model=inputs().model) if "compensation" in item.name)
    found = compare(inputs().model, inputs().panel, inputs().common, [none, need, only], inputs().bounds)
    table = found.table()
    expected = end_effects(study(), [policy()], [study().outcomes[key] for key in KEYS])
    for key in KEYS:
        assert found.effects[key].sel(scenario="zoned_need").to_numpy() == pytest.approx(expected[key][0], rel=1e-12)
    own = [found.effects[key].sel(scenario="zoned_need").to_numpy() for key in ("gap_closed", *KEYS)]
    shares = [all(values[draw] > 0 for values in own) for draw in range(study().draws)]
    assert 0 < np.mean(shares) < 1
    assert table["share_all_parts"].to_dict() == {"zoned_need": np.mean(shares), only.name: 0.0}
    few = compare(inputs().model, inputs().panel, inputs().common, [none, need], inputs().bounds, is_whole=False)
    assert "share_all_parts" not in few.table()
    assert few.effects.equals(found.effects.sel(scenario=["zoned_need"])[list(few.effects)])


def test_a_part_without_outcomes_is_not_asked_to_improve():
    rows = {"a": [[1.0, 1.0, -1.0]], "b": [[1.0, 0.0, 1.0]]}
    effects = xr.Dataset({key: (("scenario", "draw"), values) for key, values in rows.items()})
    words = {"en": "part", "zh": "部分"}
    aims = {key: Aim(key=key, outcomes=outcomes, **words) for key, outcomes in (("x", ("a", "b")), ("y", ()))}
    assert all_parts_improve(aims, effects).tolist() == [[True, False, False]]
    with pytest.raises(KeyError, match="'c'"):
        all_parts_improve({"x": Aim(key="x", outcomes=("c",), **words)}, effects)


def test_equal_regions_have_no_shortfall():
    words = {"unit": "points", "unit_zh": "点", "en": "own", "zh": "自身"}
    both = {key: RegionalOutcome(key=key, of=("A",), weights=key, **words) for key in ("shortfall", "sum")}
    assert list(declared_outcomes(both, Start(output=np.ones(2), population=np.ones(2)))) == ["sum"]
    assert list(declared_outcomes(both, Start(output=np.array([2.0, 1.0]), population=np.ones(2)))) == list(both)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('of = ["Mobility"]', 'of = ["Mobilty"]', "bindings or regional_outcomes: the model has no variable 'Mobilty'"),
        ('weights = "mean"', 'weights = "most"', "found 'most'"),
    ],
)
def test_declarations_that_mean_nothing_are_refused(tmp_path, old, new, text):
    for name in ("model.mdl", "model.toml"):
        shutil.copy(model_folder("regional_digital") / name, tmp_path)
    declared = (tmp_path / "model.toml").read_text(encoding="utf-8")
    assert old in declared
    (tmp_path / "model.toml").write_text(declared.replace(old, new), encoding="utf-8")
    with pytest.raises(InvalidModel, match=text):
        load_model(tmp_path)

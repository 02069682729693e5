"""A copy of the shipped folder in which every variable has another name gives the same numbers."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from calibration.evaluation.sensitivity import OutcomeRuns
from calibration.evaluation.subject import Subject
from calibration.fitting.fit import fit
from calibration.fitting.problem import Problem
from calibration.forecasting import forecast
from pysd_runner.core.errors import InvalidInput, InvalidModel
from pysd_runner.data import load_data
from pysd_runner.engine import TimePath
from pysd_runner.model import Model, load_model
from pysd_runner.policy import policy_of, space_of
from pysd_runner.scenarios import load_scenario
from pysd_runner.study.inputs import inputs_of
from pysd_runner.study.projection import project
from tests.models.renamed import SHIPPED, renamed_folder
from tests.provinces import REGIONS

UNTIL = 2027


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models") / "mine"
    renamed_folder(place)
    return place


def everything(model: Model) -> dict[str, np.ndarray]:
    """A fit, a forecast, a projection from it, and what an evaluation computes, each small."""
    panel = load_data("china").subset(entities=REGIONS, times=range(2012, 2025))
    result = fit(Problem(model, panel, start=2018, free=["q_a", "tau_m", "h_u"]), starts=1, seed=0)
    fitted = result.fitted
    found = {"estimates": np.array(fitted.estimates), "covariance": np.array(fitted.covariance)}
    found["shock"] = np.array(fitted.shock_sd)
    settings = {"forecaster": "filtered", "model": model, "fit": fitted, "past": False}
    outlook = forecast(panel, until=UNTIL, draws=32, seed=0, **settings)
    found["forecast"] = outlook.paths.to_numpy()
    data = project(model, panel, "zoned_need", fitted, until=UNTIL, draws=4, baseline=outlook.baseline).data
    found |= {key: data[key].to_numpy() for key in data.data_vars}
    subject = Subject.of_fit(result, panel, until=UNTIL, model=model)
    found |= {f"evaluated {key}": values for key, values in OutcomeRuns(subject=subject).one({"c0": 0.02}).items()}
    inputs = inputs_of(model, panel, fitted, until=UNTIL, draws=2)
    scenario = load_scenario("zoned_need", model=model)
    found["start"] = space_of(inputs, scenario)[1]
    values = {**inputs.common.values, **policy_of(inputs, scenario)}
    for place, value in enumerate(values.values()):
        found[f"value {place}"] = np.asarray(value.values if isinstance(value, TimePath) else value)
    return found


@pytest.mark.slow
def test_other_names_give_the_same_numbers(folder: Path) -> None:
    shipped, copy = load_model(SHIPPED, regions=4), load_model(folder, regions=4)
    controls = {"FINAL TIME", "INITIAL TIME", "SAVEPER", "TIME STEP"}
    assert set(shipped.variables) & set(copy.variables) == controls
    assert copy.name == SHIPPED
    expected, found = everything(shipped), everything(copy)
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert_allclose(found[name], values, rtol=1e-12, atol=1e-12, err_msg=name)


def test_bindings_to_what_is_not_there_are_refused(folder: Path, tmp_path: Path) -> None:
    declared = (folder / "model.toml").read_text(encoding="utf-8")
    (tmp_path / "model.mdl").write_bytes((folder / "model.mdl").read_bytes())
    line = next(line for line in declared.splitlines() if line.startswith("output_per_head = "))
    for old, new, text in (
        (line, 'output_per_head = "Nothing"', "bindings or regional_outcomes: the model has no variable 'Nothing'"),
        ('momentum_decay = "tau_m"', 'momentum_decay = "tau_n"', "bindings.parameters.momentum_decay: no parameter"),
        ('reference_shift = "tref"', 'reference_shift = "treff"', "bindings.inputs.reference_shift: no input 'treff'"),
        ('lever = "Lever"\n', "", "bindings.lever: is missing"),
    ):
        assert old in declared
        (tmp_path / "model.toml").write_text(declared.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(InvalidModel) as caught:
            load_model(tmp_path)
        assert text.removeprefix("bindings.lever: ") in str(caught.value)


def test_a_folder_or_its_file_is_loaded_with_its_declarations(folder: Path, tmp_path: Path) -> None:
    by_folder, by_file = load_model(folder, regions=2), load_model(folder / "model.mdl", regions=2)
    assert by_folder.source == by_file.source == str(folder / "model.mdl")
    assert by_folder.spec == by_file.spec
    assert load_model(SHIPPED).source == SHIPPED
    assert by_folder.with_regions(5).ranges["Region"] == ("R001", "R002", "R003", "R004", "R005")
    for name in ("model.mdl", "model.toml"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    model = load_model(tmp_path)
    text = (tmp_path / "model.mdl").read_text(encoding="utf-8")
    (tmp_path / "model.mdl").write_text(text + "\n", encoding="utf-8")
    with pytest.raises(InvalidModel, match="has changed since the model was loaded"):
        model.with_regions(4)


def test_a_model_without_bindings_runs_as_any_other_and_forecasts_no_panel(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "alone.mdl").write_bytes((folder / "model.mdl").read_bytes())
    alone = load_model(tmp_path / "alone.mdl", regions=4)
    panel = load_data("china").subset(entities=REGIONS)
    assert list(project(alone, panel, "baseline").scenarios) == ["baseline"]
    with pytest.raises(InvalidInput, match=r"is called like a variable of alone\.mdl"):
        forecast(panel, until=UNTIL, model=alone)

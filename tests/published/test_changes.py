"""Change files replace constants, tables, texts and times of a model, and are scenarios."""

from pathlib import Path

import numpy as np
import pytest

from pysd_runner import load_model, project, simulate
from pysd_runner.core.errors import InvalidInput, InvalidModel, InvalidScenario, ProbableSlip, UnknownName
from pysd_runner.scenarios import Scenario, load_scenario

# With the numbers of the file: the stock grows by a share of 0.1 or 0.2, times 1 at Time 0 and 1.
MODEL = """\
{UTF-8}
Region: north, south ~~|
Rate[north] = 0.1 ~~|
Rate[south] = 0.2 ~~|
Share = 1 ~~|
Effect([(0,0)-(9,9)],(0,1),(9,1)) ~~|
Growth[Region] = Stock[Region] * Rate[Region] * Share * Effect(Time) ~~|
Stock[Region] = INTEG(Growth[Region], 100) ~ person ~|
Fixed = Share * 2 ~~|
INITIAL TIME = 0 ~ day ~|
FINAL TIME = 2 ~ day ~|
TIME STEP = 1 ~ day ~|
SAVEPER = TIME STEP ~ day ~|
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "m.mdl").write_text(MODEL, encoding="utf-8")
    return tmp_path


def changed(study: Path, text: str, name: str = "a.cin") -> Path:
    path = study / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [121.0, 144.0]),
        ("Share = 2", [144.0, 196.0]),
        ('"SHARE"=.5', [110.25, 121.0]),
        ("Rate[north] = 0.5", [225.0, 144.0]),
        ("Rate[Region] = 0.5", [225.0, 225.0]),
        ("Rate[Region] = 0, 1", [100.0, 400.0]),
        ("Rate[Region] = 1\nRate[south] = 0", [400.0, 100.0]),
        ("Effect((0,2),(1,0),(5,0))", [120.0, 140.0]),
        ("Effect(0,1,5, 2,0,0)", [120.0, 140.0]),
        ("FINAL TIME = 1", [110.0, 120.0]),
        ("0 <= Share = 0 <= 1\n:C Share = 9", [100.0, 100.0]),
    ],
)
def test_changes_by_hand(study: Path, text: str, expected: list[float]) -> None:
    model = load_model(study / "m.mdl", changes=[changed(study, text)])
    for engine in ("llvm", "numpy"):
        assert simulate(model, engine=engine)["Stock"][0, 0, :, -1] == pytest.approx(expected)  # type: ignore[arg-type]
    plain = load_model(study / "m.mdl")
    future = project(plain, scenarios=[str(study / "a.cin")])
    assert future.data["Stock"].values[1, 0, :, -1] == pytest.approx(expected)
    assert simulate(plain)["Stock"][0, 0, :, -1] == pytest.approx([121.0, 144.0])


def test_files_of_the_declarations_hold_for_every_run_and_the_last_line_wins(study: Path) -> None:
    changed(study, "Share = 2\nRate[south] = 0")
    changed(study, "Share = 0", "b.cin")
    (study / "m.toml").write_text(
        'schema = 2\n[study]\nchanges = ["a.cin"]\n[scenarios."No growth"]\nchanges = ["b.cin"]\n', encoding="utf-8"
    )
    model = load_model(study / "m.mdl")
    assert simulate(model)["Stock"][0, 0, :, -1] == pytest.approx([144.0, 100.0])
    found = load_scenario("No growth", model=model)
    assert found.describe() == ("Share: 0",)
    assert project(model, scenarios="No growth").data["Stock"].values[1, 0, :, -1] == pytest.approx([100.0, 100.0])
    with pytest.raises(InvalidInput, match="use another engine"):
        simulate(model, engine="pysd")


def test_scenarios_of_tables_run_together_and_are_stored(study: Path) -> None:
    changed(study, "Effect((0,2),(1,0))\nFINAL TIME = 1", "less.cin")
    changed(study, "Effect((0,0),(1,3))\nShare = 2", "more.cin")
    model = load_model(study / "m.mdl")
    cast = [load_scenario(study / name, model=model) for name in ("less.cin", "more.cin")]
    assert [Scenario.from_dict(item.to_dict()) for item in cast] == cast
    future = project(model, scenarios=cast)
    # The run ends with the later of the two.
    assert future.data["Stock"].sel(time=2).values[:, 0] == pytest.approx(
        np.array([[121, 144], [120, 140], [160, 220]])
    )


def test_times_of_scenarios(study: Path) -> None:
    model = load_model(study / "m.mdl")
    future = project(model, scenarios={"long": {"FINAL TIME": 4, "TIME STEP": 0.5}})
    assert (future.data["time"].values[-1], future.data["time"].size) == (4.0, 9)
    assert float(project(model, scenarios={"long": {"FINAL TIME": 4}}, until=1).data["time"].values[-1]) == 1.0
    with pytest.raises(InvalidScenario, match=r"TIME STEP to 0\.5, 1; run them one at a time"):
        project(model, scenarios={"a": {"TIME STEP": 0.5}, "b": {"TIME STEP": 1}})
    with pytest.raises(InvalidScenario, match="give one number"):
        project(model, scenarios={"a": {"FINAL TIME": "x2"}})


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("\nShaer = 2", UnknownName, r"a\.cin:2: the model has no 'Shaer'\. Did you mean 'Share'"),
        ("Fixed = 2", InvalidInput, r"a\.cin:1: 'Fixed' is computed by an equation; a change file"),
        ("Effect = 2", InvalidInput, r"a\.cin:1: 'Effect' is a table function; a change file"),
        ("Share((0,1),(1,2))", InvalidInput, r"a\.cin:1: 'Share' is no table function"),
        ("Rate = 2", InvalidInput, r"a\.cin:1: 'Rate' has 1 subscripts; 0 are given"),
        ("Rate[east] = 2", InvalidModel, r"a\.cin:1"),
        ("Rate[Region] = 1, 2, 3", InvalidModel, r"a\.cin:1"),
        ("File :IS: 'a.xlsx'", UnknownName, r"a\.cin:1: the model has no 'File'"),
    ],
)
def test_bad_changes_are_refused_with_file_and_line(study: Path, text: str, error: type[Exception], said: str) -> None:
    path = changed(study, text)
    with pytest.raises(error, match=said):
        load_model(study / "m.mdl", changes=[path])
    with pytest.raises(InvalidScenario, match=said):
        load_scenario(path, model=load_model(study / "m.mdl"))


def test_a_line_that_is_not_understood_is_told(study: Path) -> None:
    path = changed(study, "Share = 2\nwhat is this\n")
    with pytest.warns(ProbableSlip, match=r"a\.cin:2: not read: what is this"):
        load_model(study / "m.mdl", changes=[path])
    with pytest.raises(InvalidInput, match="is no change file"):
        load_model(study / "m.mdl", changes=[study / "m.mdl"])


def test_a_change_of_a_number_leaves_the_equations_of_other_elements(study: Path) -> None:
    text = MODEL.replace("Rate[south] = 0.2", "Rate[south] = 2 * Rate[north]")
    (study / "m.mdl").write_text(text, encoding="utf-8")
    model = load_model(study / "m.mdl", changes=[changed(study, "Rate[north] = 0.5")])
    assert simulate(model, outcomes=["Rate"])["Rate"][0, 0, :, 0].tolist() == [0.5, 1.0]
    with pytest.raises(InvalidInput, match="'Rate' is computed by an equation"):
        load_model(study / "m.mdl", changes=[changed(study, "Rate[Region] = 0.5")])

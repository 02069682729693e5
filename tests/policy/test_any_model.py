"""Policies of models of one's own: what is declared is what is searched, and what is missing is said."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gapsim
from pysd_runner import load_model
from pysd_runner.cli.application import main
from pysd_runner.core.errors import InvalidInput, InvalidModel
from pysd_runner.model import Model
from pysd_runner.policy import Optimum, Study, attribute, effects_of, optimise, policy_of, space_of, study_of
from pysd_runner.reports.explorer.page import constants_explored
from pysd_runner.study import inputs_of
from tests.english import visible

# The stock grows by what the levers buy, less what the tax takes: A buys with a falling return, B at half the rate.
TEXT = """{UTF-8}
Place: North, South ~~|
Spent[Place] = 1, 1 ~ yuan/year [0,10] ~|
Unit Cost = 2 ~ yuan/t ~|
Tax = 0.5 ~ t/year ~|
Bought[North] = SQRT(Spent[North]) / Unit Cost ~ t/year ~|
Bought[South] = 0.5 * SQRT(Spent[South]) / Unit Cost ~ t/year ~|
Stock[Place] = INTEG(Bought[Place] - Tax, 10) ~ t ~|
INITIAL TIME = 0 ~ year ~|
FINAL TIME = 4 ~ year ~|
TIME STEP = 0.5 ~ year ~|
SAVEPER = 1 ~ year ~|
"""
TOML = """schema = 2
[parameters."Unit Cost"]
role = "COST"
[outcomes.Stock]
better = "higher"
[levers.north]
constant = "Spent[North]"
[levers.south]
constant = "Spent[South]"
label = "money for the South"
[budget]
total = 5
"""


# The same model, in which levers cut: what is spent is what is cut from 11; then one that adds and one that cuts.
SPENT = "Spent[Place] = 1, 1 ~ yuan/year [0,10] ~|"
CUT = TEXT.replace(SPENT, "Cut[Place] = 10, 10 ~ yuan/year [0,10] ~|\nSpent[Place] = 11 - Cut[Place] ~ yuan/year ~|")
CUTS = TOML.replace('"Spent[North]"', '"Cut[North]"\nto = 0').replace('"Spent[South]"', '"Cut[South]"\nto = 0')
BOTH = TEXT.replace(
    SPENT,
    """More = 1 ~ yuan/year [0,10] ~|
Cut = 10 ~ yuan/year [0,10] ~|
Spent[North] = More ~ yuan/year ~|
Spent[South] = 11 - Cut ~ yuan/year ~|""",
)
EITHER = TOML.replace('"Spent[North]"', '"More"').replace('"Spent[South]"', '"Cut"\nto = 0')
BUDGET = "[budget]\ntotal = 5\n"


def studied(model: Model) -> Study:
    return study_of(inputs_of(model))


def made(folder: Path, text: str = TEXT, toml: str = TOML) -> Model:
    (folder / "mine.mdl").write_text(text, encoding="utf-8")
    (folder / "mine.toml").write_text(toml, encoding="utf-8")
    return load_model(folder / "mine.mdl")


def test_a_lever_is_switched_to_what_it_is_when_off(tmp_path: Path) -> None:
    study = studied(made(tmp_path))
    chosen = policy_of(study, {"Spent[North]": 5.0, "Spent[South]": 3.0})
    assert np.ravel(study.switched(chosen, [0.0, 0.5])["Spent"]).tolist() == [1.0, 2.0]


def test_elements_of_a_lever_are_told_apart_by_what_they_are_called(tmp_path: Path) -> None:
    commented = TEXT.replace("[0,10] ~|", "[0,10] ~ Money of a place. |")
    levers = studied(made(tmp_path, commented)).levers
    assert [item.label("en") for item in levers.values()] == ["Money of a place: North", "money for the South"]


def test_levers_budget_and_outcomes_are_those_declared(tmp_path: Path) -> None:
    study = studied(made(tmp_path))
    assert {key: item.off for key, item in study.levers.items()} == {"north": 1.0, "south": 1.0}
    assert study.levers["south"].label("en") == "money for the South"
    assert study.elements == ("North", "South")
    found = effects_of(study, [policy_of(study, {"Spent[North]": 4})], list(study.outcomes.values()))["Stock"]
    assert found[0, 0].tolist() == pytest.approx([0, 0.5, 1, 1.5, 2])


def best_of(folder: Path, text: str = TEXT, toml: str = TOML) -> tuple[Study, Optimum]:
    study = studied(made(folder, text, toml))
    study = type(study)(**{name: getattr(study, name) for name in study.__slots__} | {"draws": 4})
    return study, optimise(study, space_of(study)[0], starts=2)


def test_the_best_spends_the_budget_where_the_return_is_highest(tmp_path: Path) -> None:
    study, best = best_of(tmp_path)
    # sqrt(a) + sqrt(b) / 2 with a + b = 7 (off is one each) and b at least one: a = 4 b.
    assert best.point == pytest.approx([5.6, 1.4], rel=1e-2)
    chosen = best.space.scenario(study, best.point, name="best")
    assert set(chosen.changes) == {"Spent[North]", "Spent[South]"}
    parts = attribute(study, best.values)
    assert parts.shapley.sum(axis=0) == pytest.approx(parts.total)


@pytest.mark.parametrize(
    ("text", "toml", "plain", "point"),
    [
        (CUT, CUTS, TOML, [5.4, 9.6]),
        (BOTH, EITHER, TOML, [5.6, 9.6]),
        (CUT, CUTS.replace(BUDGET, ""), TOML.replace(BUDGET, "").replace("constant", "upper = 11\nconstant"), [0, 0]),
    ],
)
def test_a_mirrored_model_has_the_mirrored_optimum(
    tmp_path_factory: pytest.TempPathFactory, text: str, toml: str, plain: str, point: list[float]
) -> None:
    same, own = best_of(tmp_path_factory.mktemp("plain"), toml=plain)
    study, best = best_of(tmp_path_factory.mktemp("mirrored"), text, toml)
    assert best.point == pytest.approx(point, rel=1e-2, abs=1e-6)
    assert best.out_of_sample == pytest.approx(own.out_of_sample, rel=1e-4)
    assert list(best.on_bounds.values()) == pytest.approx(list(own.on_bounds.values()), rel=1e-4)
    parts = attribute(study, best.values).shapley
    assert parts == pytest.approx(attribute(same, own.values).shapley, rel=2e-2)
    for (low, high), (least, most), turned in zip(
        best.ranges.values(),
        own.ranges.values(),
        [item.upper == item.off for item in best.space.decisions],
        strict=True,
    ):
        assert (low, high) == pytest.approx((11 - most, 11 - least) if turned else (least, most), abs=0.1)


@pytest.mark.parametrize(
    ("text", "toml", "changes", "levers"),
    [
        (TEXT, TOML, {"Spent[North]": 5, "Spent[South]": 3}, {"Spent[North]": (1, 10), "Spent[South]": (1, 10)}),
        (CUT, CUTS, {"Cut[North]": 6, "Cut[South]": 8}, {"Cut[North]": (0, 10), "Cut[South]": (0, 10)}),
        (BOTH, EITHER, {"More": 5, "Cut": 8}, {"More": (1, 10), "Cut": (0, 10)}),
    ],
)
def test_a_mirrored_model_has_the_same_brief_and_levers_first(
    tmp_path: Path, text: str, toml: str, changes: dict[str, float], levers: dict[str, tuple[float, float]]
) -> None:
    model = made(tmp_path, text, toml.replace("[outcomes.Stock]", '[study]\nleading = ["Bought"]\n[outcomes.Stock]'))
    (tmp_path / "more.yaml").write_text(json.dumps({"name": "more", "label": "More", "changes": changes}))
    out, brief = str(tmp_path / "out"), tmp_path / "brief"
    assert main(["run", str(tmp_path / "more.yaml"), "--model", str(model.path), "--out", out]) == 0
    assert main(["brief", "--run", out, "--out", str(brief)]) == 0
    page = visible((brief / "mine.html").read_text(encoding="utf-8"))
    # (sqrt(5) - 1) / 2 more.
    assert "Bought[North] goes from 0.5 at 0 year to 0.5 (t/year) at 4 year" in page
    assert "“More” makes it 0.618 more" in page
    explored = constants_explored(model)
    first = explored.constants[0]
    assert first["title"] == "levers"
    assert {item["name"]: (item["lower"], item["upper"]) for item in first["entries"]} == levers
    assert [item["key"] for item in explored.outcomes] == ["Bought", "Stock"]


def test_levers_of_a_call_may_cut(tmp_path: Path) -> None:
    model, cut = made(tmp_path, CUT, "schema = 2\n"), {"Cut[North]": 5.0}
    settings: dict[str, Any] = {"outcome": "Stock", "better": "higher"}
    parts = gapsim.attribute(model, None, cut, levers={"Cut[North]": (2, 10)}, **settings)
    # From 1 to 6 are spent, in each of four years.
    assert parts.total[0, -1] == pytest.approx(4 * (np.sqrt(6) - 1) / 2)
    with pytest.raises(InvalidInput, match="one of its two ends; found 2 to 11"):
        gapsim.attribute(model, None, cut, levers={"Cut[North]": (2, 11)}, **settings)


def test_random_and_middle_points_of_levers_that_cut_spend_the_budget(tmp_path: Path) -> None:
    space = space_of(studied(made(tmp_path, BOTH, EITHER.replace("to = 0", "to = 0\ncost = 2"))))[0]
    rng = np.random.default_rng(0)
    for point in (space.middle(), *(space.random(rng) for _ in range(5))):
        assert (point[0] - 1) + 2 * (10 - point[1]) == pytest.approx(5)
    # A change of five thirds in each costs five.
    assert space.middle() == pytest.approx([1 + 5 / 3, 10 - 5 / 3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[levers.north]\nconstant", "[levers.north]\nof"), r"levers.*north.*of: unknown key; known: constant"),
        (("[levers.north]\nconstant", "[levers.nort]\n# constant"), "levers.*nort.*no such constant"),
        (('"Spent[North]"', '"Spent[Nort]"'), "no such constant.*Spent.North"),
        (("total = 5", "total = -5"), "budget.total: must be positive"),
        (("total = 5", "sum = 5"), "budget.total: is missing"),
        (('label = "money', 'upper = 0.5\nlabel = "money'), "upper: must lie above 1.*lowers has `to`"),
        (('label = "money', 'to = 1\nlabel = "money'), "to: must differ from 1"),
        (('label = "money', 'to = 2\nupper = 2\nlabel = "money'), "upper: is the old word"),
        (('label = "money', 'off = 10\nlabel = "money'), "to: is missing: 10"),
        (('label = "money', 'cost = 0\nlabel = "money'), "cost: must be positive"),
    ],
)
def test_declarations_that_make_no_sense_are_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(InvalidModel, match=message):
        made(tmp_path, toml=TOML.replace(*change))


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="declares no levers"):
        studied(made(tmp_path, toml="schema = 2\n"))
    with pytest.raises(InvalidInput, match="which direction is better"):
        studied(made(tmp_path, toml=TOML.replace('better = "higher"', "")))
    with pytest.raises(InvalidInput, match="cost 18, less than the budget of 50"):
        space_of(studied(made(tmp_path, toml=TOML.replace("total = 5", "total = 50"))))
    free = TOML.replace(BUDGET, "")
    with pytest.raises(InvalidInput, match=r"no end; declare levers\.north\.to"):
        space_of(studied(made(tmp_path, TEXT.replace(" [0,10]", ""), free)))
    with pytest.raises(InvalidInput, match="whole units of time"):
        studied(made(tmp_path, TEXT.replace("FINAL TIME = 4", "FINAL TIME = 4.5")))

"""What a package exports is imported when it is first used, and old names of it and of modules work on."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pysd_runner  # noqa: F401 - lets old names work

DOOR = '''"""A package."""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from shelf.books import Book as Book
    from shelf.books import read as read
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__, renamed={"look_at": "shelf.books.read"})
'''


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "__init__.py").write_text(DOOR)
    (tmp_path / "shelf" / "books.py").write_text("class Book: ...\n\ndef read() -> str:\n    return 'read'\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "shelf"]:
        monkeypatch.delitem(sys.modules, name)
    return "shelf"


def test_exports_are_listed_once_and_imported_when_used(shelf: str) -> None:
    door = importlib.import_module(shelf)
    assert door.__all__ == dir(door) == ["Book", "read"]
    assert "shelf.books" not in sys.modules
    assert door.read() == "read"
    assert door.Book is sys.modules["shelf.books"].Book
    with pytest.raises(AttributeError, match="module 'shelf' has no attribute 'TYPE_CHECKING_'"):
        door.TYPE_CHECKING_  # noqa: B018


# Names on the left side of the table "One pipeline" of CHANGELOG.md that can be imported, and what warnings tell.
OLD = """
calibration.optimisers: Objective SumOfSquares, Optimum Minimum, Outcome SearchOutcome
calibration.sdeval: theil point_fit, Theil PointFit
calibration.uncertainty: Verdict ParameterVerdict, Direction PosteriorDirection, Shape ProfileShape
pysd_runner: load_projection load_future, load_panel load_data, load_table load_data, check_panel check_data
pysd_runner.checks: Rule BehaviourRule, DimensionProblem EquationProblem, Obstacle EquationProblem
pysd_runner.ensemble: Job EnsembleJob
pysd_runner.general.scenario_runs: project_any pysd_runner.study.project
pysd_runner.panel: Panel data.Data, Table data.Data, Region Entity, Problem findings.Finding, check_table check_data
pysd_runner.policy: regional_study study_of, model_study study_of, lever_space space_of
pysd_runner.regional: regional_study study_of, policy_values policy_of, class_space space_of, uniform_space space_of
pysd_runner.regional: chosen_scenario space.scenario, RegionalModel RegionalModel
pysd_runner.regional.policy_spaces: DEFAULT_CONSTRAINTS pysd_runner.policy.spaces.DEFAULT_CONSTRAINTS
pysd_runner.regional.projection: projection_inputs pysd_runner.study.inputs_of
pysd_runner.scenarios: Problem Finding
pysd_runner.spec: Outcome DeclaredOutcome, Lever DeclaredLever"""
ROWS = [(module, *item.split()) for module, names in re.findall("(.+): (.+)", OLD) for item in names.split(",")]


@pytest.mark.parametrize(("module", "name", "told"), ROWS)
def test_an_old_name_works_and_warns_of_the_new_one_where_it_is_used(module, name, told):
    with pytest.warns(DeprecationWarning, match=rf"^{module}\.{name} is now (\w+\.)*{told}\b") as caught:
        assert getattr(importlib.import_module(module), name)
    assert [warning.filename for warning in caught] == [__file__]


def test_what_never_was_is_not_there():
    with pytest.raises(ImportError):
        importlib.import_module("pysd_runner.regional.nothing")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = importlib.import_module("pysd_runner.regional").nothing


def test_importing_from_an_old_module_warns_in_a_script():
    code = "from pysd_runner.general.diagram import save_diagram; print(save_diagram.__module__)"
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "pysd_runner.study.equations"
    assert "pysd_runner.general.diagram.save_diagram is now pysd_runner.study.equations.save_diagram" in done.stderr

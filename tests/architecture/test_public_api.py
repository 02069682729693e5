"""What the front doors show. A name added or removed is a decision: it is counted here as well."""

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import warnings

import pytest

import calibration
import gapsim
import pysd_runner
from pysd_runner import policy
from tests.architecture.checkout import PACKAGES, source_files

ROOTS = (gapsim, pysd_runner, calibration)

DOORS = {
    "calibration": 6,
    "calibration.evaluation": 6,
    "calibration.sdeval": 20,
    "gapsim": 40,
    "pysd_runner": 13,
    "pysd_runner.checks": 12,
    "pysd_runner.engine": 21,
    "pysd_runner.ensemble": 14,
    "pysd_runner.export": 8,
    "pysd_runner.indicators": 14,
    "pysd_runner.data": 11,
    "pysd_runner.plots": 9,
    "pysd_runner.policy": 18,
    "pysd_runner.scenarios": 10,
    "pysd_runner.study": 7,
    "pysd_runner.simulation": 6,
    "pysd_runner.spec": 22,
}

EVERYTHING = [(door, name) for door in DOORS for name in importlib.import_module(door).__all__]


@pytest.mark.parametrize("door", DOORS)
def test_a_front_door_shows_so_many_names(door: str) -> None:
    module = importlib.import_module(door)
    assert len(set(module.__all__)) == len(module.__all__) == DOORS[door]
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize(("door", "name"), EVERYTHING, ids=lambda part: part)
def test_what_a_front_door_shows_is_documented(door: str, name: str) -> None:
    item = getattr(importlib.import_module(door), name)
    if not (inspect.isclass(item) or inspect.isfunction(item)):
        return
    text = inspect.getdoc(item) or ""
    generated = dataclasses.is_dataclass(item) and text.startswith(f"{item.__name__}(")
    assert text, f"{door}.{name} has no docstring"
    assert not generated, f"{door}.{name} has no docstring of its own"


def test_an_exported_function_says_what_its_parameters_are() -> None:
    numpydoc = pytest.importorskip("numpydoc.validate")
    rooms = (item for root in ROOTS for item in pkgutil.walk_packages(root.__path__, f"{root.__name__}.") if item.ispkg)
    doors = [importlib.import_module(name) for name in (*PACKAGES, *(item.name for item in rooms))]
    shown = [getattr(door, name) for door in doors for name in getattr(door, "__all__", ())]
    functions = {item for item in shown if inspect.isfunction(item)}
    assert len(functions) > 100
    faults = {item: numpydoc.Validator(numpydoc.get_doc_object(item)).parameter_mismatches for item in functions}
    # How they are ordered is left to the reader: related ones stand together.
    found = {item.__name__: [text for code, text in pairs if code != "PR03"] for item, pairs in faults.items()}
    assert {name: texts for name, texts in found.items() if texts} == {}


def test_docstrings_have_the_headings_of_their_layout() -> None:
    numpydoc = pytest.importorskip("numpydoc.docscrape")
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    parsed = ((path.name, ast.walk(ast.parse(path.read_text("utf-8")))) for path in source_files())
    found = [
        (name, ast.get_docstring(node)) for name, nodes in parsed for node in nodes if isinstance(node, documented)
    ]
    faults = []
    for name, text in (*found, ("unknown", "Sum.\n\nHeadings\n--------\nNone.")):
        # It warns of headings that it does not know.
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            numpydoc.NumpyDocString(text or "")
        faults += [(name, str(item.message).splitlines()[0]) for item in told]
    assert [name for name, _ in faults] == ["unknown"], faults


SEARCHES = ("attribute", "optimise")
PLOTS = {
    "pysd_runner.plots.gaps": ("gaps", "dispersion"),
    "pysd_runner.plots": ("differences", "tiles"),
    "pysd_runner.plots.mixes": ("mixes",),
    "pysd_runner.plots.over_time": ("fan", "series", "fitted", "profile"),
    "pysd_runner.plots.policies": ("wedges", "shares", "forest"),
    "calibration.reporting.fitted": ("series", "regions", "residuals", "parameters", "predictive"),
}


def test_a_door_names_its_arguments_and_a_figure_takes_axes() -> None:
    doors = [*(getattr(gapsim, name) for name in gapsim.__all__), *(getattr(policy, name) for name in SEARCHES)]
    given = {item.__name__: inspect.signature(item).parameters for item in doors if callable(item)}
    hidden = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    # Keywords of a `TypedDict` are named.
    unnamed = {
        name: [item for item in found.values() if not hasattr(item.annotation, "__args__")]
        for name, found in given.items()
    }
    assert [name for name, found in unnamed.items() if hidden & {item.kind for item in found}] == []
    long = {"fit", "sample", "profile", "simulate", "forecast", "backtest", "project", "evaluate", *SEARCHES}
    assert {name for name, found in given.items() if "progress" in found} == long
    figures = [getattr(importlib.import_module(home), f"plot_{name}") for home in PLOTS for name in PLOTS[home]]
    assert [item for item in figures if "ax" not in inspect.signature(item).parameters] == []

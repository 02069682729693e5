"""Errors that an analyst can meet are said in Chinese: each message of the source, with something filled in."""

import ast
import re
from itertools import product
from pathlib import Path

import pytest

import pysd_runner
from pysd_runner.scenarios.document import Problem
from pysd_runner.text.notices import error_in_language
from tests.text.messages import Blank, dummies, findings, messages, raised, shown

ROOT = Path(pysd_runner.__file__).parents[1]
ERRORS = frozenset(
    {"CalibrationFailed", "GapsimError", "InvalidInput", "InvalidModel", "InvalidPanel", "InvalidScenario"}
    | {"SimulationFailed", "UnknownName", "UnsupportedFeature", "WorkerLost"}
)
# What an analyst's commands reach, so that all of it is Chinese.
CHINESE = (
    "pysd_runner/cli",
    "pysd_runner/panel",
    "pysd_runner/scenarios",
    "pysd_runner/export",
    "pysd_runner/policy",
    "pysd_runner/study/binding.py",
    "pysd_runner/study/draws.py",
    "pysd_runner/study/keeping.py",
    "pysd_runner/study/labelling.py",
    "pysd_runner/study/projection.py",
    "pysd_runner/study/region_inputs.py",
    "pysd_runner/study/values.py",
    "pysd_runner/study/shocks.py",
    "pysd_runner/study/showing.py",
    "pysd_runner/study/matching.py",
    "pysd_runner/indicators/events.py",
    "calibration/commands",
    "calibration/fitting",
    "calibration/forecasting",
    "calibration/uncertainty",
    "pysd_runner/plots",
    "pysd_runner/reports",
    "pysd_runner/core",
    "pysd_runner/engine/counts.py",
    "pysd_runner/explorer",
    "pysd_runner/spec/baseline.py",
    "pysd_runner/spec/fitted.py",
    "calibration/evaluation",
    "calibration/observation",
    "calibration/parameters",
    "calibration/reporting",
)
# Messages elsewhere, by package: of model files, of the engine and its runs, and of a library that is called from
# Python. They stay English, and there shall not be more of them.
LEFT_OUT = {
    "pysd_runner/checks": 9,
    "pysd_runner/engine": 239,
    "pysd_runner/ensemble": 58,
    "pysd_runner/study": 15,
    "pysd_runner/indicators": 23,
    "pysd_runner/model.py": 13,
    "pysd_runner/simulation": 16,
    "pysd_runner/spec": 30,
    "pysd_runner/text": 2,
    "calibration/doors.py": 1,
    "calibration/filtering": 12,
    "calibration/optimisers": 6,
    "calibration/sdeval": 44,
}
# Another text is passed on as it is: a summary of problems, which is in the language of the reader already.
PASSED_ON = {"Q", "Q: Q", "Q: Q: Q; Q"}
# Names of files, options and keys stay, and so do formats and examples.
NAMES = re.compile(
    r"""`[^`]+`|'[^']*'|"[^"]*"|\([a-z, ]+\)|\[[a-z, ]+\]|--[\w-]+|[\w.\[\]]*[_.=:/]\w[\w.]*|\w+=|\b\w*[A-Z]{2,}\w*\b"""
    r"""|\b(xarray|netCDF|xlsx|Python|NumPy|gapsim|dask)\b|\w+://\S+"""
)

# A name that may have been meant comes last.
MEANT = r"[。；]是否指 \S+？$"


def module_files(packages):
    for package in packages:
        yield from [ROOT / package] if package.endswith(".py") else sorted((ROOT / package).rglob("*.py"))


def english_left(said):
    return re.findall(r"[A-Za-z]{3,}", NAMES.sub("", said))


def check(message, filled):
    said = error_in_language(message, "zh")
    assert re.search(r"[\u4e00-\u9fff]", said), said
    assert [dummy for dummy in filled if dummy not in said] == [], said
    assert english_left(said) == [], said
    assert ("Did you mean" in message) == bool(re.search(MEANT, said)), said
    return said


FORMS = {
    f"{path.relative_to(ROOT)}:{line}:{number}": form
    for path in module_files(CHINESE)
    for line, forms in messages(path, ERRORS)
    for number, form in enumerate(forms)
    if re.sub(r"\d", "", shown(form)) not in PASSED_ON
}


def test_messages_are_found():
    assert len(FORMS) > 150
    assert sum(isinstance(part, Blank) for form in FORMS.values() for part in form) > 200


@pytest.mark.parametrize("place", FORMS)
def test_an_error_is_said_in_chinese(place):
    check(shown(FORMS[place]), dummies(FORMS[place]))


FINDINGS = {
    f"{path.relative_to(ROOT)}:{line}:{number}": dict(zip(parts, chosen, strict=True))
    for path in module_files(["pysd_runner/scenarios"])
    for line, parts in findings(path, frozenset({"report", "_stop"}))
    for number, chosen in enumerate(product(*parts.values()))
    if re.sub(r"\d", "", shown(chosen[0])) not in PASSED_ON
}


def test_findings_are_found():
    assert len(FINDINGS) > 60


@pytest.mark.parametrize("place", FINDINGS)
def test_what_is_wrong_with_a_scenario_is_said_in_chinese(place):
    parts = {part: shown(form) for part, form in FINDINGS[place].items()}
    problem = Problem(place="s.yaml", line=3, path="policy.mix", **parts)
    said = check(str(problem), [dummy for form in FINDINGS[place].values() for dummy in dummies(form)])
    assert said.startswith("s.yaml:3：policy.mix：")


def test_several_problems_stand_one_a_line():
    text = "2 problems:\n  a.yaml:3: policy.mix: unknown lever 'acess'. Did you mean 'access'?\n  a.yaml:4: empty."
    first, second, third = error_in_language(text, "zh").split("\n")
    assert first.startswith("共 2")
    assert second.startswith("  a.yaml:3")
    assert second.count("access") == 1
    assert english_left(third) == []


# What the reader of the command line says of words it cannot use.
USAGE = (
    "No such option: --drawz",
    "No such option: --drawz (Possible options: --data, --draws)",
    "No such command 'runn'. Did you mean 'run'?",
    "Missing argument 'SCENARIO'.",
    "Missing option '--fit'.",
    "Invalid value for '--draws': Input should be greater than or equal to 1",
    "Invalid value for '--draws': Input should be a valid integer, unable to parse string as an integer",
    "Invalid value for '--lang': Input should be 'en' or 'zh'",
    "Invalid value for 'FILE': File 'a.csv' does not exist.",
    "Got unexpected extra argument(s) (x)",
    "Option '--json' does not take a value.",
    "Option '--out' requires an argument.",
)


@pytest.mark.parametrize("message", USAGE)
def test_wrong_usage_is_said_in_chinese(message):
    check(message, [])


# Errors of the system, and those that are put together of what another part of the program says.
PUT_TOGETHER = (
    "a.csv: Permission denied; choose another file or folder, or make room",
    "f.json: the fitted parameters cannot be read: Permission denied; calibrate again",
    "f.json: x: is missing; calibrate again",
    "f.json: x.y: expected a valid integer; found 'z'; run the scenarios again",
    "these options go with a model of your own (--model mine.mdl); leave --data away",
    "the panel has no region or class 'Gansuu': it has no classes, its regions are A, B and 25 more. Did you mean 'C'?",
    "this policy cannot be: mix.b is 2, expected 0 to 1; mix.a sums to 0.9, expected 1",
    "panel 'p' says nothing the model can be compared with: a (b): not in the panel; c (d): not in the panel",
    "a/b exists already. This came up when all was done: the results are in a/b-1",
    "the projection has no outcome 'x'. Did you mean 'y'?",
    "the projection has no outcome 'theil': that needs the population of every region, which the panel lacks",
    "a.csv: row 3, column 'b': found 'c'; expected a whole number from zero up",
    "the diagnostics of the calibration failed; look at the result in a/b before you use it:",
)


@pytest.mark.parametrize("message", PUT_TOGETHER)
def test_what_is_put_together_is_said_in_chinese(message):
    check(message, [])


def test_taking_a_text_apart_ends():
    for text in ("; found ; expected " * 20, "a: b; c. d " * 500):
        assert error_in_language(text, "zh") == text


def test_what_is_no_error_of_ours_stays():
    assert error_in_language("something else entirely: 3 of it", "zh") == "something else entirely: 3 of it"


def test_what_is_left_out_does_not_grow():
    covered = set(module_files(CHINESE))
    packages = [folder for part in ("pysd_runner", "calibration") for folder in [*(ROOT / part).iterdir()]]
    found = {}
    for entry in packages:
        paths = [path for path in ([entry] if entry.suffix == ".py" else entry.rglob("*.py")) if path not in covered]
        trees = (ast.parse(path.read_text(encoding="utf-8")) for path in paths)
        if count := sum(1 for tree in trees for _ in raised(tree, ERRORS)):
            found[str(entry.relative_to(ROOT))] = count
    grown = {package: count for package, count in found.items() if count > LEFT_OUT.get(package, 0)}
    assert grown == {}
    assert set(LEFT_OUT) <= set(found)

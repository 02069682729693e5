"""Names of the shipped model stand in `regional/`; where others still spell them is listed, and grows no longer."""

import ast
from pathlib import Path

import calibration
import pysd_runner
from pysd_runner.model import load_model

# Vensim's own, of every model.
CONTROLS = {"FINAL TIME", "INITIAL TIME", "SAVEPER", "TIME STEP", "Time"}
# To be handed over by the bindings of a model; the number of names that each file still spells.
LEFT = {
    "calibration/evaluation/observed.py": 2,
    "calibration/evaluation/ranking.py": 2,
    "calibration/filtering/digital.py": 4,
    "calibration/filtering/dynamics.py": 28,
    "calibration/fitting/assembly.py": 1,
    "calibration/fitting/comparison.py": 1,
    "calibration/fitting/stages.py": 1,
    "pysd_runner/plots/sensitivity.py": 1,
    "pysd_runner/regional/answer.py": 1,
    "pysd_runner/regional/comparison.py": 3,
    "pysd_runner/regional/more_money.py": 2,
    "pysd_runner/scenarios/assumptions.py": 10,
    "pysd_runner/scenarios/description.py": 1,
    "pysd_runner/spec/fitted.py": 1,
}


def test_no_other_file_spells_a_variable_or_a_key_of_the_shipped_model() -> None:
    model = load_model("regional_digital")
    assert model.spec is not None
    names = {*model.variables, *(key for key in model.spec.parameters if len(key) >= 3)} - CONTROLS
    assert len(names) > 100
    found = {}
    for package in (pysd_runner, calibration):
        root = Path(package.__file__).parent
        for path in root.rglob("*.py"):
            if "regional" in path.parts:
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            spelt = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in names}
            if spelt:
                found[path.relative_to(root.parent).as_posix()] = len(spelt)
    assert {path: count for path, count in found.items() if count > LEFT.get(path, 0)} == {}

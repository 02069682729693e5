"""Names of the shipped model stand in its model.toml; the code knows them by what [bindings] says they mean."""

import ast

from pysd_runner.model import load_model
from tests.architecture.checkout import ROOT, source_files

# Vensim's own, of every model.
CONTROLS = {"FINAL TIME", "INITIAL TIME", "SAVEPER", "TIME STEP", "Time"}
SHORT = 3
# A column of panels, which an input of the model is called after.
ALLOWED = {("pysd_runner/data/names.py", "terrain")}


def test_no_file_spells_a_variable_or_a_key_of_the_shipped_model() -> None:
    model = load_model("regional_digital")
    assert model.spec is not None
    keys = {key for key in (*model.spec.parameters, *model.spec.inputs) if len(key) >= SHORT}
    names = {*model.variables, *keys} - CONTROLS
    assert len(names) > 250
    found = set()
    for path in source_files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        spelt = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in names}
        found |= {(path.relative_to(ROOT).as_posix(), name) for name in spelt}
    assert found == ALLOWED

"""Recipes of CONTRIBUTING, each as a patch: an outsider who follows them meets no rule that they do not tell."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.architecture.checkout import ROOT, project_files
from tests.architecture.size import git

# The nearest tests of each recipe; those of all are the rules of the architecture, and the texts.
RECIPES = {
    "indicator": "tests/indicators/test_labelled.py",
    "heading": "tests/data/test_reading.py",
    "delay": "tests/engine/test_features.py",
    "lever": "tests/models/test_regional_digital.py",
    "figure": "tests/plots/test_layout.py",
}
HELD = "tests/architecture/test_size.py tests/architecture/test_checkout.py tests/architecture/test_public_api.py"


@pytest.mark.slow
def test_recipes_pass_the_tests_that_an_outsider_runs(tmp_path):
    for path in project_files():
        place = tmp_path / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    try:
        git(tmp_path, "init", "--initial-branch=main")
    except OSError:
        pytest.skip("there is no Git to apply a patch")
    commit(tmp_path, "Begin")
    git(tmp_path, "switch", "--create", "work")
    for name in RECIPES:
        # Each is a change of its own; what a change may add is tested for the last, which is the largest.
        git(tmp_path, "branch", "--force", "main")
        git(tmp_path, "apply", str(ROOT / "tests/architecture/recipes" / f"{name}.patch"))
        commit(tmp_path, "Follow a recipe")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-n0", *HELD.split(), "tests/text", *RECIPES.values()],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def commit(folder, message):
    """Commit all there is."""
    git(folder, "add", "--all", "--force")
    git(folder, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "--quiet", "--message", message)

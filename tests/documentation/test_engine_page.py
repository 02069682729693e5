"""The example of the engine's page runs as it stands."""

import os
import subprocess
import sys

import numpy as np

from pysd_runner.cli import main
from tests.documentation.readme import ROOT, raw_blocks

PAGE = ROOT / "docs" / "engine.md"


def test_the_example_runs(tmp_path):
    (tmp_path / "tank.mdl").write_text(raw_blocks(PAGE, "text")[0], encoding="utf-8")
    (block,) = raw_blocks(PAGE, "python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    level, shown, *_, slopes, called = done.stdout.splitlines()
    # Euler's steps towards the equilibrium 5 * (5 + 3), from 20 on.
    assert np.isclose(float(level.split()[0]), 40 - 20 * 0.95**80, rtol=1e-12)
    assert "<Ensemble of 'tank': total, 2 scenarios x 100 draws, 21 moments from 0 to 20" in shown
    assert "'inflow[upper]'" in slopes
    assert np.isclose(float(called.split()[-1]), 5 * (4 + 3) - 15 * 0.95**80, rtol=1e-12)


def test_the_model_of_the_example_passes_its_own_check(tmp_path, capsys):
    path = tmp_path / "tank.mdl"
    path.write_text(raw_blocks(PAGE, "text")[0], encoding="utf-8")
    assert main(["doctor", str(path)]) == 0
    assert "0 errors, 0 warnings" in capsys.readouterr().out

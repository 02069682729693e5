"""The page about policy with a model of one's own runs as it stands."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from pysd_runner.policy import effects_of, policy_of
from tests.documentation.readme import ROOT, raw_blocks

PAGE = ROOT / "docs" / "own_policy.md"


def test_its_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model, data = raw_blocks(PAGE, "text")
    files = {"epidemic.mdl": model, "ill.csv": data, "epidemic.toml": raw_blocks(PAGE, "toml")[0]}
    for name, text in {**files, "code.py": raw_blocks(PAGE, "python")[0]}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    left = runpy.run_path(str(tmp_path / "code.py"))
    parts, study, best = left["parts"], left["study"], left["best"]
    assert np.abs(parts.shapley.sum(axis=0) - parts.total).max() < 1e-9
    half = study.only(np.arange(0, study.draws, 2))
    scan = [policy_of(half, {"Doses[young]": x, "Doses[old]": 1000 - x}) for x in np.linspace(0, 1000, 41)]
    values = effects_of(half, scan, [half.outcomes["Deaths"]])["Deaths"][..., -1].mean(axis=1)
    assert best.in_sample >= values.max() - 0.01 * values.max()
    assert sum(best.point) == pytest.approx(1000)
    # The projection of the chosen scenario is the effect of the search's policy.
    moved = left["future"].difference("Deaths").sel(scenario="chosen").isel(time=-1).sum("Age").to_numpy()
    own = effects_of(study, [best.values], [study.outcomes["Deaths"]])["Deaths"][0, :, -1]
    np.testing.assert_allclose(-moved, own, rtol=1e-5)

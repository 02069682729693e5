"""The page about policy with a model of one's own runs as it stands."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from pysd_runner.cli import main
from pysd_runner.policy import effects_of, policy_of
from tests.documentation.readme import ROOT, calls, raw_blocks

PAGE = ROOT / "docs" / "own_policy.md"


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of the page."""
    monkeypatch.chdir(tmp_path)
    model, data = raw_blocks(PAGE, "text")
    files = {"epidemic.mdl": model, "ill.csv": data, "epidemic.toml": raw_blocks(PAGE, "toml")[0]}
    files |= {"doses.yaml": raw_blocks(PAGE, "yaml")[0], "code.py": raw_blocks(PAGE, "python")[0]}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")


def test_its_commands_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = {"calibrate": ["--starts", "1", "--without", "profiles"], "optimise": ["--starts", "1", "--draws", "8"]}
    for words in calls(PAGE):
        more = quick.get(words[0], ["--draws", "8"])
        assert main([*words, *more]) == 0, capsys.readouterr().err
    assert "Doses[old]: 1000" in (tmp_path / "best" / "optimised.yaml").read_text(encoding="utf-8")
    assert "100,000 %" not in (tmp_path / "best" / "optimum.md").read_text(encoding="utf-8")
    parts = np.genfromtxt(
        tmp_path / "parts" / "attribution.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    assert len(parts) >= 3
    assert (tmp_path / "again" / "model" / "epidemic.mdl").is_file()


def test_its_code_runs(tmp_path: Path) -> None:
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

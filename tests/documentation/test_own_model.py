"""The page about a model of one's own runs as it stands."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from pysd_runner.cli import main
from tests.documentation.readme import ENGLISH, ROOT, raw_blocks, text_of

PAGE = ROOT / "docs" / "own_model.md"


@pytest.fixture
def one_figure() -> None:
    """Draw every figure: the page is about them."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    model, data = raw_blocks(PAGE, "text")
    (tmp_path / "mine.mdl").write_text(model, encoding="utf-8")
    (tmp_path / "obs.csv").write_text(data, encoding="utf-8")
    (tmp_path / "lockdown.yaml").write_text(raw_blocks(PAGE, "yaml")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_its_commands_run(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = {}
    for line in raw_blocks(PAGE, "sh")[0].splitlines():
        program, *words = shlex.split(line)
        assert program == "gapsim"
        assert main(words) == 0, line
        said[words[0]] = capfd.readouterr().out
    assert (folder / "mine.toml").is_file()
    assert (folder / "fit" / "report.html").is_file()
    assert (folder / "results" / "figures" / "infected.svg").is_file()
    assert (folder / "outlook" / "forecast.md").is_file()
    assert "determined by the data" in said["calibrate"]
    assert "Stay at home" in said["run"]
    assert "probability" in said["forecast"]


@pytest.mark.usefixtures("folder")
def test_the_first_screen_of_the_readme_leads_to_a_fan(capfd: pytest.CaptureFixture[str]) -> None:
    block = next(block for block in raw_blocks(ENGLISH, "sh") if "obs.csv" in block)
    assert text_of(ENGLISH).index(block) < 4500
    lines = [shlex.split(line) for line in block.splitlines() if "gapsim" in line]
    for _, *words in lines:
        assert main(words) == 0, capfd.readouterr().err
    assert Path("results/figures/infected_difference.png").is_file()


def test_its_python_runs_and_pysd_with_lmfit_gives_the_same_answer(folder: Path) -> None:
    ours, pictures, theirs = raw_blocks(PAGE, "python")
    names: dict[str, object] = {}
    exec(compile(ours, str(PAGE), "exec"), names)  # noqa: S102
    assert names["figure"].sentence  # type: ignore[attr-defined]
    exec(compile(pictures, str(PAGE), "exec"), names)  # noqa: S102
    assert (folder / "mine.svg").is_file()
    assert names["posterior"]["posterior"].sizes["draw"] > 0  # type: ignore[index]
    pytest.importorskip("lmfit")
    from calibration import Problem, fit
    from pysd_runner import load_data, load_model

    exec(compile(theirs, str(PAGE), "exec"), names)  # noqa: S102
    found = names["found"].params  # type: ignore[attr-defined]
    problem = Problem(load_model("mine.mdl"), load_data("obs.csv"), free=["Contact Rate", "Duration"])
    result = fit(problem)
    for key, name in (("Contact Rate", "contact_rate"), ("Duration", "duration")):
        np.testing.assert_allclose(result.parameter(key).estimate, found[name].value, rtol=0.02)

"""The page about bringing data runs as it stands, and says what the program says."""

import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pytest

from pysd_runner.cli import main
from pysd_runner.data import load_data, with_output
from tests.documentation.readme import ROOT, raw_blocks

PAGE = ROOT / "docs" / "own_data.md"
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.csv").write_text(raw_blocks(PAGE, "text")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def beginnings(text: str) -> list[str]:
    """Each line up to its first comma: counts and names; how errors are treated may be told in other words."""
    return [line.split(",")[0] for line in text.strip().splitlines()]


@pytest.mark.usefixtures("no_pictures")
def test_its_commands_run_and_say_what_the_page_says(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = {}
    for line in raw_blocks(PAGE, "sh")[0].splitlines():
        program, *words = shlex.split(line)
        assert program == "gapsim"
        assert main(words) == 0, line
        said[words[0]] = capfd.readouterr().err
    told = said["calibrate"].split("Calibrating ...")[0]
    assert beginnings(raw_blocks(PAGE, "text")[1]) == beginnings(told)
    assert (folder / "fit" / "report.html").is_file()
    assert (folder / "results" / "summary.md").is_file()


def test_files_of_offices_are_joined_as_the_page_says(folder: Path) -> None:
    blocks = raw_blocks(PAGE, "text")
    at = next(place for place, block in enumerate(blocks) if "亿元" in block)
    for name, text in zip(("gdp.csv", "people.csv"), blocks[at : at + 2], strict=True):
        (folder / name).write_text(text, encoding="gb18030")
    (line,) = raw_blocks(PAGE, "sh")[1].splitlines()
    assert main(shlex.split(line)[1:]) == 0
    (folder / "code.py").write_text(raw_blocks(PAGE, "python")[0], encoding="utf-8")
    found = runpy.run_path(str(folder / "code.py"))
    written = load_data(folder / "joined.csv", regions="china")
    assert written.codes == found["panel"].codes == found["again"].codes == ("110000", "310000", "620000")
    for name in ("output", "population", "output_per_head"):
        np.testing.assert_allclose(written.array(name), found["panel"][name])
        np.testing.assert_allclose(found["again"][name], found["panel"][name])


def mappings() -> dict[str, str]:
    """Mapping by the file it is for, which its first line names."""
    return {block.split("\n")[0].removeprefix("# "): block for block in raw_blocks(PAGE, "yaml")}


def test_every_mapping_names_its_file() -> None:
    assert list(mappings()) == ["china_regions_official.csv", "us_states.csv", "world_countries.csv", "munnell.csv"]


@pytest.mark.parametrize(("file", "regions"), [("china_regions_official.csv", 4), ("us_states.csv", 51)])
def test_mappings_of_files_of_others(file: str, regions: int, tmp_path: Path) -> None:
    if not SHARED.is_dir():
        pytest.skip("the downloads are not beside the checkout")
    (tmp_path / "mapping.yaml").write_text(mappings()[file], encoding="utf-8")
    panel = load_data(SHARED / file, roles=tmp_path / "mapping.yaml", panel=True)
    assert len(panel.regions) == regions
    assert "output_per_head" in panel


def test_mapping_of_the_countries(tmp_path: Path) -> None:
    if not SHARED.is_dir():
        pytest.skip("the downloads are not beside the checkout")
    (tmp_path / "mapping.yaml").write_text(mappings()["world_countries.csv"], encoding="utf-8")
    panel = with_output(load_data(SHARED / "world_countries.csv", roles=tmp_path / "mapping.yaml", panel=True))
    assert len(panel.regions) > 180
    assert "access" in panel


def test_mapping_of_munnell(tmp_path: Path) -> None:
    munnell = pytest.importorskip("linearmodels.datasets.munnell")
    munnell.load().to_csv(tmp_path / "munnell.csv", index=False)
    (tmp_path / "mapping.yaml").write_text(mappings()["munnell.csv"], encoding="utf-8")
    assert len(load_data(tmp_path / "munnell.csv", roles=tmp_path / "mapping.yaml", panel=True).regions) == 48


def test_every_known_start_value_and_indicator_is_in_its_table() -> None:
    from pysd_runner.model import load_model

    spec = load_model("regional_digital").spec
    text = PAGE.read_text(encoding="utf-8")
    names = {item.panel for item in spec.inputs.values() if item.panel}
    names |= {name for item in spec.measurements.values() for name in item.indicators}
    for name in names:
        assert re.search(rf"`{name}`", text), name

"""Runs the command line in this process, on a small panel that is quick to work with."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from pysd_runner.cli import main
from pysd_runner.data import load_data
from tests.provinces import REGIONS

FIRST, LAST = 2012, 2024


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def _quick_results(request, one_figure):
    """Write one figure and rank policies as calibrated alone, but for `every_assumption`; shared results hold all."""
    if "every_assumption" not in request.fixturenames:
        request.getfixturevalue("one_ranking")


@pytest.fixture
def every_assumption():
    """Rank policies under every assumption."""


@pytest.fixture
def gapsim(capfd, tmp_path, monkeypatch):
    """Run a command line in an empty folder; where an exit code is asked for, it ends with that and no traceback."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, code: int | None = None) -> Answer:
        found = main([str(item) for item in arguments])
        said = capfd.readouterr()
        if code is not None:
            assert found == code, said.err
            assert "Traceback" not in said.err
        return Answer(found, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def small_panel(tmp_path_factory) -> Path:
    """Output and population of four provinces; how it is read, and regions with classes, beside it."""
    folder = tmp_path_factory.mktemp("panel")
    panel = load_data("china").subset(entities=REGIONS, times=range(FIRST, LAST + 1))
    output, people = panel.array("output"), panel.array("population")
    rows = ["region,year,output [yuan],population [persons]"]
    rows += [
        f"{region.code},{year},{output[place, column]:.17g},{people[place, column]:.17g}"
        for place, region in enumerate(panel.regions)
        for column, year in enumerate(panel.years)
    ]
    regions = ["code,name_en,name_zh,class"]
    regions += [f"{item.code},{item.name_en},{item.name_zh},{item.group}" for item in panel.regions]
    (folder / "regions.csv").write_text("\n".join(regions) + "\n", encoding="utf-8")
    (folder / "panel.reading.toml").write_text('schema = 1\nregions = "regions.csv"\n', encoding="utf-8")
    path = folder / "panel.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def small(small_panel) -> tuple[str, ...]:
    """Options that name the small panel."""
    return ("--data", str(small_panel))


@pytest.fixture(scope="session")
def results(small, tmp_path_factory) -> Path:
    """A folder of results that tests read and do not change."""
    folder = tmp_path_factory.mktemp("session") / "results"
    code = main(["run", "zoned_need", *small, "--draws", "4", "--until", "2030", "--out", str(folder), "--quiet"])
    assert code == 0
    return folder


@pytest.fixture(scope="session")
def fit(small_panel, tmp_path_factory) -> Path:
    """A fit to the small panel."""
    folder = tmp_path_factory.mktemp("session") / "fit"
    code = main(["calibrate", str(small_panel), "--starts", "1", "--out", str(folder), "--quiet"])
    assert code == 0
    return folder

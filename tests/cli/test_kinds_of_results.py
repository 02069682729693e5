"""Every kind of result through every command that takes results: it works, or one sentence says what to do."""

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pysd_runner.cli import main
from pysd_runner.export.files import remove
from pysd_runner.reports import figures
from pysd_runner.study.loading import load_future
from tests.study.models import SIR, infections, made

# How each kind is made, in a folder with a model and its data.
MADE = {
    "forecast": "forecast {panel} --draws 20 --without past --out {out}",
    "attribution": "attribute zoned_need {small} --draws 2 --until 2027 --out {out}",
    "measured": "evidence --out {out}",
    "pages": "brief Gansu --run {results} --format html --out {out}",
    "update": "update {panel} new.csv --out {out}",
    "own fit": "calibrate obs.csv --model mine.mdl --free Duration --starts 1 --without profiles --out {out}",
    "own run": "run a.yaml --model mine.mdl --fit own_fit --data obs.csv --draws 4 --out {out}",
    "own run without a fit": "run a.yaml --model mine.mdl --out {out}",
    "own forecast": "forecast obs.csv --model mine.mdl --fit own_fit --until 45 --draws 20 --without past --out {out}",
    "ensemble": "ensemble mine.mdl --bound Duration=1:5 --draws 4 --out {out}.nc",
    "store": "ensemble mine.mdl --bound Duration=1:5 --draws 4 --statistics --store {out} --out s.nc",
    "simulation": "simulate mine.mdl --out {out}.csv",
    "loops": "explain --model mine.mdl --out {out}.png",
    "start": "init {out}",
}
# What the folder holds besides results, and what results hold that may be named instead of their folder.
GIVEN = ("mine.mdl", "obs.csv", "a.yaml", "new.csv", "s.nc")
RECORDS = ("run.json", "fit.json")
COMMANDS = [
    "brief nation --format html --out out --run {}",
    "explore {} --out out.html",
    "plot {} --out out",
    "run {} --out out",
    "run zoned_need {small} --draws 2 --until 2026 --without forecast --out out --fit {}",
    "evaluate --quick --out out {}",
    "evaluate --quick --out out --model {folder}/mine.mdl --lang zh {}",
    "explore --lang zh --out out.html {}",
    "run {} --lang zh",
    "attribute zoned_need {small} --draws 2 --until 2026 --without forecast --out out --fit {}",
    "explain {small} --region Gansu --out out.png --fit {}",
    "explain --model {folder}/mine.mdl --out out.png --fit {}",
    "evidence --out out --fit {}",
    "forecast {panel} --draws 4 --without past --fit {}",
    "forecast {folder}/obs.csv --model {folder}/mine.mdl --until 45 --draws 4 --without past --fit {}",
    "update {panel} --out out --since {}",
]


@pytest.fixture(scope="module")
def kinds(small_panel, small, results, fit, tmp_path_factory):
    """A folder with one result of each kind, and the words that command lines are filled with."""
    folder = tmp_path_factory.mktemp("kinds")
    model = made(folder, SIR, unit="day", stop=60)
    infections(model).by_time("infected").rename("infected").rename_axis("day").to_csv(folder / "obs.csv")
    (folder / "a.yaml").write_text("changes: {Duration: 3}\n", encoding="utf-8")
    shutil.copytree(results, folder / "run")
    shutil.copytree(fit, folder / "fit")
    (folder / "empty").mkdir()
    heading, *rows = small_panel.read_text(encoding="utf-8").splitlines()
    later = [f"{row.replace(',2024,', ',2025,')}" for row in rows if ",2024," in row]
    (folder / "new.csv").write_text("\n".join([heading, *later]) + "\n", encoding="utf-8")
    future = load_future(results)
    saved = {key: item for key, item in future.provenance.items() if key != "inputs"}
    replace(future, provenance=saved).save(folder / "saved")
    words = {"panel": small_panel, "results": results}
    words["small"] = " ".join(small)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for kind, line in MADE.items():
            code = main([*line.format(out=kind.replace(" ", "_"), **words).split(), "--quiet"])
            assert code in (0, 3), kind
    return folder, words


@pytest.fixture(autouse=True)
def one_figure_drawn_again(monkeypatch):
    """Draw the first figure alone again, too."""
    every = figures.figure_jobs
    monkeypatch.setattr(figures, "figure_jobs", lambda *given, **named: every(*given, **named)[:1])


@pytest.mark.parametrize("line", COMMANDS)
def test_results_of_every_kind_are_taken_or_refused_in_a_sentence(gapsim, kinds, no_pictures, line, capfd):
    folder, words = kinds
    found = [item for item in sorted(folder.iterdir()) if item.name not in GIVEN] + [folder / "nothing"]
    found += [item / record for item in found for record in RECORDS if (item / record).is_file()]
    wrong = {}
    for place in found:
        answer = gapsim(*line.replace("{}", str(place)).format(folder=folder, **words).split())
        said = [text for text in answer.err.splitlines() if text.startswith(("error: ", "错误："))]
        is_told = answer.code == 2 and len(said) == 1
        if not (answer.code == 0 or is_told or (line.startswith("evaluate") and answer.code in (3, 4))):
            wrong[place.name] = answer.err
        if "CROSSING" in os.environ:
            with capfd.disabled():
                kind = str(place.relative_to(folder))
                print(f"{line.split(' --')[0]:28} {kind:28} {answer.code} {' '.join(said)}")  # noqa: T201
        for made_now in ("out", "out.html", "out.png"):
            remove(Path(made_now))
    assert not wrong


def test_pages_of_results_run_no_code_and_ask_no_server(kinds):
    folder, _ = kinds
    pages = [path.read_text(encoding="utf-8") for path in folder.rglob("*.html")]
    assert len(pages) >= 6
    for page in pages:
        (policy,) = re.findall('<meta http-equiv="Content-Security-Policy" content="([^"]+)">', page)
        assert dict(part.split(" ", 1) for part in policy.split("; ")) == {
            "default-src": "'none'",
            "style-src": "'unsafe-inline'",
            "img-src": "data:",
        }
        assert not re.search(r"<script|<iframe|<link|\bon\w+=|<img[^>]*src=\"(?!data:)", page)

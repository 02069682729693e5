"""A brief for Word is one sheet of A4, in both languages."""

import re
import shutil
import subprocess

import pytest

from pysd_runner import brief
from pysd_runner.data import load_data
from pysd_runner.model import load_model
from pysd_runner.study.projection import project

TWO = ["zoned_need", "skills_programme"]
FIVE = [*TWO, "uniform_per_head", "access_ladder", "integration_only"]


@pytest.mark.slow
def test_one_sheet_of_a4(tmp_path):
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice is not installed; files for Word are not laid out")
    china = load_data("china")
    model = load_model("regional_digital", regions=len(china.regions))
    places = ("Inner Mongolia", "West", "nation")
    for mixes in (TWO, FIVE):
        found = project(model, china, mixes, until=2040, draws=60)
        for place in places:
            for lang in ("en", "zh"):
                brief(found, place, lang=lang).save(tmp_path / f"{len(mixes)} {place} {lang}.docx")
    files = sorted(tmp_path.glob("*.docx"))
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = [office, profile, "--headless", "--convert-to", "pdf", "--outdir", tmp_path, *files]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    pages = {file.stem: len(re.findall(rb"/Type\s*/Page\b", file.with_suffix(".pdf").read_bytes())) for file in files}
    assert len(pages) == 12
    assert [name for name, count in pages.items() if count != 1] == []

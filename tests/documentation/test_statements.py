"""What the README states about the repository is so: paths, names, options, counts and the picture."""

import re
from pathlib import Path

import pytest

from tests.documentation.readme import BOTH, CHINESE, ENGLISH, ROOT, links, text_of

MOST_LINES = 100


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in links(path):
        assert not link.startswith(("http", "/")), link
        assert (ROOT / link).is_file(), link


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.name)
def test_no_address_is_claimed(path: Path) -> None:
    assert not re.findall(r"https?://|www\.|img\.shields", text_of(path))


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make (\w+)`?", " ".join(re.findall(r"`make \w+`", text_of(ENGLISH))))):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_counts() -> None:
    from pysd_runner.data import load_data
    from pysd_runner.model import load_model

    panel = load_data("china")
    model = load_model("regional_digital", regions=len(panel.regions))
    assert model.spec is not None
    judged = sum(bool(item.judgement) for item in model.spec.parameters.values())
    claims = (ROOT / "models/regional_digital/claims.md").read_text(encoding="utf-8")
    parameters = len(model.spec.parameters)
    numbers = {
        f"{parameters} parameters, of which {judged} are judgement": f"{parameters} 个参数，其中 {judged} 个出于判断",
        f"{len(panel.regions)} provincial-level units": f"{len(panel.regions)} 个省级",
        f"{panel.years[0]}-{panel.years[-1]}": f"{panel.years[0]}-{panel.years[-1]}",
        f"all {len(set(re.findall(r'^[|] (C[0-9]+) [|]', claims, re.MULTILINE)))} claims": "58 条论断",
    }
    english, chinese = (re.sub(r"\s+", " ", text_of(path)) for path in BOTH)
    for left, right in numbers.items():
        assert left in english, left
        assert right in chinese, right


def test_coverage_of_the_headline_is_what_was_measured() -> None:
    page = (ROOT / "docs" / "identifiability.md").read_text(encoding="utf-8")
    row = re.search(r"^\| \*\*gap closed, with measured effects\*\* \|(.*)\|$", page, re.MULTILINE)
    assert row is not None
    panels, *covered = re.findall(r"\d+\.\d+|\d+", row[1])[:7]
    for path in BOTH:
        found = text_of(path)
        assert {panels, *covered} <= set(re.findall(r"\d+\.\d+|\d+", found)), path


@pytest.mark.parametrize("path", [ENGLISH, CHINESE], ids=lambda path: path.name)
def test_picture(path: Path) -> None:
    image = next(link for link in links(path) if "images/brief" in link)
    content = (ROOT / image).read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < 200_000
    assert len(text_of(path).splitlines()) <= MOST_LINES

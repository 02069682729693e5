"""What the README states about the repository is so: paths, names, options, counts and the picture."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.documentation.readme import BOTH, CHINESE, ENGLISH, ROOT, links, text_of

IMAGE = "docs/images/gaps.png"


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in links(path):
        assert not link.startswith(("http", "/")), link
        assert (ROOT / link).is_file(), link


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.name)
def test_no_address_is_claimed(path: Path) -> None:
    assert not re.findall(r"https?://|www\.|img\.shields", text_of(path))


def test_folders_of_the_table_exist() -> None:
    folders = re.findall(r"^\| `([\w/]+)/` \|", text_of(ENGLISH), re.MULTILINE)
    assert len(folders) == 5
    for folder in folders:
        assert (ROOT / folder).is_dir(), folder


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
    stocks = sum(item.kind == "stock" for item in model.variables.values())
    judged = sum(bool(item.judgement) for item in model.spec.parameters.values())
    claims = (ROOT / "models/regional_digital/claims.md").read_text(encoding="utf-8")
    parameters = len(model.spec.parameters)
    numbers = {
        f"{stocks} stocks": f"{stocks} 个存量",
        f"{parameters} declared parameters": f"{parameters} 个参数",
        f"of {parameters} parameters, {judged} carry": f"{parameters} 个参数中有 {judged} 个",
        f"{len(panel.regions)} provincial-level units": f"{len(panel.regions)} 个省级",
        f"{panel.years[0]}-{panel.years[-1]}": f"{panel.years[0]}-{panel.years[-1]}",
        f"all {len(set(re.findall(r'^[|] (C[0-9]+) [|]', claims, re.MULTILINE)))} claims": "57 条论断",
    }
    english, chinese = (re.sub(r"\s+", " ", text_of(path)) for path in BOTH)
    for left, right in numbers.items():
        assert left in english, left
        assert right in chinese, right


def test_the_package_that_is_said_not_to_be_used_is_not() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(item for extra in extras for item in extra)]
    assert not [item for item in wanted if "sdeval" in item]


@pytest.mark.parametrize("path", [ENGLISH, CHINESE], ids=lambda path: path.name)
def test_picture(path: Path) -> None:
    assert IMAGE in links(path)
    content = (ROOT / IMAGE).read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < 200_000


def test_caption_has_the_numbers_of_the_picture() -> None:
    # save_figure writes the sentence of a figure into its PNG.
    from PIL import Image

    with Image.open(ROOT / IMAGE) as picture:
        sentence = picture.info["Description"]
    assert sentence in re.sub(r"\s+", " ", text_of(ENGLISH))

"""Two files of texts with the same keys and the same blanks, and no Chinese anywhere else."""

import re
from pathlib import Path

import pytest

import calibration
import pysd_runner
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.text import LANGUAGES, has_text, texts, translate
from tests.english import blanks

ENGLISH, CHINESE = texts("en"), texts("zh")
# Keys that are put together from a prefix and a name.
BUILT = (
    "redone.head_",
    "answer.",
    "axis.",
    "own.",
    "policy.",
    "panel_line.",
    "quantity.",
    "learning.",
    "forecaster.",
    "unit.",
    "scenario.",
    "region.",
    "class.",
    "uncertainty.",
    "direction.",
    "list.",
    "report.",
    "sentence.best",
    "description.",
    "evaluation.",
    "fit_figure.",
    "fit_report.",
    "evidence.",
    "forecast.",
    "policy_outcome.",
    "series.",
    "brief.",
    "panel.",
    "explorer.",
    "evidence.",
)
# Texts of pictures and tables; the others may name what is written in Latin everywhere.
LABELS = ("quantity.", "unit.", "axis.", "title.", "mark.", "caption.", "sentence.", "uncertainty.", "direction.")
SAME_IN_BOTH = {"title.gaps", "title.alone", "unit.percent"}


def test_both_have_the_same_keys_in_the_same_order():
    assert LANGUAGES == ("en", "zh")
    assert list(ENGLISH) == list(CHINESE)


@pytest.mark.parametrize("key", ENGLISH)
def test_both_have_the_same_blanks_and_some_text(key):
    # What a model declares in each language has its own blank.
    assert blanks(ENGLISH[key]) - {"en"} == blanks(CHINESE[key]) - {"zh"}
    if not key.endswith((".separator", ".gap")):
        assert ENGLISH[key].strip()
        assert CHINESE[key].strip()


def test_each_is_in_its_own_script():
    assert not any(re.search(r"[\u4e00-\u9fff]", text) for text in ENGLISH.values())
    for key, text in CHINESE.items():
        latin = re.sub(r"\{\w+\}", "", text)
        assert re.search(r"[\u4e00-\u9fff、]", text) or key in SAME_IN_BOTH or not re.search("[a-z]", latin), key
        assert not key.startswith(LABELS) or not re.search("[,;()]", text), key


def test_no_sentence_takes_the_name_of_the_baseline_for_no_policy_at_all():
    assert ENGLISH["scenario.no_policy"] == "No policy"
    assert [key for key, text in ENGLISH.items() if re.search("No policy [a-z]", text)] == []
    assert [key for key, text in CHINESE.items() if "没有一项政策" in text] == []


def test_every_key_is_used():
    root = Path(pysd_runner.__file__).parent
    sources = "".join(path.read_text(encoding="utf-8") for path in root.rglob("*.py"))
    unused = [key for key in ENGLISH if f'"{key}"' not in sources and not key.startswith(BUILT)]
    assert unused == []


def test_every_key_asked_for_exists():
    root = Path(pysd_runner.__file__).parent
    asked = set()
    for path in (*(root / "plots").rglob("*.py"), *(root / "export").rglob("*.py")):
        asked |= set(re.findall(r'word\("([\w.]+)"', path.read_text(encoding="utf-8")))
    assert {key for key in asked if not has_text(key)} == set()


def test_mistakes_are_named():
    with pytest.raises(UnknownName, match=r"Did you mean 'axis\.year'"):
        translate("axis.yeer", "en")
    with pytest.raises(InvalidInput, match="choose one of en, zh"):
        translate("axis.year", "de")
    assert translate("mark.origin", "zh", year=2024) == "最后观测年份 2024"


def test_no_chinese_in_python():
    """Texts are in the catalogue, spellings in data files; only letters that patterns need may stand as escapes."""
    for package in (pysd_runner, calibration):
        for path in Path(package.__file__).parent.rglob("*.py"):
            assert not re.search(r"[\u4e00-\u9fff]", path.read_text(encoding="utf-8")), path

"""The Chinese page says what the English one says: the same sections, code and numbers."""

import pytest

from tests.documentation.readme import CHINESE, ENGLISH, code_blocks, links, sections, text_of

PAIRS = list(zip(sections(ENGLISH), sections(CHINESE), strict=False))


def test_same_sections() -> None:
    english, chinese = sections(ENGLISH), sections(CHINESE)
    assert [item.level for item in english] == [item.level for item in chinese]
    assert [item.rows for item in english] == [item.rows for item in chinese]


def test_same_code() -> None:
    assert code_blocks(ENGLISH) == code_blocks(CHINESE)
    assert len(code_blocks(ENGLISH)) >= 4


@pytest.mark.parametrize("pair", PAIRS, ids=[english.title for english, _ in PAIRS])
def test_same_numbers(pair) -> None:
    english, chinese = pair
    assert english.numbers == chinese.numbers


def test_same_links_besides_the_one_to_the_other_language() -> None:
    other = {"README.md", "README.zh-CN.md", "docs/images/brief.png", "docs/images/brief_zh.png"}
    assert sorted(set(links(ENGLISH)) - other) == sorted(set(links(CHINESE)) - other)
    assert "README.zh-CN.md" in links(ENGLISH)
    assert "README.md" in links(CHINESE)


def test_the_chinese_page_is_chinese() -> None:
    text = text_of(CHINESE)
    characters = sum("\u4e00" <= letter <= "\u9fff" for letter in text)
    assert characters > 800
    for section in sections(CHINESE)[1:]:
        assert any("\u4e00" <= letter <= "\u9fff" for letter in section.title), section.title

"""Reads the two READMEs into sections, code blocks, numbers and links."""

import re
import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENGLISH = ROOT / "README.md"
CHINESE = ROOT / "README.zh-CN.md"
BOTH = (ENGLISH, CHINESE)

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_COMMENT = re.compile(r"\s*(?<!\S)#.*$", re.MULTILINE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    level: int
    title: str
    body: str

    @property
    def numbers(self) -> Counter[str]:
        """Numbers of the running text, without thousands separators, links, code names and what a program said."""
        text = re.sub(r"\]\([^)]*\)|^> .*$", "]", self.body, flags=re.MULTILINE)
        text = re.sub(r"`[^`]*`", "", text)
        return Counter(_NUMBER.findall(re.sub(r"(?<=\d),(?=\d{3})", "", text)))

    @property
    def rows(self) -> int:
        """Lines of tables and lists."""
        return len(re.findall(r"^(?:\||\* )", self.body, re.MULTILINE))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def code_blocks(path: Path, language: str = "") -> list[str]:
    """Code without comments, which are in the language of the page."""
    found = [(name, code) for name, code in _BLOCK.findall(text_of(path)) if language in ("", name)]
    return [_COMMENT.sub("", code).strip() for _, code in found]


def raw_blocks(path: Path, language: str) -> list[str]:
    return [code for name, code in _BLOCK.findall(text_of(path)) if name == language]


def sections(path: Path) -> list[Section]:
    prose = _BLOCK.sub("", text_of(path))
    heads = list(_HEADING.finditer(prose))
    ends = [head.start() for head in heads[1:]] + [len(prose)]
    return [
        Section(level=len(head[1]), title=head[2], body=prose[head.end() : end])
        for head, end in zip(heads, ends, strict=True)
    ]


def links(path: Path) -> list[str]:
    return _LINK.findall(text_of(path))


def calls(path: Path) -> list[list[str]]:
    """Words of each call of gapsim in blocks of no language."""
    lines = [line for block in raw_blocks(path, "") for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if "gapsim " in line]


def commands(path: Path) -> list[list[str]]:
    """Shell blocks that call gapsim: one list of lines a block."""
    blocks = [block.splitlines() for block in code_blocks(path, "sh")]
    return [block for block in blocks if any(line.startswith("gapsim ") for line in block)]

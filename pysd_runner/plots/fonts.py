"""Fonts: a fallback list that can draw Chinese, or English labels when none can."""

import warnings
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib import font_manager

from pysd_runner.text import texts

BASE = "DejaVu Sans"
CANDIDATES = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Noto Sans CJK JP",
)
_FILE_HINTS = ("cjk", "sourcehan", "pingfang", "hiragino", "msyh", "simhei", "wqy")


class MissingFont(UserWarning):
    """No installed font can draw Chinese; English labels are used instead."""


def families() -> tuple[str, ...]:
    """Fonts to fall back on, glyph by glyph."""
    return (BASE, *_chinese_families())


def usable_language(lang: str) -> str:
    """Language whose labels can be drawn on this machine."""
    texts(lang)
    if lang == "zh" and not _chinese_families():
        _warn_once()
        return "en"
    return lang


def can_draw(text: str) -> bool:
    """Whether every character of a text has a glyph in the fonts of `families`."""
    return all(_has_glyph(character) for character in text if not character.isspace())


def heading_style(text: str) -> dict[str, Any]:
    """Font of a heading: bold, unless a font that is needed for it has no bold face."""
    if all(_base_has(character) for character in text if not character.isspace()):
        return {"family": [BASE], "weight": "bold"}
    bold = {entry.name for entry in font_manager.fontManager.ttflist if _is_bold(entry.weight)}
    return {"family": list(families()), "weight": "bold" if set(_chinese_families()) <= bold else "normal"}


def _is_bold(weight: str | int) -> bool:
    """Whether a face is bold, by number or by name."""
    return weight >= 600 if isinstance(weight, int) else "bold" in weight.lower()


@cache
def _base_has(character: str) -> bool:
    """Whether the base font has a glyph for a character."""
    path = font_manager.findfont(font_manager.FontProperties(family=[BASE]))
    return bool(font_manager.get_font(path).get_char_index(ord(character)))


@cache
def _has_glyph(character: str) -> bool:
    """Whether one of the fonts has a glyph for a character."""
    paths = (font_manager.findfont(font_manager.FontProperties(family=[name])) for name in families())
    return any(font_manager.get_font(path).get_char_index(ord(character)) for path in paths)


@cache
def _chinese_families() -> tuple[str, ...]:
    """Installed candidates, in order."""
    found = _known_candidates()
    if not found:
        _read_new_fonts()
        found = _known_candidates()
    return found


def _known_candidates() -> tuple[str, ...]:
    """Candidates among the fonts matplotlib knows."""
    known = set(font_manager.get_font_names())
    return tuple(name for name in CANDIDATES if name in known)


def _read_new_fonts() -> None:
    """Tell matplotlib of fonts installed since it wrote its cache."""
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in font_manager.findSystemFonts():
        if path not in known and any(hint in Path(path).name.lower() for hint in _FILE_HINTS):
            font_manager.fontManager.addfont(path)


@cache
def _warn_once() -> None:
    """Say how to install a font, once."""
    warnings.warn(
        "no font for Chinese was found, so the labels are in English; install one, for instance "
        "`apt-get install fonts-noto-cjk` (Debian, Ubuntu) or `dnf install google-noto-sans-cjk-fonts` (Fedora)",
        MissingFont,
        stacklevel=4,
    )

"""Looks for English sentences in what a Chinese reader is shown, and for blanks in templates."""

import html
import re
from string import Formatter

# Code, titles and quoted names, alternative names of files, keys and units stay whatever the language.
_NAMES = re.compile(r"`[^`]*`|“[^”]*”|'[^']*'|https?://\S+|[\w./-]*[_./]\w[\w./-]*")
_HIDDEN = re.compile(r"<(style|script|svg)\b.*?</\1>", re.DOTALL)
_SENTENCE = re.compile(r"[A-Za-z][A-Za-z'-]*(?:[ ,;:]+[A-Za-z][A-Za-z'-]*){2,}")


def sentences_in(text: str) -> list[str]:
    """Three or more English words in a row, which are no names of files, keys or units."""
    return [found for line in text.split("\n") for found in _SENTENCE.findall(_NAMES.sub("·", line))]


def visible(page: str) -> str:
    """Text of a page of HTML that a reader sees."""
    return html.unescape(re.sub(r"<[^>]+>", "\n", _HIDDEN.sub("", page)))


def blanks(text: str) -> frozenset[str]:
    """Names of the placeholders in a text."""
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name)

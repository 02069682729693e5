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


# Names of files, options and keys stay, and so do formats and examples, headings of files and names of makers.
NAMES = re.compile(
    r"""[\w.]*\{\w+\}[\w.]*|`[^`]+`|'[^']*'|"[^"]*"|“[^”]+”|\([a-z, ]+\)|\[[a-z, ]+\]|--[\w-]+|\w+=\w*|R-hat"""
    r"""|\b\w*[A-Z]{2,}\w*\b|[\w.\[\]]*[_.=:/]\w[\w.]*|\b(xarray|netCDF|xlsx|Python|NumPy|gapsim|dask)\b|\w+://\S+"""
)
WORDS = frozenset(
    {"date", "day", "false", "geo", "month", "output", "percent", "population", "region", "sheet", "time", "true"}
    | {"utf", "value", "variable", "year", "Code", "Country", "Indicator", "Name", "Word", "Excel", "Markdown"}
    | {"Debian", "Eurostat", "Fedora", "Ubuntu", "forecasters", "Vensim", "Stella", "PySD", "Schema", "README"}
)


def latin(text: str) -> set[str]:
    """Words in Latin script that are no names."""
    return set(re.findall(r"[A-Za-z]{3,}", NAMES.sub("", text))) - WORDS

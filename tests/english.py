"""Looks for English sentences in what a Chinese reader is shown, and for blanks in templates."""

import html
import re
from collections.abc import Iterable
from pathlib import Path
from string import Formatter
from typing import Any

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


# ---- what the files hold that a command writes

# Chinese papers and manuals print these as they are; at most 40.
TERMS = frozenset(
    {"AR", "Barlas", "Box", "Breusch", "CD", "CRPS", "CSV", "Huber", "ICT", "JavaScript", "Kendall", "Koenker"}
    | {"Ljung", "Markdown", "Morris", "NaN", "NumPy", "PNG", "Pagan", "Pesaran", "Python", "SHA", "SVG", "SciPy"}
    | {"TXT", "Theil", "Um", "gapsim", "nan", "netCDF"}
)
# Code, addresses, paths and keys, options, hashes and command lines.
_CODE = re.compile(
    r"`[^`]*`|\]\([^)]*\)|https?://\S+|[\w-]+(?:[_/.:=][\w-]+)+|--[\w-]+|\b[0-9a-f]{8,}\b|^ *(?:gapsim|cp) .*",
    re.ASCII | re.MULTILINE,
)
_MARKED = re.compile(r"<(style|script|metadata|code|pre)\b.*?</\1>|<!--.*?-->", re.DOTALL)
_ATTRIBUTES = re.compile(r'\b(?:title|aria-label|alt|placeholder)="([^"]*)"')
_INLINE = re.compile(r"</?(?:b|i|em|strong|span|sub|sup|a|tspan)\b[^>]*>")


def _of_page(path: Path) -> str:
    """Text of a page or picture, pictures in it included, with what is read out and shown on hovering."""
    page = _MARKED.sub("·", path.read_text(encoding="utf-8"))
    shown = re.sub(r"<[^>]+>", "\n", _INLINE.sub("", page))
    return html.unescape("\n".join([shown, *_ATTRIBUTES.findall(page)]))


def _of_document(path: Path) -> str:
    import docx

    document = docx.Document(str(path))
    kept = document.core_properties
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    about = [kept.title, kept.subject, kept.comments, kept.keywords, kept.category]
    return "\n".join([*about, *(part.text for part in document.paragraphs), *cells])


def _of_workbook(path: Path) -> str:
    import openpyxl

    book = openpyxl.load_workbook(path)
    about = [book.properties.title, book.properties.subject, book.properties.description, *book.sheetnames]
    cells = [cell.value for sheet in book for row in sheet.iter_rows() for cell in row]
    return "\n".join(str(item) for item in (*about, *cells) if item is not None)


def _of_text(path: Path) -> str:
    return html.unescape(path.read_text(encoding="utf-8"))


def _of_settings(path: Path) -> str:
    """Three words in a row in a file of settings, whose keys and values stay English."""
    return "\n".join(re.findall("[A-Za-z]+(?: +[A-Za-z]+){2,}", _of_text(path)))


READERS = {
    ".md": _of_text,
    ".txt": _of_text,
    ".html": _of_page,
    ".svg": _of_page,
    ".docx": _of_document,
    ".xlsx": _of_workbook,
    ".yaml": _of_settings,
    ".toml": _of_settings,
}
# Read by programs, for which names of columns and words in cells are the same in both languages; or pictures, whose
# texts are those of the SVG or the page beside them.
UNREAD = frozenset({".csv", ".json", ".nc", ".png", ".mdl"})


def left_in_english(folder: Path, names: Iterable[str], cited: str = "(?!)") -> dict[str, dict[str, str]]:
    """English words of each file of a folder, with the line of each, but for names, terms and lines that are cited."""
    # A name of several words may hold what looks like code, and code a name of one word.
    phrases, words = (
        _any_of(name for name in {*names} - {""} if (" " in name) is is_phrase) for is_phrase in (True, False)
    )
    found: dict[str, dict[str, str]] = {}
    for path in sorted(item for item in folder.rglob("*") if item.is_file() and item.suffix not in UNREAD):
        lines = [line for line in READERS[path.suffix](path).split("\n") if not re.fullmatch(cited, line.strip())]
        left = {
            word: line.strip()
            for line in lines
            for word in re.findall("[A-Za-z]{2,}", words.sub("·", _CODE.sub("·", phrases.sub("·", line))))
            if word not in TERMS
        }
        if left:
            found[str(path.relative_to(folder))] = left
    return found


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile("|".join(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])" for name in longest_first) or "(?!)")


def names_of(model: Any, data: Any) -> set[str]:
    """Names and units of a model and its data, and keys of its declarations."""
    units = [str(item.unit) for item in model.variables.values()] + [str(item.unit) for item in data.columns.values()]
    found = {*model.variables, *model.ranges, *data.columns, data.name, model.name}
    found |= {word for unit in units for word in re.findall("[A-Za-z]+", unit)} - {"of", "at", "a"}
    for part in ("parameters", "measurements", "inputs", "outcomes", "levers", "classes"):
        found |= set(getattr(model.spec, part, ()))
    return {name for name in found if re.search("[A-Za-z]{2}", name)}

"""The works behind a number, from the bibliography beside a model."""

import re
from functools import cache
from pathlib import Path

from pysd_runner.core.paths import model_folder

_ENTRY = re.compile(r"^@\w+\{(?P<key>[^,\s]+),(?P<body>.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(?P<name>\w+)\s*=\s*\{(?P<text>.*)\},?\s*$", re.MULTILINE)


def cited(key: str, model: str) -> str:
    """A work in one line."""
    entry = _entries(model_folder(model) / "references.bib").get(key, {})
    authors = _authors(entry.get("author", ""))
    dated = " ".join(part for part in (authors, f"({entry['year']})" if "year" in entry else "") if part)
    text = ": ".join(part for part in (dated, entry.get("title", "")) if part)
    return f"{key}: {text}" if text else key


@cache
def _entries(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8")
    return {
        match["key"]: {field["name"].lower(): _plain(field["text"]) for field in _FIELD.finditer(match["body"])}
        for match in _ENTRY.finditer(text)
    }


def _plain(text: str) -> str:
    return " ".join(text.replace("{", "").replace("}", "").replace("--", "-").split())


def _authors(text: str) -> str:
    names = [name.partition(",")[0].strip() for name in text.split(" and ") if name.strip()]
    return f"{names[0]} et al." if len(names) > 2 else " and ".join(names)

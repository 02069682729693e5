"""Puts the parts of a page together: one HTML file that asks nobody for anything."""

import html
import json
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from pysd_runner.explorer.packing import Numbers, packed
from pysd_runner.text import LANGUAGES, texts

# In the order in which they are read; what a worker runs as well comes first.
SHARED = ("engine.js", "running.js")
SCRIPTS = ("summaries.js", "drawing.js", "regional.js", "own.js", "page.js")


def page(record: Mapping[str, Any], code: bytes, numbers: Numbers, *, lang: str) -> str:
    """Write a page.

    Parameters
    ----------
    record
        What the page is about, as plain data.
    code
        The compiled model.
    numbers
        What the record refers to.
    lang
        The language it opens in; the reader can change it.

    Returns
    -------
    str
        HTML.
    """
    data = {
        **record,
        "gapsim": version("gapsim"),
        "lang": lang,
        "texts": {item: dict(texts(item, "explorer")) for item in LANGUAGES},
        "code": packed(code),
        "numbers": numbers.text(),
    }
    parts = {
        "lang": {"zh": "zh-CN"}.get(lang, lang),
        "title": html.escape(str(record["title"][lang])),
        "style": _asset("page.css"),
        "data": _inert(json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))),
        "shared": "\n".join(_asset(name) for name in SHARED),
        "scripts": "\n".join(_asset(name) for name in SCRIPTS),
    }
    text = _asset("page.html")
    before, *rest = text.split("{{")
    filled = [before]
    for part in rest:
        name, after = part.split("}}", 1)
        filled += [parts[name], after]
    return "".join(filled)


def _asset(name: str) -> str:
    return files("pysd_runner.explorer").joinpath("assets", name).read_text(encoding="utf-8")


def _inert(text: str) -> str:
    """JSON that cannot end the element it stands in, whatever names it holds."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")

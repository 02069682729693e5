"""A report as a list of parts, written as Markdown beside its figures or as one HTML page that holds them."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_STYLE = """
body{font:16px/1.5 system-ui,"Noto Sans","Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;color:#1a1a1a;
background:#fff;max-width:62rem;margin:2rem auto;padding:0 1rem}
@page{size:A4;margin:14mm}
h1{font-size:1.6rem;line-height:1.25}h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:1px solid #ccc}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.4rem 0}th,td{padding:.2rem .6rem;text-align:right;vertical-align:top;
border-bottom:1px solid #e2e2e2}th:first-child,td:first-child,.words{text-align:left}
thead th{border-bottom:2px solid #666}
figure{margin:1.5rem 0}img{max-width:100%;height:auto}figcaption,.small{font-size:.85rem;color:#444}
@media print{body{max-width:none;margin:0}table{font-size:.7rem}h2{break-after:avoid}figure{break-inside:avoid}}
"""
_FENCE = "```"
# Pictures keep their alternative texts; beside the text in them, a caption would say the same twice.
_ONE_PAGE = """
td:not(.words){white-space:nowrap}
@page{size:A4;margin:9mm 11mm}
@media print{body{font-size:7.6pt;line-height:1.2;padding:0}h1{font-size:13pt;margin:0 0 3pt}p,ul{margin:2pt 0}
ul{padding-left:12pt}h2{font-size:8.6pt;margin:4pt 0 1pt;border:0}figure{margin:2pt 0}figcaption{display:none}
img{display:block;max-height:70mm;max-width:134mm;margin:auto}.wide{overflow:visible}
table{font-size:6.7pt;width:100%}caption{padding:1pt 0}th,td{padding:.3pt 2pt}tbody th{min-width:34mm}}
"""


@dataclass(frozen=True, slots=True)
class Heading:
    """Title of a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list, one line an item."""

    items: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table of texts."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""  # one line above it; may be empty
    words: frozenset[int] = field(default=frozenset())


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure that was saved beside the report."""

    file: str  # path from the folder of the report, a PNG
    sentence: str  # what it shows; also the text for readers who do not see it
    content: bytes = b""  # the PNG itself, where it was not saved


Part = Heading | Paragraph | Bullets | Table | Picture


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A report."""

    title: str
    lang: str
    parts: Sequence[Part]  # what it says, in order
    one_page: bool = False  # whether it is printed on one sheet of A4


def to_markdown(document: Document) -> str:
    """Write a report as Markdown; figures are linked."""
    return "\n\n".join([f"# {_text(document.title)}", *(_markdown(part) for part in document.parts)]) + "\n"


def _markdown(part: Part) -> str:
    match part:
        case Heading(text):
            return f"## {_text(text)}"
        case Paragraph(text):
            return text if text.startswith(_FENCE) else _text(text)
        case Bullets(items):
            return "\n".join(f"- {_text(item)}" for item in items)
        case Picture(file, sentence):
            described = _text(sentence)
            return f"![{described.replace('[', '&#91;').replace(']', '&#93;')}]({file})\n\n{described}"
        case Table():
            return _markdown_table(part)


def _text(text: str) -> str:
    """A text in which a name from a model cannot start an element of HTML."""
    return text.replace("<", "&lt;")


def _markdown_table(table: Table) -> str:
    rule = [":--" if _is_words(table, column) else "--:" for column in range(len(table.header))]
    above = [f"**{_text(table.caption)}**", ""] if table.caption else []
    return "\n".join([*above, _bar(table.header), _bar(rule), *(_bar(row) for row in table.rows)])


def _bar(cells: Sequence[str]) -> str:
    # A text from a model must neither end its cell or row, nor start an element of HTML.
    safe = (_text(cell.replace("|", "\\|").replace("\n", " ")) for cell in cells)
    return "| " + " | ".join(safe) + " |"


def _is_words(table: Table, column: int) -> bool:
    return column == 0 or column in table.words


def to_html(document: Document, folder: Path) -> str:
    """Write a report as one HTML page that needs nothing else: no network, no script, no other file."""
    language = "zh-CN" if document.lang == "zh" else "en"
    title = html.escape(document.title)
    style = _STYLE + (_ONE_PAGE if document.one_page else "")
    body = "\n".join(_html(part, folder) for part in document.parts)
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>{style}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _html(part: Part, folder: Path) -> str:
    match part:
        case Heading(text):
            return f"<h2>{html.escape(text)}</h2>"
        case Paragraph(text):
            return f"<p>{html.escape(text)}</p>"
        case Bullets(items):
            return "<ul>\n" + "\n".join(f"<li>{html.escape(item)}</li>" for item in items) + "\n</ul>"
        case Picture(file, sentence, content):
            data = base64.b64encode(content or (folder / file).read_bytes()).decode("ascii")
            text = html.escape(sentence)
            image = f'<img alt="{text}" src="data:image/png;base64,{data}">'
            return f"<figure>\n{image}\n<figcaption>{text}</figcaption>\n</figure>"
        case Table():
            return _html_table(part)


def _html_table(table: Table) -> str:
    caption = f"<caption>{html.escape(table.caption)}</caption>" if table.caption else ""
    head = "".join(_cell("th", text, table, column, 'scope="col"') for column, text in enumerate(table.header))
    rows = "\n".join(
        "<tr>"
        + "".join(
            _cell("td" if column else "th", text, table, column, "" if column else 'scope="row"')
            for column, text in enumerate(row)
        )
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="wide"><table>{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>'
    )


def _cell(tag: str, text: str, table: Table, column: int, attribute: str) -> str:
    marks = [attribute] if attribute else []
    marks += ['class="words"'] if column in table.words else []
    return f"<{' '.join([tag, *marks])}>{html.escape(text)}</{tag}>"

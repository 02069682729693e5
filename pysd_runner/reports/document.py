"""A report as a list of parts, written as Markdown beside its figures and as one HTML page that holds them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from pysd_runner.export.files import write_text_whole

if TYPE_CHECKING:  # slow to import, and not needed for Markdown
    from jinja2 import Template
    from markupsafe import Markup

    from pysd_runner.plots import ReportFigure

_FENCE = "```"

# Regions that a table has at most; where there are more, it has these few, and a file beside the report all.
MOST_REGIONS, FEW_REGIONS = 50, 20


@dataclass(frozen=True, slots=True)
class Heading:
    """Title of a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Lines whose columns stand under each other."""

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
    """A figure: one that was saved beside the report as PNG and SVG, or one that goes into it alone."""

    file: str  # path of the PNG from the folder of the report
    sentence: str  # what it shows; also the text for readers who do not see it
    figure: "ReportFigure | None" = None  # where it was not saved


@dataclass(frozen=True, slots=True)
class Link:
    """Words that lead to a file beside the report."""

    text: str
    file: str


Part = Heading | Paragraph | Listing | Bullets | Table | Picture | Link


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
            return _text(text)
        case Listing(text):
            return "\n".join((_FENCE, text.replace(_FENCE, "'''"), _FENCE))
        case Bullets(items):
            return "\n".join(f"- {_text(item)}" for item in items)
        case Picture(file, sentence):
            described = _text(sentence)
            return f"![{described.replace('[', '&#91;').replace(']', '&#93;')}]({file})\n\n{described}"
        case Link(text, file):
            return f"[{_text(text)}]({file})"
        case Table():
            return _markdown_table(part)


def _text(text: str) -> str:
    """A text in which a name from a model can start neither an element of HTML nor a link."""
    return text.replace("<", "&lt;").replace("](", "]\\(")


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
    parts = [(type(part).__name__, part) for part in document.parts]
    return _template().render(report=document, parts=parts, drawn=partial(_drawn, folder)) + "\n"


def save_document(document: Document, folder: Path, name: str) -> tuple[Path, Path]:
    """Write a report into the folder of its figures, as Markdown and as HTML."""
    texts = {"md": to_markdown(document), "html": to_html(document, folder)}
    markdown, page = (write_text_whole(folder / f"{name}.{ending}", text) for ending, text in texts.items())
    return markdown, page


@cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("pysd_runner", "reports")
    made = Environment(loader=loader, autoescape=True, trim_blocks=True, undefined=StrictUndefined)
    made.filters["marked"] = _marked
    return made.get_template("report.html")


def _marked(text: str) -> "Markup":
    """A text in which a word between backticks is code, and everything else is text."""
    from markupsafe import Markup, escape

    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 (what is not ours is escaped)


def _drawn(folder: Path, picture: Picture, number: int) -> "Markup":
    """The SVG of a figure, with names of its parts that no other figure of the page has."""
    from markupsafe import Markup

    if picture.figure is None:
        content = (folder / picture.file).with_suffix(".svg").read_bytes()
    else:
        from pysd_runner.plots.figure import svg_bytes

        content = svg_bytes(picture.figure)
    text = content.decode("utf-8")
    named = re.sub(r'(\bid="|href="#|url\(#)', rf"\1p{number}-", text[text.index("<svg") :])
    return Markup(named)  # noqa: S704 (drawn here)

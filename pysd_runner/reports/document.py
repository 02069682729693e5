"""A report as a list of parts, written for the screen, as Markdown, as one HTML page and as a Word file."""

import dataclasses
import io
import re
import textwrap
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pysd_runner.core.types import Record, frozen
from pysd_runner.export.files import save_csv, write_text_whole
from pysd_runner.text import width

if TYPE_CHECKING:
    import pandas as pd
    from jinja2 import Template
    from markupsafe import Markup

    from pysd_runner.plots import ReportFigure

_FENCE = "```"
# Folder of the figures, in the folder of a report.
FIGURES = "figures"
# Width of the screen, and gap between the columns of a table, in characters.
LINE, _GAP = 90, 2
# Characters that XML does not allow.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Maximum number of regions in a table; if there are more, number of those shown, with all in a file.
MOST_REGIONS, FEW_REGIONS = 50, 20

# Word sets East Asian fonts separately; both fonts ship with Office.
_LATIN, _CHINESE = "Arial", "Microsoft YaHei"
_BODY, _SMALL, _LARGER = 8.5, 7.5, 10
# Centimetres; figures are narrower the more rows the tables have.
_MARGIN, _WIDEST, _NARROWER, _FIRST = 1.3, 18.4, 0.03, 5.0
_SHADE, _RULE = "E8EEF4", "BFBFBF"


@dataclass(frozen=True, slots=True)
class Heading:
    """Title of a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Lead:
    """The answer of a report: a few sentences in larger letters."""

    sentences: Sequence[str]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Preformatted lines with aligned columns."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list with one line per item."""

    items: Sequence[str]


class Cell(str):
    """Text of a cell with the numbers in it, each of which has a column of its own in a workbook."""

    numbers: tuple[float, ...]

    def __new__(cls, text: str, *numbers: float) -> "Cell":
        """The text, with its numbers."""
        made = super().__new__(cls, text)
        made.numbers = numbers
        return made


@frozen
class TextTable:
    """A table whose cells are strings."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""  # one line above it; may be empty
    words: frozenset[int] = field(default=frozenset())
    inside: Sequence[str] = ()  # names of the numbers in a `Cell`


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure: saved with the report as PNG and SVG, or only embedded in it."""

    file: str  # path of the PNG, relative to the folder of the report
    sentence: str  # description, also used as alternative text
    figure: "ReportFigure | None" = None  # the figure, if it was not saved
    narrow: "ReportFigure | None" = None  # the same figure for a telephone
    key: str = ""  # names that the PNG cannot show, each after what it shows instead


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a file in the folder of the report."""

    text: str
    file: str


@dataclass(frozen=True, slots=True)
class Folded:
    """Parts that a page shows only when their title is opened; a Word file leaves them out."""

    title: str
    parts: "Sequence[Part]"


Part = Lead | Heading | Paragraph | Listing | Bullets | TextTable | Picture | Link | Folded


@frozen
class ReportDocument:
    """A report."""

    title: str
    lang: str
    parts: Sequence[Part]  # in reading order
    one_page: bool = False  # whether it is printed on one sheet of A4


_KINDS = {kind.__name__: kind for kind in get_args(Part)}


def to_record(document: ReportDocument) -> Record:
    """A report without figures as plain data."""
    return {"title": document.title, "lang": document.lang, "parts": list(map(_plain, document.parts))}


def _plain(part: Part) -> Record:
    """A part as plain data, with the name of its class."""
    found = {"kind": type(part).__name__, **{item.name: getattr(part, item.name) for item in dataclasses.fields(part)}}
    if isinstance(part, Folded):
        found["parts"] = list(map(_plain, part.parts))
    if isinstance(part, TextTable):
        found["words"] = sorted(part.words)
    return found


def of_record(record: Record) -> ReportDocument:
    """A report from its plain data."""
    return ReportDocument(title=record["title"], lang=record["lang"], parts=list(map(_part, record["parts"])))


def _part(record: Record) -> Part:
    """A part from its plain data."""
    fields = {name: value for name, value in record.items() if name != "kind"}
    if record["kind"] == "Folded":
        fields["parts"] = list(map(_part, record["parts"]))
    made: Part = _KINDS[record["kind"]](**fields)
    return made


def aligned(rows: Sequence[Sequence[str]], *, words: Container[int] = frozenset({0}), indent: int = 0) -> list[str]:
    """Lines of a table with columns of minimum width: words to the left, numbers to the right."""
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = []
        for column, cell in enumerate(row):
            room = " " * (widths[column] - width(cell))
            cells.append(cell + room if column in words else room + cell)
        lines.append((" " * indent + (" " * _GAP).join(cells)).rstrip())
    return lines


def filled(text: str, *, indent: int = 0) -> list[str]:
    """Wrap a sentence to the width of the screen; scripts without spaces are left to the terminal."""
    room = " " * indent
    if width(text) > len(text):
        return [room + text]
    return textwrap.wrap(text, LINE, initial_indent=room, subsequent_indent=room)


def screen_of(texts: Iterable[str], *tables: TextTable) -> list[str]:
    """Lines for the screen: sentences, then tables, each after an empty line."""
    lines = [line for text in texts for line in filled(text)]
    for table in tables:
        lines += ["", *aligned([table.header, *table.rows])]
    return lines


def titled(title: str, part: Bullets | TextTable) -> list[Part]:
    """A heading with a list or a table; nothing if that is empty."""
    is_there = part.rows if isinstance(part, TextTable) else part.items
    return [Heading(title), part] if is_there else []


def saved_picture(figure: "ReportFigure", folder: Path, name: str) -> Picture:
    """Save a figure in the figures folder of a report."""
    from pysd_runner.plots.figure import save_figure

    save_figure(figure, folder / FIGURES, name)
    return Picture(f"{FIGURES}/{name}.png", figure.sentence, key=figure.explained())


def to_markdown(document: ReportDocument) -> str:
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
        case Lead(sentences):
            return "\n\n".join(f"**{_text(sentence)}**" for sentence in sentences)
        case Folded(title, parts):
            return "\n\n".join([f"## {_text(title)}", *map(_markdown, parts)])
        case Bullets(items):
            return "\n".join(f"- {_text(item)}" for item in items)
        case Picture(file, sentence, key=key):
            described = _text(sentence)
            below = "\n\n".join(filter(None, (described, _text(key))))
            return f"![{described.replace('[', '&#91;').replace(']', '&#93;')}]({file})\n\n{below}"
        case Link(text, file):
            return f"[{_text(text)}]({file})"
        case TextTable():
            return _markdown_table(part)


def _text(text: str) -> str:
    """Escape a text, so that names from a model start neither an HTML element nor a link."""
    return text.replace("<", "&lt;").replace("](", "]\\(")


def _markdown_table(table: TextTable) -> str:
    rule = [":--" if not column or column in table.words else "--:" for column in range(len(table.header))]
    above = [f"**{_text(table.caption)}**", ""] if table.caption else []
    return "\n".join([*above, _bar(table.header), _bar(rule), *(_bar(row) for row in table.rows)])


def _bar(cells: Sequence[str]) -> str:
    # Text from a model must not end its cell or row, nor start an HTML element.
    safe = (_text(cell.replace("|", "\\|").replace("\n", " ")) for cell in cells)
    return "| " + " | ".join(safe) + " |"


def to_html(document: ReportDocument, folder: Path) -> str:
    """Write a report as one self-contained HTML page, without network access, scripts or other files."""
    return _template().render(report=document, drawn=partial(_drawn, folder)) + "\n"


def save_document(document: ReportDocument, folder: Path, name: str) -> tuple[Path, Path]:
    """Write a report into the folder of its figures, as Markdown and as HTML."""
    texts = {"md": to_markdown(document), "html": to_html(document, folder)}
    markdown, page = (write_text_whole(folder / f"{name}.{ending}", text) for ending, text in texts.items())
    return markdown, page


def save_analysis(
    folder: Path, name: str, *, title: str, lang: str, parts: Sequence[Part], tables: "Mapping[str, pd.DataFrame]"
) -> None:
    """Write the tables and the report of an analysis into a folder."""
    for file, table in tables.items():
        save_csv(table, folder / f"{file}.csv")
    save_document(ReportDocument(title=title, lang=lang, parts=parts), folder, name)


@cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("pysd_runner", "reports")
    made = Environment(loader=loader, autoescape=True, trim_blocks=True, undefined=StrictUndefined)
    made.filters |= {"marked": _marked, "kind": lambda part: type(part).__name__}
    return made.get_template("report.html")


def _marked(text: str) -> "Markup":
    """Escape a text for HTML, with the words between backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 (the text is escaped)


def _drawn(folder: Path, file: str, figure: "ReportFigure | None", number: str) -> "Markup":
    """The SVG of a figure, with element ids that are unique on the page."""
    from markupsafe import Markup

    if figure is None:
        content = (folder / file).with_suffix(".svg").read_bytes()
    else:
        from pysd_runner.plots.figure import svg_bytes

        content = svg_bytes(figure)
    text = content.decode("utf-8")
    named = re.sub(r'(\bid="|href="#|url\(#)', rf"\1p{number}-", text[text.index("<svg") :])
    return Markup(named)  # noqa: S704 (drawn here)


def to_docx(document: ReportDocument) -> bytes:
    """Write a report as a Word file."""
    import docx
    from docx.shared import Cm, Mm, Pt

    page = docx.Document()
    section = page.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Cm(_MARGIN)
    for name, size, before in (
        ("Normal", _BODY, 0),
        ("Title", 14, 0),
        ("Heading 2", 9.5, 4),
        ("List Bullet", _BODY, 0),
    ):
        _set_font(page.styles[name], size)
        form = page.styles[name].paragraph_format
        # Fixed, because line heights of Chinese fonts differ by a sixth.
        form.line_spacing, form.space_before, form.space_after = Pt(1.2 * size), Pt(before), Pt(2)
    page.core_properties.title, page.core_properties.author = printable(document.title), "gapsim"
    page.core_properties.comments = ""
    page.core_properties.language = "zh-CN" if document.lang == "zh" else "en"
    page.add_paragraph(printable(document.title), style="Title")
    rows = sum(len(part.rows) for part in document.parts if isinstance(part, TextTable))
    for part in document.parts:
        _add_part(page, part, Cm(_WIDEST - _NARROWER * rows**2))
    stream = io.BytesIO()
    page.save(stream)
    return stream.getvalue()


def _set_font(style: Any, size: float) -> None:
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    style.font.name, style.font.size = _LATIN, Pt(size)
    style.font.color.rgb = RGBColor(0x1A, 0x1A, 0x1A)
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    # Theme fonts would override the names.
    for name in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        fonts.attrib.pop(qn(f"w:{name}"), None)
    fonts.set(qn("w:eastAsia"), _CHINESE)


def _add_part(page: Any, part: Part, width: Any) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    match part:
        case Heading(text):
            page.add_heading(printable(text), level=2)
        case Paragraph(text) | Listing(text) | Link(text):
            page.add_paragraph(printable(text))
        case Lead(sentences):
            for sentence in sentences:
                paragraph = page.add_paragraph()
                paragraph.add_run(printable(sentence)).font.size = Pt(_LARGER)
                paragraph.paragraph_format.line_spacing = Pt(1.3 * _LARGER)
        case Bullets(items):
            for item in items:
                page.add_paragraph(printable(item), style="List Bullet")
        case Picture(_, sentence, figure) if figure is not None:
            from pysd_runner.plots.figure import png_bytes

            page.add_picture(io.BytesIO(png_bytes(figure)), width=width)
            form = page.paragraphs[-1].paragraph_format
            form.alignment, form.line_spacing, form.space_before = WD_ALIGN_PARAGRAPH.CENTER, 1.0, Pt(4)
            page.inline_shapes[-1]._inline.docPr.set("descr", printable(sentence))
            if figure.key:
                page.add_paragraph(printable(figure.explained()))
        case TextTable():
            _add_table(page, part)


def _add_table(page: Any, table: TextTable) -> None:
    """Add a table with a shaded header and a rule below each row."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls
    from docx.shared import Cm, Pt

    if table.caption:
        caption = page.add_paragraph()
        caption.add_run(printable(table.caption)).font.bold = True
        caption.paragraph_format.keep_with_next, caption.paragraph_format.space_before = True, Pt(4)
    shown = page.add_table(rows=0, cols=len(table.header))
    lines = "".join(f'<w:{side} w:val="single" w:sz="4" w:color="{_RULE}"/>' for side in ("top", "bottom", "insideH"))
    shown._tbl.tblPr.append(parse_xml(f"<w:tblBorders {nsdecls('w')}>{lines}</w:tblBorders>"))
    rest = (_WIDEST - _FIRST) / max(len(table.header) - 1, 1)
    for column, grid in enumerate(shown.columns):  # LibreOffice reads these widths, Word those of the cells
        grid.width = Cm(rest if column else _FIRST)
    for number, texts in enumerate((table.header, *table.rows)):
        for column, (cell, text) in enumerate(zip(shown.add_row().cells, texts, strict=True)):
            cell.width = Cm(rest if column else _FIRST)
            paragraph = cell.paragraphs[0]
            paragraph.paragraph_format.space_after, paragraph.paragraph_format.line_spacing = Pt(0), Pt(1.35 * _SMALL)
            if column and column not in table.words:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
            run = paragraph.add_run(printable(text))
            run.font.size, run.font.bold = Pt(_SMALL), number == 0
            if number == 0:
                shade = parse_xml(f'<w:shd {nsdecls("w")} w:val="clear" w:fill="{_SHADE}"/>')
                cell._tc.get_or_add_tcPr().append(shade)


def printable(text: str) -> str:
    """Remove the characters that XML does not allow.

    >>> printable("Si" + chr(7) + "chuan")
    'Sichuan'
    """
    return _FORBIDDEN.sub("", text)

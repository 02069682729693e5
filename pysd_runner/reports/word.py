"""A report as a Word file: a page of A4 with headings, tables, and pictures that have alternative texts."""

import io
from typing import Any

from pysd_runner.plots.figure import png_bytes
from pysd_runner.reports.document import Bullets, Document, Heading, Link, Listing, Paragraph, Part, Picture, Table
from pysd_runner.reports.plain import printable

# East Asian fonts are set apart from the others; both ship with Office.
LATIN, CHINESE = "Calibri", "Microsoft YaHei"
BODY, SMALL = 8, 6.5
_MARGIN, _WIDEST = 1.2, 16.8  # centimetres; pictures leave room for what is said of each row of the tables


def to_docx(document: Document) -> bytes:
    """Write a report as a Word file."""
    import docx
    from docx.shared import Cm, Mm, Pt

    page = docx.Document()
    section = page.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Cm(_MARGIN)
    for name, size, before in (("Normal", BODY, 0), ("Title", 14, 0), ("Heading 2", 9.5, 4), ("List Bullet", BODY, 0)):
        _set_font(page.styles[name], size)
        form = page.styles[name].paragraph_format
        # Fixed, because fonts for Chinese differ by a sixth in the lines they make.
        form.line_spacing, form.space_before, form.space_after = Pt(1.2 * size), Pt(before), Pt(2)
    page.core_properties.title, page.core_properties.author = printable(document.title), "gapsim"
    page.core_properties.language = "zh-CN" if document.lang == "zh" else "en"
    page.add_paragraph(printable(document.title), style="Title")
    rows = sum(len(part.rows) for part in document.parts if isinstance(part, Table))
    for part in document.parts:
        _add(page, part, Cm(_WIDEST - 1.4 * rows))
    stream = io.BytesIO()
    page.save(stream)
    return stream.getvalue()


def _set_font(style: Any, size: float) -> None:
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    style.font.name, style.font.size = LATIN, Pt(size)
    style.font.color.rgb = RGBColor(0x1A, 0x1A, 0x1A)
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    # Themes would win over the names.
    for name in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        fonts.attrib.pop(qn(f"w:{name}"), None)
    fonts.set(qn("w:eastAsia"), CHINESE)


def _add(page: Any, part: Part, width: Any) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    match part:
        case Heading(text):
            page.add_heading(printable(text), level=2)
        case Paragraph(text) | Listing(text) | Link(text):
            page.add_paragraph(printable(text))
        case Bullets(items):
            for item in items:
                page.add_paragraph(printable(item), style="List Bullet")
        case Picture(_, sentence, figure) if figure is not None:
            page.add_picture(io.BytesIO(png_bytes(figure)), width=width)
            form = page.paragraphs[-1].paragraph_format
            form.alignment, form.line_spacing, form.space_before = WD_ALIGN_PARAGRAPH.CENTER, 1.0, Pt(4)
            page.inline_shapes[-1]._inline.docPr.set("descr", printable(sentence))
        case Table():
            _add_table(page, part)


def _add_table(page: Any, table: Table) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    if table.caption:
        page.add_paragraph(printable(table.caption)).paragraph_format.keep_with_next = True
    shown = page.add_table(rows=0, cols=len(table.header), style="Table Grid")
    for number, texts in enumerate((table.header, *table.rows)):
        for column, (cell, text) in enumerate(zip(shown.add_row().cells, texts, strict=True)):
            paragraph = cell.paragraphs[0]
            paragraph.paragraph_format.space_after, paragraph.paragraph_format.line_spacing = Pt(0), Pt(1.2 * SMALL)
            if column and column not in table.words:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
            run = paragraph.add_run(printable(text))
            run.font.size, run.font.bold = Pt(SMALL), number == 0
